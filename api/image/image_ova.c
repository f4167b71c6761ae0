/* The tar headers are POSIX's ustar and GNU's; names longer than a header holds, links and sparse members have no
 * business in an OVA and are refused. */
#include "api/image/image_ova.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK       512
#define MEMBERS_MAX 256
#define NAME_BYTES  100

struct member {
    char name[NAME_BYTES + 1];
    int64_t at, size; /* of its bytes */
};

static int damaged(const char *what, struct error *e)
{
    return error_set(e, ERR_INVALID, "The OVA is damaged, or none (%s).", what);
}

/* Octal digits, or GNU's base 256; -1 when it is neither. */
static int64_t number_of(const unsigned char *at, size_t count)
{
    int64_t value = 0;
    if (at[0] & 0x80) {
        for (size_t i = count - 8; i < count; i++)
            value = (int64_t)((uint64_t)value << 8 | at[i]);
        return value;
    }
    size_t i = 0;
    while (i < count && at[i] == ' ')
        i++;
    for (; i < count && at[i] >= '0' && at[i] <= '7'; i++) {
        if (value > INT64_MAX >> 3)
            return -1;
        value = value * 8 + (at[i] - '0');
    }
    return i == count || at[i] == 0 || at[i] == ' ' ? value : -1;
}

static bool sum_is_right(const unsigned char head[BLOCK])
{
    int64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : head[i];
    return sum == number_of(head + 148, 8);
}

/* The member at *at; *at becomes the next one's place. An empty name: the end of the archive. */
static int read_member(const struct image_bytes *archive, int64_t *at, struct member *ret, struct error *e)
{
    unsigned char head[BLOCK];
    *ret = (struct member){0};
    if (*at >= archive->size)
        return 0;
    if (!image_probe_read(archive, *at, head, sizeof(head)))
        return damaged("cut short", e);
    if (head[0] == 0)
        return 0;
    if (memcmp(head + 257, "ustar", 5) != 0 || !sum_is_right(head))
        return damaged("no tar archive", e);
    if (head[156] != '0' && head[156] != 0)
        return error_set(e, ERR_INVALID, "The OVA has members that are no files. Such are refused.");
    memcpy(ret->name, head, NAME_BYTES);
    ret->size = number_of(head + 124, 12);
    ret->at = *at + BLOCK;
    if (ret->size < 0 || ret->size > archive->size - ret->at)
        return damaged("a member that is larger than the archive", e);
    *at = ret->at + ((ret->size + BLOCK - 1) & ~(int64_t)(BLOCK - 1));
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), count = strlen(end);
    return size > count && strcasecmp(text + size - count, end) == 0;
}

static int read_descriptor(const struct image_bytes *archive, int64_t *at, struct image_ovf *ret, struct error *e)
{
    struct member m;
    int rc = read_member(archive, at, &m, e);
    if (!rc && !ends_with(m.name, ".ovf"))
        rc = error_set(e, ERR_INVALID, "The OVA does not begin with its descriptor (*.ovf).");
    if (!rc && (size_t)m.size > IMAGE_OVF_MOST)
        rc = error_set(e, ERR_INVALID, "The OVF descriptor is larger than %zu bytes.", IMAGE_OVF_MOST);
    if (rc || !ret)
        return rc;
    char *text = malloc((size_t)m.size + 1);
    rc = text && image_probe_read(archive, m.at, text, (size_t)m.size) ? image_ovf_read(text, (size_t)m.size, ret, e)
                                                                       : damaged("descriptor", e);
    free(text);
    return rc;
}

int image_ova_check_head(const struct image_bytes *archive, struct error *e)
{
    int64_t at = 0;
    return read_descriptor(archive, &at, NULL, e);
}

int image_ova_read(const struct image_bytes *archive, struct image_ova *ret, struct error *e)
{
    struct member m = {.name = "-"};
    int64_t at = 0;
    *ret = (struct image_ova){0};
    int rc = read_descriptor(archive, &at, &ret->machine, e);
    for (int i = 0; !rc && m.name[0] && i < MEMBERS_MAX; i++) {
        rc = read_member(archive, &at, &m, e);
        if (!rc && m.name[0] && strcmp(m.name, ret->machine.file) == 0) {
            ret->disk = *archive;
            ret->disk.from += m.at;
            ret->disk.size = m.size;
            return 0;
        }
    }
    return rc ? rc : error_set(e, ERR_INVALID, "The disk %s is not in the OVA.", ret->machine.file);
}
