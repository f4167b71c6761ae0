/* Containers that were there before, beside what libvirt_import.c does for all: their data are file systems. What
 * matters is whose the files are: the host's own, the cloud's, or another domain's are not a tenant's. On a worker.
 *
 * Failure modes: a folder that is not there keeps a container from being imported. Two names for the same files are
 * found out by the folder's identity and its real path; what is mounted in the folder is not looked at. */
#include "compute-agent/libvirt/libvirt_import_tree.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/foreign_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file system of a domain of this host. */
struct libvirt_import_source {
    const char *domain; /* its name */
    const char *path;   /* without links */
    struct stat stat;
    bool is_root, writes;
};

/* NULL: it is not there. In the arena. */
static const char *import_tree_real(struct libvirt_call *c, const char *path)
{
    char *real = path ? realpath(path, NULL) : NULL;
    const char *copy = real ? arena_strdup(&c->arena, real) : NULL;
    free(real);
    return copy;
}

/* Whether `path` is `folder` or in it. */
static bool import_tree_is_in(const char *path, const char *folder)
{
    size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool import_tree_meet(const char *one, const char *other)
{
    return import_tree_is_in(one, other) || import_tree_is_in(other, one);
}

/* ---- whose files they are ---- */

static bool import_tree_is_hosts_root(const struct stat *s)
{
    struct stat root;
    if (stat("/", &root))
        return true;
    return S_ISBLK(s->st_mode) ? s->st_rdev == root.st_dev : s->st_dev == root.st_dev && s->st_ino == root.st_ino;
}

static bool import_tree_is_system(const char *path)
{
    static const char *const folders[] = {"/bin",   "/boot", "/dev", "/etc",  "/lib", "/lib32",
                                          "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (import_tree_is_in(path, folders[i]))
            return true;
    }
    return false;
}

static bool import_tree_is_clouds(struct libvirt_call *c, const char *path)
{
    const char *const folders[] = {c->settings->instances_dir, c->settings->image_dir, c->settings->state_dir};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *real = import_tree_real(c, folders[i]);
        if (real && import_tree_meet(path, real))
            return true;
    }
    return false;
}

