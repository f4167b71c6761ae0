/* Headers of disk images. qcow2: QEMU's docs/interop/qcow2.txt; the others: their magic only. */
#include "api/image/image_format.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *format;
    size_t offset;
    const char *magic;
    size_t length;
} magics[] = {
    {"qcow2", 0, "QFI\xfb", 4},         {"vmdk", 0, "KDMV", 4},
    {"vhdx", 0, "vhdxfile", 8},         {"vhd", 0, "conectix", 8},
    {"vdi", 64, "\x7f\x10\xda\xbe", 4}, {"iso", 32769, "CD001", 5},
};
#define MAGIC_COUNT (sizeof(magics) / sizeof(magics[0]))

#define QCOW2_INCOMPATIBLE_DATA_FILE ((uint64_t)1 << 2)
/* dirty, corrupt, external data file, compression type, extended L2 */
#define QCOW2_INCOMPATIBLE_KNOWN  ((uint64_t)0x1f)
#define QCOW2_EXTENSION_DATA_FILE 0x44415441U

static bool has_magic(const unsigned char *head, size_t have, size_t i)
{
    return have >= magics[i].offset + magics[i].length &&
           memcmp(head + magics[i].offset, magics[i].magic, magics[i].length) == 0;
}

static uint64_t big_endian(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Extensions follow the header until one of type 0. */
static bool names_data_file(const unsigned char *head, size_t have, uint64_t header_size)
{
    uint64_t at = header_size;
    while (at + 8 <= have) {
        uint64_t type = big_endian(head + at, 4), length = big_endian(head + at + 4, 4);
        if (type == 0)
            return false;
        if (type == QCOW2_EXTENSION_DATA_FILE)
            return true;
        at += 8 + ((length + 7) & ~(uint64_t)7);
    }
    return false;
}

static int check_qcow2(const unsigned char *head, size_t have, int64_t *ret_virtual, struct error *e)
{
    if (have < 72)
        return error_set(e, ERR_INVALID, "The qcow2 header is cut short.");
    uint64_t version = big_endian(head + 4, 4), backing = big_endian(head + 8, 8), bytes = big_endian(head + 24, 8);
    uint64_t cluster_bits = big_endian(head + 20, 4), encryption = big_endian(head + 32, 4);
    if (version != 2 && version != 3)
        return error_set(e, ERR_INVALID, "qcow2 version %llu is not supported.", (unsigned long long)version);
    if (backing != 0)
        return error_set(e, ERR_INVALID, "The qcow2 image has a backing file. Such images are refused.");
    if (cluster_bits < 9 || cluster_bits > 21)
        return error_set(e, ERR_INVALID, "The qcow2 header is damaged (cluster size).");
    if (encryption != 0)
        return error_set(e, ERR_INVALID, "The qcow2 image is encrypted. Such images are refused.");
    if (bytes > (uint64_t)INT64_MAX)
        return error_set(e, ERR_INVALID, "The qcow2 header is damaged (size).");
    uint64_t header_size = 72;
    if (version == 3) {
        if (have < 104)
            return error_set(e, ERR_INVALID, "The qcow2 header is cut short.");
        uint64_t incompatible = big_endian(head + 72, 8);
        header_size = big_endian(head + 100, 4);
        if (incompatible & QCOW2_INCOMPATIBLE_DATA_FILE)
            return error_set(e, ERR_INVALID,
                             "The qcow2 image keeps its data in another file. Such images are refused.");
        if (incompatible & ~QCOW2_INCOMPATIBLE_KNOWN)
            return error_set(e, ERR_INVALID, "The qcow2 image uses features that are not known.");
    }
    if (names_data_file(head, have, header_size))
        return error_set(e, ERR_INVALID, "The qcow2 image keeps its data in another file. Such images are refused.");
    *ret_virtual = (int64_t)bytes;
    return 0;
}

int image_format_check_header(const unsigned char *head, size_t have, int64_t size, const char *format,
                              int64_t *ret_virtual, struct error *e)
{
    *ret_virtual = -1;
    if (strcmp(format, "raw") == 0) {
        for (size_t i = 0; i < MAGIC_COUNT; i++)
            if (strcmp(magics[i].format, "iso") != 0 && has_magic(head, have, i))
                return error_set(e, ERR_INVALID, "The image was declared as raw, but it is %s.", magics[i].format);
        *ret_virtual = size;
        return 0;
    }
    for (size_t i = 0; i < MAGIC_COUNT; i++) {
        if (strcmp(magics[i].format, format) != 0)
            continue;
        if (!has_magic(head, have, i))
            return error_set(e, ERR_INVALID, "The image was declared as %s, but it is not.", format);
        return strcmp(format, "qcow2") == 0 ? check_qcow2(head, have, ret_virtual, e) : 0;
    }
    return 0;
}

int image_format_check(const char *path, int64_t size, const char *format, int64_t *ret_virtual, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    unsigned char *head = calloc(1, IMAGE_FORMAT_HEAD);
    if (head == NULL)
        abort();
    ssize_t have = pread(fd, head, IMAGE_FORMAT_HEAD, 0);
    int rc = have < 0 ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno))
                      : image_format_check_header(head, (size_t)have, size, format, ret_virtual, e);
    free(head);
    close(fd);
    return rc;
}
