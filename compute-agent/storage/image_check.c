/* Magic numbers of the formats that a disguised image could be, the qcow2 header (docs/interop/qcow2.txt of QEMU), and
 * then `qemu-img info -f <format>` with limits on time and memory. */
#include "compute-agent/storage/image_check.h"
#include "common/child.h"
#include "common/json_in.h"
#include "compute-agent/storage/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_CHECK_HEADER      512
#define IMAGE_CHECK_DEADLINE_MS 20000
#define IMAGE_CHECK_MEMORY      ((int64_t)1 << 30)
#define IMAGE_CHECK_CPU_S       20
#define IMAGE_CHECK_MOST        ((int64_t)1 << 60) /* so that sums with it are numbers */
/* qcow2: incompatible feature bits */
#define IMAGE_CHECK_DIRTY       1u /* refcounts are inexact: repaired when opened */
#define IMAGE_CHECK_COMPRESSION 8u
#define IMAGE_CHECK_EXTERNAL    4u

struct image_check_magic {
    const char *format;
    size_t offset, size;
    const char *bytes;
};
static const struct image_check_magic image_check_magics[] = {
    {"qcow2", 0, 4, "QFI\xfb"},
    {"vmdk", 0, 4, "KDMV"},
    {"vmdk", 0, 4, "COWD"},
    {"vmdk", 0, 21, "# Disk DescriptorFile"},
    {"vhdx", 0, 8, "vhdxfile"},
    {"vhd", 0, 8, "conectix"},
    {"vdi", 64, 4, "\x7f\x10\xda\xbe"},
    {"qed", 0, 4, "QED\0"},
    {"squashfs", 0, 4, "hsqs"},
    {"luks", 0, 6, "LUKS\xba\xbe"},
    {"parallels", 0, 16, "WithoutFreeSpace"},
    {"parallels", 0, 16, "WithouFreSpacExt"},
};

static uint64_t image_check_number(const unsigned char *at, size_t size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++)
        n = n << 8 | at[i];
    return n;
}

static const char *image_check_name(const unsigned char *header, size_t size)
{
    for (size_t i = 0; i < sizeof(image_check_magics) / sizeof(image_check_magics[0]); i++) {
        const struct image_check_magic *m = &image_check_magics[i];
        if (size >= m->offset + m->size && memcmp(header + m->offset, m->bytes, m->size) == 0)
            return m->format;
    }
    return "raw";
}

static int image_check_read(const char *path, unsigned char header[IMAGE_CHECK_HEADER], size_t *ret_size,
                            struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    memset(header, 0, IMAGE_CHECK_HEADER);
    ssize_t got = pread(fd, header, IMAGE_CHECK_HEADER, 0);
    int why = errno;
    close(fd);
    if (got < 0)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(why));
    *ret_size = (size_t)got;
    return 0;
}

static int image_check_qcow2(const unsigned char *header, size_t size, struct error *e)
{
    uint64_t version = image_check_number(header + 4, 4);
    if (size < 72 || version < 2 || version > 3)
        return error_set(e, ERR_INVALID, "The image's qcow2 header is damaged or of an unknown version");
    if (image_check_number(header + 8, 8) || image_check_number(header + 16, 4))
        return error_set(e, ERR_INVALID,
                         "The image refers to a backing file; upload one that is whole (qemu-img convert)");
    if (image_check_number(header + 32, 4))
        return error_set(e, ERR_INVALID, "The image is encrypted in a way that cannot be started here");
    uint64_t features = version == 3 ? image_check_number(header + 72, 8) : 0;
    if (features & IMAGE_CHECK_EXTERNAL)
        return error_set(e, ERR_INVALID,
                         "The image keeps its data in another file; upload one that is whole (qemu-img convert)");
    if (features & ~(uint64_t)(IMAGE_CHECK_DIRTY | IMAGE_CHECK_COMPRESSION))
        return error_set(e, ERR_INVALID, "The image has qcow2 features that are not supported here");
    return 0;
}

static int image_check_header(const char *path, const char *format, struct error *e)
{
    unsigned char header[IMAGE_CHECK_HEADER];
    size_t size;
    int code = image_check_read(path, header, &size, e);
    if (code)
        return code;
    const char *is = image_check_name(header, size);
    if (strcmp(is, format) != 0)
        return error_set(e, ERR_INVALID, "The image is declared as %s, but it is %s%s", format, is,
                         strcmp(is, "raw") == 0 ? " or something unknown" : "");
    return strcmp(format, "qcow2") == 0 ? image_check_qcow2(header, size, e) : 0;
}

