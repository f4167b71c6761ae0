/* The files go in as open descriptors, so the cage needs no path of ours. What qemu-img made is looked at like an
 * upload: it must be qcow2 with nothing behind it. */
#include "api/image/image_convert.h"
#include "api/image/image_format.h"
#include "api/image/image_ova.h"
#include "common/child.h"
#include "common/confine.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CONVERT_MIB    ((int64_t)1 << 20)
#define CONVERT_MEMORY ((int64_t)2 << 30)
#define CONVERT_STEP   ((size_t)1 << 20)

bool image_convert_is_needed(const char *disk_format, const char *container_format)
{
    return (container_format && strcmp(container_format, "ova") == 0) || image_probe_knows(disk_format);
}

/* ---- what it is ---- */

struct finding {
    struct image_bytes disk;
    const char *format; /* as we call it */
    int64_t virtual_bytes;
    struct image_ovf machine;
};

static int open_bytes(const char *path, struct image_bytes *ret, struct error *e)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    *ret = (struct image_bytes){.fd = fd, .size = about.st_size};
    return 0;
}

static int check_qcow2(const struct image_bytes *b, int64_t *ret_virtual, struct error *e)
{
    size_t have = b->size < IMAGE_FORMAT_HEAD ? (size_t)b->size : IMAGE_FORMAT_HEAD;
    unsigned char *head = memory_new(IMAGE_FORMAT_HEAD);
    int rc = image_probe_read(b, 0, head, have)
                 ? image_format_check_header(head, have, b->size, "qcow2", ret_virtual, e)
                 : error_set(e, ERR_IO, "The image cannot be read");
    free(head);
    return rc;
}

/* In an archive the format is not declared; only disks that say what they are are taken. */
static int find_in_archive(const struct image_bytes *archive, struct finding *ret, struct error *e)
{
    struct image_ova ova;
    int rc = image_ova_read(archive, &ova, e);
    if (rc)
        return rc;
    ret->disk = ova.disk;
    ret->machine = ova.machine;
    ret->format = image_probe_name(&ova.disk);
    return ret->format ? 0
                       : error_set(e, ERR_INVALID,
                                   "The disk in the OVA is of no format that is known: vmdk, qcow2, vhd, vhdx, vdi.");
}

static int find_disk(const struct image_bytes *file, const char *disk_format, const char *container_format,
                     struct finding *ret, struct error *e)
{
    struct image_probe probe;
    *ret = (struct finding){.disk = *file, .format = disk_format};
    int rc = container_format && strcmp(container_format, "ova") == 0 ? find_in_archive(file, ret, e) : 0;
    if (!rc && strcmp(ret->format, "qcow2") == 0)
        return check_qcow2(&ret->disk, &ret->virtual_bytes, e);
    rc = rc ? rc : image_probe(&ret->disk, ret->format, &probe, e);
    ret->virtual_bytes = rc ? 0 : probe.virtual_bytes;
    return rc;
}

int image_convert_check(const char *path, const char *disk_format, const char *container_format, struct error *e)
{
    struct image_bytes file;
    struct image_probe probe;
    int rc = open_bytes(path, &file, e);
    if (rc)
        return rc;
    rc = container_format && strcmp(container_format, "ova") == 0 ? image_ova_check_head(&file, e)
                                                                  : image_probe(&file, disk_format, &probe, e);
    close(file.fd);
    return rc;
}

/* ---- qemu-img ---- */

static const char *driver_of(const char *format)
{
    return strcmp(format, "vhd") == 0 ? "vpc" : format;
}

static void write_source(const struct finding *f, struct strbuf *ret)
{
    strbuf_appendf(ret, "driver=%s,", driver_of(f->format));
    if (f->disk.from == 0)
        strbuf_appendf(ret, "file.driver=file,file.filename=/proc/self/fd/%d", f->disk.fd);
    else
        strbuf_appendf(
            ret,
            "file.driver=raw,file.offset=%lld,file.size=%lld,file.file.driver=file,file.file.filename=/proc/self/fd/%d",
            (long long)f->disk.from, (long long)f->disk.size, f->disk.fd);
}

/* A disk with nothing in it needs a table, one that is full its size and the tables; nine tenths of what is free. */
static int64_t most_bytes(int target, int64_t virtual_bytes)
{
    struct statvfs fs;
    int64_t most = virtual_bytes + virtual_bytes / 16 + 64 * CONVERT_MIB;
    if (fstatvfs(target, &fs) == 0) {
        int64_t room = (int64_t)(fs.f_bavail * fs.f_frsize / 10 * 9);
        most = room < most ? room : most;
    }
    return most > CONVERT_MIB ? most : CONVERT_MIB;
}

static bool is_full(int target, int64_t most)
{
    struct stat about;
    return fstat(target, &about) != 0 || about.st_size >= most - CONVERT_MIB;
}

static int judge(int rc, const struct error *why, bool full, const struct image_convert *what, struct error *e)
{
    if (what->stop && atomic_load(what->stop))
        return error_set(e, ERR_UNAVAILABLE, "The conversion was stopped.");
    if (rc == ERR_TIMEOUT)
        return error_set(e, ERR_TIMEOUT, "The conversion took longer than %lld s.",
                         (long long)what->deadline_ms / 1000);
    if (full)
        return error_set(e, ERR_NO_SPACE, "There is no room for the converted image.");
    if (rc == ERR_IO)
        return error_set(e, ERR_INVALID, "The image cannot be converted. %s", error_text(why));
    return error_set(e, rc, "Images cannot be converted here. %s", error_text(why));
}

