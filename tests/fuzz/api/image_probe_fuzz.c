/* Images of formats that are converted, and OVAs: whatever is uploaded, nothing is read past its end, what is taken
 * says a size that can be, and an OVA's disk lies inside of it. */
#include "api/image/image_ova.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const formats[] = {"vmdk", "vhd", "vhdx", "vdi", "ami"};
    const struct image_bytes bytes = {.data = data, .fd = -1, .size = (int64_t)size};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct error e = {0};
        struct image_probe probe;
        int rc = image_probe(&bytes, formats[i], &probe, &e);
        assert(rc == 0 || (rc == ERR_INVALID && e.text[0] != 0));
        assert(rc != 0 || probe.virtual_bytes > 0);
    }
    struct error e = {0};
    struct image_ova ova;
    int rc = image_ova_read(&bytes, &ova, &e);
    assert(rc == 0 || (rc == ERR_INVALID && e.text[0] != 0));
    assert(rc != 0 || (ova.disk.from >= 512 && ova.disk.size >= 0 && ova.disk.from + ova.disk.size <= bytes.size));
    image_probe_name(&bytes);
    return 0;
}
