/* A look through two folders each time: images are few, and servers on one host too. */
#include "compute-agent/storage/image_files.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct image_file {
    char *path;
    int64_t bytes, used_ns;
    bool in_use;
};
struct image_files {
    struct image_file *items;
    size_t count;
};

static bool image_files_is_image(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".qcow2") == 0 || strcmp(dot, ".raw") == 0 || strcmp(dot, ".root-tar") == 0 ||
                   strcmp(dot, ".squashfs") == 0);
}

static void image_files_scan(const char *folder, struct image_files *ret)
{
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        struct strbuf path;
        struct stat st;
        strbuf_init(&path, 0);
        strbuf_appendf(&path, "%s/%s", folder, d->d_name);
        if (image_files_is_image(d->d_name) && stat(path.data, &st) == 0) {
            ret->items = memory_resize(ret->items, (ret->count + 1) * sizeof(*ret->items));
            ret->items[ret->count++] = (struct image_file){
                .path = memory_strdup(path.data),
                .bytes = (int64_t)st.st_blocks * 512,
                .used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
            };
        }
        strbuf_done(&path);
    }
    if (dir)
        closedir(dir);
}

static void image_files_mark(struct image_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].path, path) == 0)
            files->items[i].in_use = true;
    }
}

static void image_files_mark_tree(struct image_files *files, const char *instances, const char *id)
{
    struct strbuf folder;
    char *base;
    strbuf_init(&folder, 0);
    strbuf_appendf(&folder, "%s/%s", instances, id);
    if (tree_base(folder.data, &base)) {
        image_files_mark(files, base);
        free(base);
    }
    strbuf_done(&folder);
}

static void image_files_mark_base(struct image_files *files, const char *folder, const char *name, const char *suffix)
{
    char backing[IMAGE_CHECK_NAME_SIZE];
    char *path = strbuf_print("%s/%s%s", folder, name, suffix);
    if (name[0] != '.' && image_check_backing(path, backing, NULL) == 0)
        image_files_mark(files, backing);
    free(path);
}

/* Whether disks or layers (layer.h). */
static void image_files_mark_bases(struct image_files *files, const char *instances, const char *folder,
                                   const char *suffix)
{
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        image_files_mark_base(files, folder, d->d_name, suffix);
        if (suffix[0])
            image_files_mark_tree(files, instances, d->d_name);
    }
    if (dir)
        closedir(dir);
}

static void image_files_mark_all(struct image_files *files, const char *instances)
{
    char *layers = strbuf_print("%s/" LAYER_FOLDER, instances);
    image_files_mark_bases(files, instances, instances, "/" DOMAIN_XML_ROOT);
    image_files_mark_bases(files, instances, layers, "");
    free(layers);
}

static int image_files_by_age(const void *a, const void *b)
{
    const struct image_file *x = a, *y = b;
    return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

int64_t image_files_evict(const char *folder, const char *instances, const char *const *pinned, size_t pinned_count,
                          int64_t limit_bytes, int64_t wanted_bytes)
{
    struct image_files files = {0};
    int64_t total = 0;
    image_files_scan(folder, &files);
    for (size_t i = 0; i < files.count; i++)
        total += files.items[i].bytes;
    if (total + wanted_bytes > limit_bytes) {
        image_files_mark_all(&files, instances);
        for (size_t i = 0; i < pinned_count; i++)
            image_files_mark(&files, pinned[i]);
        qsort(files.items, files.count, sizeof(*files.items), image_files_by_age);
    }
    for (size_t i = 0; i < files.count && total + wanted_bytes > limit_bytes; i++) {
        struct image_file *f = &files.items[i];
        if (f->in_use || unlink(f->path))
            continue;
        tree_forget(f->path);
        log_info("image removed from the cache", "file=%s bytes=%lld", f->path, (long long)f->bytes);
        total -= f->bytes;
    }
    for (size_t i = 0; i < files.count; i++)
        free(files.items[i].path);
    free(files.items);
    return total;
}