static void import_tree_add(struct libvirt_call *c, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    size_t count = 0;
    const struct foreign_tree *list = doc ? foreign_tree_list(xmlDocGetRootElement(doc), &c->arena, &count) : NULL;
    struct libvirt_import_source *grown =
        arena_array(&c->arena, c->source_count + count + 1, sizeof(struct libvirt_import_source));
    if (c->source_count)
        memcpy(grown, c->sources, c->source_count * sizeof(*grown));
    c->sources = grown;
    for (size_t i = 0; i < count; i++) {
        struct libvirt_import_source *s = &grown[c->source_count];
        s->path = import_tree_real(c, list[i].path);
        s->is_root = list[i].is_root;
        s->writes = list[i].writes;
        s->domain = arena_strdup(&c->arena, virDomainGetName(domain));
        /* Who has all of the host's files is no other tenant: it is the host. */
        if (s->path && stat(s->path, &s->stat) == 0 && !import_tree_is_hosts_root(&s->stat))
            c->source_count++;
    }
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

/* Once for all that the call looks at. */
static int import_tree_gather(struct libvirt_call *c)
{
    virDomainPtr *domains = NULL;
    int count = c->sources ? 0 : virConnectListAllDomains(c->conn, &domains, 0);
    for (int i = 0; i < count; i++) {
        import_tree_add(c, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return count;
}

/* The other domain that has the same files, or some of them, so that one of both sees what the other writes. */
static const char *import_tree_sharer(struct libvirt_call *c, virDomainPtr domain, const struct foreign_tree *tree,
                                      const char *path, const struct stat *s)
{
    for (size_t i = 0; i < c->source_count; i++) {
        const struct libvirt_import_source *other = &c->sources[i];
        bool same = S_ISBLK(s->st_mode) ? S_ISBLK(other->stat.st_mode) && other->stat.st_rdev == s->st_rdev
                                        : other->stat.st_dev == s->st_dev && other->stat.st_ino == s->st_ino;
        if (strcmp(other->domain, virDomainGetName(domain)) != 0 && (same || import_tree_meet(path, other->path)) &&
            (tree->is_root || other->is_root || tree->writes || other->writes))
            return other->domain;
    }
    return NULL;
}

static int64_t import_tree_bytes(const struct foreign_tree *tree)
{
    bool raw = !tree->format || strcmp(tree->format, "raw") == 0;
    bool sized = tree->kind == FOREIGN_TREE_FILE || tree->kind == FOREIGN_TREE_DEVICE;
    int fd = sized && raw && tree->path ? open(tree->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (fd >= 0)
        close(fd);
    return end > 0 ? end : 0;
}

static const char *import_tree_one_problem(struct libvirt_call *c, virDomainPtr domain, const struct foreign_tree *tree)
{
    struct stat s;
    const char *path = import_tree_real(c, tree->path);
    if (tree->kind == FOREIGN_TREE_MEMORY)
        return NULL;
    if (!path || stat(path, &s))
        return arena_printf(&c->arena, "its file system %s is not there (%s)", tree->at, tree->path);
    if (import_tree_is_hosts_root(&s))
        return arena_printf(&c->arena, "its file system %s is the host's own root", tree->at);
    if (import_tree_is_clouds(c, path))
        return arena_printf(&c->arena, "its file system %s is among the cloud's own files, or holds them", tree->at);
    if (tree->kind == FOREIGN_TREE_FOLDER && tree->writes && import_tree_is_system(path))
        return arena_printf(&c->arena, "it may write to the host's own %s", path);
    const char *sharer = import_tree_sharer(c, domain, tree, path, &s);
    if (sharer)
        return arena_printf(&c->arena, "its file system %s is shared with %s", tree->at, sharer);
    if (tree->kind != FOREIGN_TREE_FOLDER && import_tree_bytes(tree) == 0)
        return arena_printf(&c->arena, "the size of its file system %s is not known", tree->at);
    return NULL;
}

const char *libvirt_import_tree_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root)
{
    size_t count = 0;
    const char *problem = foreign_tree_problem(root, &c->arena);
    const struct foreign_tree *list = foreign_tree_list(root, &c->arena, &count);
    if (!problem && import_tree_gather(c) < 0)
        problem = "who else has its files cannot be seen";
    for (size_t i = 0; i < count && !problem; i++)
        problem = import_tree_one_problem(c, domain, &list[i]);
    return problem;
}

/* ---- telling, and the end ---- */

void libvirt_import_tree_write(struct libvirt_call *c, xmlNodePtr root, struct json_out *o)
{
    static const char *const words[] = {
        [FOREIGN_TREE_FOLDER] = "folder", [FOREIGN_TREE_FILE] = "file", [FOREIGN_TREE_DEVICE] = "device"};
    size_t count = 0;
    const struct foreign_tree *list = foreign_tree_list(root, &c->arena, &count);
    json_out_array(o, "disks");
    for (size_t i = 0; i < count; i++) {
        if (list[i].kind > FOREIGN_TREE_DEVICE || (!list[i].writes && !list[i].is_root))
            continue;
        int64_t bytes = import_tree_bytes(&list[i]);
        json_out_object(o, NULL);
        json_out_text(o, "target", list[i].at);
        json_out_text(o, words[list[i].kind], list[i].path);
        if (bytes)
            json_out_int(o, "bytes", bytes);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

/* A folder may be anything of the site's: only files that are a file system go. */
int libvirt_import_tree_remove(struct libvirt_call *c, xmlNodePtr root)
{
    size_t count = 0;
    const struct foreign_tree *list = foreign_tree_list(root, &c->arena, &count);
    for (size_t i = 0; i < count && !c->code; i++) {
        if (!list[i].path || !list[i].writes)
            continue;
        if (list[i].kind != FOREIGN_TREE_FILE)
            log_warn("files of a deleted server stay as they are", "server=%s path=%s", c->id, list[i].path);
        else if (unlink(list[i].path) && errno != ENOENT)
            c->code = error_set(&c->error, ERR_IO, "%s cannot be removed: %s", list[i].path, strerror(errno));
    }
    return c->code;
}