static int run_converter(const struct image_convert *what, const struct finding *f, int target, struct error *e)
{
    char to[48];
    struct strbuf source;
    struct confine cage;
    struct error why = {0};
    strbuf_init(&source, 0);
    write_source(f, &source);
    snprintf(to, sizeof(to), "/proc/self/fd/%d", target);
    const char *argv[] = {"qemu-img", "convert", "-q", "--image-opts", "-O", "qcow2", source.data, to, NULL};
    struct child child = {.argv = argv,
                          .directory = "/",
                          .deadline_ms = what->deadline_ms,
                          .memory_bytes = CONVERT_MEMORY,
                          .cpu_seconds = what->deadline_ms / 1000 + 1,
                          .file_bytes = most_bytes(target, f->virtual_bytes),
                          .cage = &cage,
                          .stop = what->stop};
    int rc = confine_open(f->disk.fd, target, &cage, &why);
    if (!rc) {
        rc = child_run(&child, NULL, &why);
        confine_close(&cage);
    }
    strbuf_done(&source);
    return rc ? judge(rc, &why, rc == ERR_IO && is_full(target, child.file_bytes), what, e) : 0;
}

/* ---- the result ---- */

static void write_hex(gnutls_hash_hd_t hash, size_t size, char *ret)
{
    unsigned char digest[64];
    gnutls_hash_deinit(hash, digest);
    for (size_t i = 0; i < size; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static int digest(const struct image_bytes *b, const atomic_bool *stop, struct image_converted *ret, struct error *e)
{
    gnutls_hash_hd_t sha512, md5;
    if (gnutls_hash_init(&sha512, GNUTLS_DIG_SHA512) || gnutls_hash_init(&md5, GNUTLS_DIG_MD5))
        return error_set(e, ERR_INTERNAL, "SHA-512 or MD5 is not available");
    unsigned char *step = memory_new(CONVERT_STEP);
    int rc = 0;
    for (int64_t at = 0; at < b->size && !rc; at += (int64_t)CONVERT_STEP) {
        size_t count = b->size - at < (int64_t)CONVERT_STEP ? (size_t)(b->size - at) : CONVERT_STEP;
        if (stop && atomic_load(stop))
            rc = error_set(e, ERR_UNAVAILABLE, "The conversion was stopped.");
        else if (!image_probe_read(b, at, step, count))
            rc = error_set(e, ERR_IO, "The converted image cannot be read: %s", strerror(errno));
        gnutls_hash(sha512, step, count);
        gnutls_hash(md5, step, count);
    }
    free(step);
    write_hex(sha512, 64, ret->sha512);
    write_hex(md5, 16, ret->md5);
    return rc;
}

static int check_virtual(int64_t bytes, int64_t limit, struct error *e)
{
    return bytes <= limit ? 0
                          : error_set(e, ERR_INVALID, "The disk in the image has %lld bytes; at most %lld are allowed.",
                                      (long long)bytes, (long long)limit);
}

static int look_at_result(const struct image_convert *what, int target, struct image_converted *ret, struct error *e)
{
    struct stat about;
    if (fsync(target) != 0 || fstat(target, &about) != 0)
        return error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", what->target, strerror(errno));
    struct image_bytes made = {.fd = target, .size = about.st_size};
    ret->size_bytes = about.st_size;
    int rc = check_qcow2(&made, &ret->virtual_bytes, e);
    rc = rc ? rc : check_virtual(ret->virtual_bytes, what->virtual_limit_bytes, e);
    return rc ? rc : digest(&made, what->stop, ret, e);
}

/* As root the cage's user has to own what it may touch; the folder keeps others out. */
static int own(int source, int target, uid_t user, struct error *e)
{
    if (geteuid() != 0)
        return 0;
    return fchown(source, user, user) || fchown(target, user, user)
               ? error_set(e, ERR_IO, "The image's files cannot be handed over: %s", strerror(errno))
               : 0;
}

static int convert_into(const struct image_convert *what, const struct finding *f, int target,
                        struct image_converted *ret, struct error *e)
{
    int rc = own(f->disk.fd, target, CONFINE_NOBODY, e);
    rc = rc ? rc : run_converter(what, f, target, e);
    rc = rc ? rc : own(f->disk.fd, target, 0, e);
    return rc ? rc : look_at_result(what, target, ret, e);
}

static int convert_found(const struct image_convert *what, const struct finding *f, struct image_converted *ret,
                         struct error *e)
{
    int rc = check_virtual(f->virtual_bytes, what->virtual_limit_bytes, e);
    if (rc)
        return rc;
    unlink(what->target);
    int target = open(what->target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target < 0)
        return error_set(e, ERR_IO, "%s: %s", what->target, strerror(errno));
    *ret = (struct image_converted){.machine = f->machine};
    rc = convert_into(what, f, target, ret, e);
    close(target);
    if (rc)
        unlink(what->target);
    return rc;
}

int image_convert(const struct image_convert *what, struct image_converted *ret, struct error *e)
{
    struct image_bytes file;
    struct finding found;
    int rc = open_bytes(what->source, &file, e);
    if (rc)
        return rc;
    rc = find_disk(&file, what->disk_format, what->container_format, &found, e);
    rc = rc ? rc : convert_found(what, &found, ret, e);
    close(file.fd);
    return rc;
}
