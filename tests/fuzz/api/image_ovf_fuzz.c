/* OVF descriptors: whatever they hold, they are refused in words, or name a file in the archive. */
#include "api/image/image_ovf.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const char *data, size_t size);
int LLVMFuzzerTestOneInput(const char *data, size_t size)
{
    struct error e = {0};
    struct image_ovf ovf;
    int rc = image_ovf_read(data, size, &ovf, &e);
    assert(rc == 0 || (rc == ERR_INVALID && e.text[0] != 0));
    assert(rc != 0 || (ovf.file[0] != 0 && !strchr(ovf.file, '/') && ovf.memory_mib >= 0 && ovf.cpus >= 0));
    return 0;
}