struct image_check_info {
    struct json_seen seen;
    const char *format;
    int64_t virtual_size;
    json_value *backing, *specific;
};
static const struct json_field info_fields[] = {
    {.name = "format", .kind = JSON_TEXT, .offset = offsetof(struct image_check_info, format), .flags = JSON_REQUIRED},
    {.name = "virtual-size",
     .kind = JSON_INT,
     .offset = offsetof(struct image_check_info, virtual_size),
     .flags = JSON_REQUIRED},
    {.name = "backing-filename",
     .kind = JSON_ANY,
     .offset = offsetof(struct image_check_info, backing),
     .flags = JSON_NULLABLE},
    {.name = "format-specific",
     .kind = JSON_ANY,
     .offset = offsetof(struct image_check_info, specific),
     .flags = JSON_NULLABLE},
};
static const struct json_table info_table = {.fields = info_fields,
                                             .count = JSON_COUNT(info_fields),
                                             .open = true,
                                             .seen_offset = offsetof(struct image_check_info, seen)};

static int image_check_judge(const struct strbuf *text, const char *format, int64_t *ret_virtual_bytes, struct error *e)
{
    struct json_doc doc;
    struct image_check_info info = {0};
    struct arena arena;
    int code = json_in_parse(text->data, text->size, &doc, e);
    if (code)
        return error_prefix(e, "qemu-img's answer");
    arena_init(&arena);
    code = json_in_read(doc.root, &info_table, &info, &arena, e);
    if (!code && strcmp(info.format, format) != 0)
        code = error_set(e, ERR_INVALID, "The image is declared as %s, but it is %s", format, info.format);
    json_value *data = json_in_member(info.specific, "data");
    if (!code && (info.backing || json_in_has(data, "data-file")))
        code =
            error_set(e, ERR_INVALID, "The image refers to another file; upload one that is whole (qemu-img convert)");
    if (!code)
        *ret_virtual_bytes = info.virtual_size;
    arena_done(&arena);
    json_in_done(&doc);
    return code;
}

static int image_check_ask(const char *path, const char *format, int64_t *ret_virtual_bytes, struct error *e)
{
    const char *argv[] = {"qemu-img", "info", "-f", format, "--output=json", "--", path, NULL};
    struct child child = {.argv = argv,
                          .deadline_ms = IMAGE_CHECK_DEADLINE_MS,
                          .memory_bytes = IMAGE_CHECK_MEMORY,
                          .cpu_seconds = IMAGE_CHECK_CPU_S};
    struct strbuf text;
    struct error why = {0};
    strbuf_init(&text, 1 << 20);
    int code = child_run(&child, &text, &why);
    if (code == ERR_IO)
        code = error_set(e, ERR_INVALID, "The image cannot be read as %s: %s", format, error_text(&why));
    else if (code)
        error_set(e, code, "%s", error_text(&why));
    else
        code = image_check_judge(&text, format, ret_virtual_bytes, e);
    strbuf_done(&text);
    return code;
}

static int image_check_content(const char *path, const char *format, int64_t *ret_virtual_bytes, struct error *e)
{
    struct stat st;
    int64_t files;
    if (strcmp(format, "root-tar") == 0)
        return unpack_list(path, format, ret_virtual_bytes, &files, e);
    int code = image_check_header(path, format, e);
    if (code)
        return code;
    if (strcmp(format, "squashfs") == 0)
        return unpack_list(path, format, ret_virtual_bytes, &files, e);
    if (strcmp(format, "qcow2") == 0)
        return image_check_ask(path, format, ret_virtual_bytes, e);
    if (stat(path, &st)) /* raw: the disk is the file */
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    *ret_virtual_bytes = st.st_size;
    return 0;
}

int image_check(const char *path, const char *format, int64_t *ret_virtual_bytes, struct error *e)
{
    int64_t bytes = 0;
    int code = image_check_content(path, format, &bytes, e);
    if (!code && (bytes < 0 || bytes > IMAGE_CHECK_MOST))
        code = error_set(e, ERR_INVALID, "The image is larger than any disk that can be made of it");
    if (!code)
        *ret_virtual_bytes = bytes;
    return code;
}

int image_check_backing(const char *path, char ret[IMAGE_CHECK_NAME_SIZE], struct error *e)
{
    unsigned char header[IMAGE_CHECK_HEADER];
    size_t size;
    int code = image_check_read(path, header, &size, e);
    if (code)
        return code;
    uint64_t name_size = image_check_number(header + 16, 4), offset = image_check_number(header + 8, 8);
    if (size < 72 || memcmp(header, "QFI\xfb", 4) != 0 || name_size >= IMAGE_CHECK_NAME_SIZE)
        return error_set(e, ERR_INVALID, "%s is no qcow2 file", path);
    ret[0] = '\0';
    if (!offset || !name_size)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, ret, name_size, (off_t)offset);
    if (fd >= 0)
        close(fd);
    if (got != (ssize_t)name_size)
        return error_set(e, ERR_IO, "%s cannot be read", path);
    ret[name_size] = '\0';
    return 0;
}
