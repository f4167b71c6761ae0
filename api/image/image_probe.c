/* VMDK: VMware's Virtual Disk Format 5.0, and what QEMU's block/vmdk.c does with it. VHD: Microsoft's Virtual Hard Disk
 * Image Format Specification 1.0. VHDX: MS-VHDX. VDI: VirtualBox's VDICore.h.
 *
 * A VMDK has a text (the descriptor) inside that may name other files: as extents, or as parent. QEMU looks for the
 * parent at a fixed place, and for the text elsewhere when the header is odd; both are looked at here. */
#include "api/image/image_probe.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

bool image_probe_read(const struct image_bytes *b, int64_t at, void *ret, size_t count)
{
    if (at < 0 || (int64_t)count > b->size || at > b->size - (int64_t)count)
        return false;
    if (b->data) {
        memcpy(ret, b->data + b->from + at, count);
        return true;
    }
    for (size_t done = 0; done < count;) {
        ssize_t got = pread(b->fd, (char *)ret + done, count - done, (off_t)(b->from + at + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static uint64_t little(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static uint64_t big(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static int damaged(const char *format, const char *what, struct error *e)
{
    return error_set(e, ERR_INVALID, "The %s image is damaged (%s).", format, what);
}

/* ---- vmdk ---- */

#define VMDK_HEADER      77
#define VMDK_SECTORS     ((uint64_t)1 << 44) /* beyond them sizes would not fit into 63 bits */
#define VMDK_DESCRIPTOR  ((size_t)20 * SECTOR)
#define VMDK_PARENT_TEXT "parentFileNameHint"

/* Whether a line of the descriptor is an extent. */
static bool vmdk_is_extent(const char *line)
{
    return strncmp(line, "RW ", 3) == 0 || strncmp(line, "RDONLY ", 7) == 0 || strncmp(line, "NOACCESS ", 9) == 0;
}

/* "RW 4192256 SPARSE "disk.vmdk"": it must be sparse, which means this very file, and name no folder. */
static int vmdk_check_extent(const char *line, struct error *e)
{
    const char *kind = strchr(line, ' ');
    kind = kind ? strchr(kind + 1, ' ') : NULL;
    if (!kind || strncmp(kind, " SPARSE ", 8) != 0 || strchr(kind, '/') || strchr(kind, '\\'))
        return error_set(e, ERR_INVALID, "The vmdk image keeps its data in another file. Such images are refused.");
    return 0;
}

static int vmdk_check_line(const char *line, int *extents, bool *typed, struct error *e)
{
    if (strncmp(line, "createType", 10) == 0) {
        *typed = strstr(line, "\"monolithicSparse\"") || strstr(line, "\"streamOptimized\"");
        return *typed ? 0
                      : error_set(e, ERR_INVALID,
                                  "The vmdk image is of a kind that spans several files (%.60s). Only monolithicSparse "
                                  "and streamOptimized are taken.",
                                  line);
    }
    if (strncmp(line, "parentCID", 9) == 0 && !strcasestr(line, "ffffffff"))
        return error_set(e, ERR_INVALID, "The vmdk image has a parent. Such images are refused.");
    if (!vmdk_is_extent(line))
        return 0;
    ++*extents;
    return vmdk_check_extent(line, e);
}

/* `text` is terminated; its lines are cut apart. */
static int vmdk_check_text(char *text, struct error *e)
{
    int extents = 0, rc = 0;
    bool typed = false;
    for (char *line = text, *end; !rc && *line; line = end) {
        size_t length = strcspn(line, "\r\n");
        end = line + length;
        while (*end == '\r' || *end == '\n')
            *end++ = 0;
        line += strspn(line, " \t");
        rc = vmdk_check_line(line, &extents, &typed, e);
    }
    if (!rc && (!typed || extents != 1))
        rc = error_set(e, ERR_INVALID, "The vmdk image's descriptor names %d parts and %s kind; it must be one file.",
                       extents, typed ? "a" : "no");
    return rc;
}

/* Where QEMU looks for a parent, whatever the header says. */
static int vmdk_check_parent(const struct image_bytes *b, struct error *e)
{
    int64_t have = b->size < SECTOR + (int64_t)VMDK_DESCRIPTOR ? b->size - SECTOR : (int64_t)VMDK_DESCRIPTOR;
    char *text = have > 0 ? malloc((size_t)have) : NULL;
    bool found = text && image_probe_read(b, SECTOR, text, (size_t)have) &&
                 memmem(text, (size_t)have, VMDK_PARENT_TEXT, sizeof(VMDK_PARENT_TEXT) - 1);
    free(text);
    return found ? error_set(e, ERR_INVALID, "The vmdk image has a parent. Such images are refused.") : 0;
}

static int vmdk_check_descriptor(const struct image_bytes *b, const unsigned char *head, struct error *e)
{
    uint64_t at = little(head + 28, 8), sectors = little(head + 36, 8);
    if (at == 0 || at > VMDK_SECTORS || sectors == 0 || sectors * SECTOR > VMDK_DESCRIPTOR)
        return damaged("vmdk", "no descriptor", e);
    char *text = calloc(1, sectors * SECTOR + 1);
    int rc = text && image_probe_read(b, (int64_t)at * SECTOR, text, sectors * SECTOR)
                 ? vmdk_check_text(text, e)
                 : damaged("vmdk", "descriptor", e);
    free(text);
    return rc;
}

static int probe_vmdk(const struct image_bytes *b, struct image_probe *ret, struct error *e)
{
    unsigned char head[VMDK_HEADER];
    if (!image_probe_read(b, 0, head, sizeof(head)))
        return damaged("vmdk", "header", e);
    if (memcmp(head, "KDMV", 4) != 0)
        return error_set(e, ERR_INVALID,
                         "The vmdk file is not one whole image but (a descriptor of) parts. Only monolithicSparse and "
                         "streamOptimized are taken.");
    uint64_t version = little(head + 4, 4), sectors = little(head + 12, 8);
    if (version < 1 || version > 3)
        return error_set(e, ERR_INVALID, "The vmdk image is of version %u, which is not known.", (unsigned)version);
    if (sectors == 0 || sectors > VMDK_SECTORS)
        return damaged("vmdk", "size", e);
    ret->virtual_bytes = (int64_t)(sectors * SECTOR);
    int rc = vmdk_check_parent(b, e);
    return rc ? rc : vmdk_check_descriptor(b, head, e);
}

/* ---- vhd ---- */

#define VHD_COOKIE "conectix"
enum { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

/* A copy of the footer stands in front of dynamic disks. */
static int probe_vhd(const struct image_bytes *b, struct image_probe *ret, struct error *e)
{
    unsigned char foot[SECTOR], copy[8];
    if (!image_probe_read(b, b->size - SECTOR, foot, sizeof(foot)) || memcmp(foot, VHD_COOKIE, 8) != 0)
        return damaged("vhd", "its footer is missing", e);
    uint64_t kind = big(foot + 60, 4), size = big(foot + 48, 8);
    bool led = image_probe_read(b, 0, copy, sizeof(copy)) && memcmp(copy, VHD_COOKIE, 8) == 0;
    if (kind == VHD_DIFFERENCING)
        return error_set(e, ERR_INVALID, "The vhd image has a parent. Such images are refused.");
    if ((kind != VHD_FIXED && kind != VHD_DYNAMIC) || (kind == VHD_DYNAMIC && !led))
        return damaged("vhd", "kind", e);
    if (led) { /* it is what is read then */
        unsigned char head[SECTOR];
        if (!image_probe_read(b, 0, head, sizeof(head)) || big(head + 60, 4) != kind || big(head + 48, 8) != size)
            return damaged("vhd", "header and footer differ", e);
    }
    if (size == 0 || size > (uint64_t)INT64_MAX || (kind == VHD_FIXED && (int64_t)size > b->size - SECTOR))
        return damaged("vhd", "size", e);
    ret->fixed = kind == VHD_FIXED;
    ret->virtual_bytes = (int64_t)size;
    return 0;
}

/* ---- vhdx ---- */

#define VHDX_KIB      ((int64_t)1024)
#define VHDX_TABLE    ((int64_t)65536) /* region tables and the metadata table */
#define VHDX_REGIONS  2047
#define VHDX_METADATA 2047

static const unsigned char vhdx_metadata[16] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                                0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
static const unsigned char vhdx_size[16] = {0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                            0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};
static const unsigned char vhdx_parameters[16] = {0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                                  0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};

/* The entry of a region table or of the metadata table, both 32 bytes large and begun by a GUID. */
static bool vhdx_entry(const struct image_bytes *b, int64_t table, int64_t first, uint64_t count,
                       const unsigned char guid[16], unsigned char ret[32])
{
    for (uint64_t i = 0; i < count; i++)
        if (!image_probe_read(b, table + first + (int64_t)i * 32, ret, 32))
            return false;
        else if (memcmp(ret, guid, 16) == 0)
            return true;
    return false;
}

static bool vhdx_regions(const struct image_bytes *b, int64_t table, int64_t *ret_metadata)
{
    unsigned char head[16], entry[32];
    if (!image_probe_read(b, table, head, sizeof(head)) || memcmp(head, "regi", 4) != 0)
        return false;
    uint64_t count = little(head + 8, 4);
    if (count > VHDX_REGIONS || !vhdx_entry(b, table, 16, count, vhdx_metadata, entry))
        return false;
    uint64_t at = little(entry + 16, 8);
    *ret_metadata = (int64_t)at;
    return at <= (uint64_t)INT64_MAX / 2;
}

static bool vhdx_item(const struct image_bytes *b, int64_t metadata, const unsigned char guid[16], uint64_t count,
                      unsigned char ret[8])
{
    unsigned char entry[32];
    if (!vhdx_entry(b, metadata, 32, count, guid, entry))
        return false;
    uint64_t at = little(entry + 16, 4);
    return at >= (uint64_t)VHDX_TABLE && image_probe_read(b, metadata + (int64_t)at, ret, 8);
}

static int probe_vhdx(const struct image_bytes *b, struct image_probe *ret, struct error *e)
{
    unsigned char head[32], item[8];
    int64_t metadata = 0;
    if (!image_probe_read(b, 0, head, 8) || memcmp(head, "vhdxfile", 8) != 0)
        return error_set(e, ERR_INVALID, "The image was declared as vhdx, but it is not.");
    if (!vhdx_regions(b, 192 * VHDX_KIB, &metadata) && !vhdx_regions(b, 256 * VHDX_KIB, &metadata))
        return damaged("vhdx", "region table", e);
    if (!image_probe_read(b, metadata, head, sizeof(head)) || memcmp(head, "metadata", 8) != 0)
        return damaged("vhdx", "metadata", e);
    uint64_t count = little(head + 10, 2);
    if (count > VHDX_METADATA || !vhdx_item(b, metadata, vhdx_parameters, count, item))
        return damaged("vhdx", "file parameters", e);
    if (little(item + 4, 4) & 2)
        return error_set(e, ERR_INVALID, "The vhdx image has a parent. Such images are refused.");
    if (!vhdx_item(b, metadata, vhdx_size, count, item) || little(item, 8) == 0 ||
        little(item, 8) > (uint64_t)INT64_MAX)
        return damaged("vhdx", "size", e);
    ret->virtual_bytes = (int64_t)little(item, 8);
    return 0;
}

/* ---- vdi ---- */

enum { VDI_DYNAMIC = 1, VDI_STATIC = 2 };

static int probe_vdi(const struct image_bytes *b, struct image_probe *ret, struct error *e)
{
    unsigned char head[SECTOR];
    if (!image_probe_read(b, 0, head, sizeof(head)) || memcmp(head + 64, "\x7f\x10\xda\xbe", 4) != 0)
        return error_set(e, ERR_INVALID, "The image was declared as vdi, but it is not.");
    uint64_t kind = little(head + 76, 4), size = little(head + 368, 8);
    if (kind != VDI_DYNAMIC && kind != VDI_STATIC)
        return error_set(e, ERR_INVALID, "The vdi image has a parent. Such images are refused.");
    if (size == 0 || size > (uint64_t)INT64_MAX)
        return damaged("vdi", "size", e);
    uint64_t data = little(head + 344, 4) + little(head + 388, 4) * little(head + 376, 4);
    if (data > (uint64_t)b->size)
        return damaged("vdi", "cut short", e);
    ret->virtual_bytes = (int64_t)size;
    return 0;
}

/* ---- all ---- */

static const struct {
    const char *format;
    int (*probe)(const struct image_bytes *b, struct image_probe *ret, struct error *e);
} probes[] = {{"vmdk", probe_vmdk}, {"vhd", probe_vhd}, {"vhdx", probe_vhdx}, {"vdi", probe_vdi}};
#define PROBE_COUNT (sizeof(probes) / sizeof(probes[0]))

bool image_probe_knows(const char *format)
{
    for (size_t i = 0; i < PROBE_COUNT; i++)
        if (format && strcmp(probes[i].format, format) == 0)
            return true;
    return false;
}

int image_probe(const struct image_bytes *b, const char *format, struct image_probe *ret, struct error *e)
{
    *ret = (struct image_probe){0};
    for (size_t i = 0; i < PROBE_COUNT; i++)
        if (strcmp(probes[i].format, format) == 0)
            return probes[i].probe(b, ret, e);
    return error_set(e, ERR_INVALID, "Images of the format %s are not converted.", format);
}

const char *image_probe_name(const struct image_bytes *b)
{
    unsigned char head[SECTOR] = {0};
    size_t have = b->size < SECTOR ? (size_t)b->size : SECTOR;
    if (!image_probe_read(b, 0, head, have))
        return NULL;
    if (memcmp(head, "KDMV", 4) == 0 || memcmp(head, "COWD", 4) == 0 || memcmp(head, "# Disk DescriptorFile", 21) == 0)
        return "vmdk";
    if (memcmp(head, "QFI\xfb", 4) == 0)
        return "qcow2";
    if (memcmp(head, "vhdxfile", 8) == 0)
        return "vhdx";
    if (memcmp(head, VHD_COOKIE, 8) == 0)
        return "vhd";
    if (memcmp(head + 64, "\x7f\x10\xda\xbe", 4) == 0)
        return "vdi";
    return NULL;
}
