/* Headers of disk images: whatever is uploaded, nothing is read past its end, and what is taken says a size that can
 * be. */
#include "api/image/image_format.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const formats[] = {"raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso", "ami"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct error e = {0};
        int64_t bytes = -2;
        int rc = image_format_check_header(data, size, (int64_t)size, formats[i], &bytes, &e);
        assert(rc == 0 || (rc == ERR_INVALID && e.text[0] != 0));
        assert(rc != 0 || bytes >= -1);
    }
    return 0;
}
