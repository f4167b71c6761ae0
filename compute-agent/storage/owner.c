/* The file holds "HOST-ID\n" or "HOST-ID shared\n" and is replaced as a whole. A folder gets its name only when the
 * file is in it, so that no other host ever finds one without. */
#include "compute-agent/storage/owner.h"
#include "common/file.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include "compute-agent/storage/disk.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_FILE   "owner"
#define OWNER_SHARED " shared"

struct owner {
    char host_id[UUID_SIZE]; /* "" when nobody is named */
    bool shared;
};

static struct owner owner_read(const char *folder)
{
    struct owner owner = {.host_id = ""};
    struct strbuf path, text;
    strbuf_init(&path, 0);
    strbuf_init(&text, 4096);
    strbuf_appendf(&path, "%s/" OWNER_FILE, folder);
    if (file_read(path.data, &text, NULL) == 0 && text.size >= UUID_SIZE - 1) {
        memcpy(owner.host_id, text.data, UUID_SIZE - 1);
        owner.host_id[UUID_SIZE - 1] = '\0';
        owner.shared = strncmp(text.data + UUID_SIZE - 1, OWNER_SHARED, strlen(OWNER_SHARED)) == 0;
    }
    strbuf_done(&path);
    strbuf_done(&text);
    return owner;
}

static int owner_write(const char *folder, const struct owner *owner, struct error *e)
{
    struct strbuf path, text;
    strbuf_init(&path, 0);
    strbuf_init(&text, 0);
    strbuf_appendf(&path, "%s/" OWNER_FILE, folder);
    strbuf_appendf(&text, "%s%s\n", owner->host_id, owner->shared ? OWNER_SHARED : "");
    int code = file_replace(path.data, text.data, text.size, 0644, e);
    strbuf_done(&path);
    strbuf_done(&text);
    return code;
}

/* Another thread may be at it too: the folder of one of them stays. "HOST-ID" is in its first name, so that owner_tidy
 * knows whose it is when this process dies here. */
static int owner_new_folder(const char *folder, const char *host_id, struct error *e)
{
    char random[UUID_SIZE];
    struct strbuf partial;
    struct owner owner = {.shared = false};
    memcpy(owner.host_id, host_id, UUID_SIZE);
    strbuf_init(&partial, 0);
    strbuf_appendf(&partial, "%s.%s.%s", folder, host_id, uuid_random(random));
    int code = file_make_dirs(partial.data, 0711, e);
    code = code ? code : owner_write(partial.data, &owner, e);
    if (!code && rename(partial.data, folder)) {
        int why = errno;
        struct strbuf file;
        strbuf_init(&file, 0);
        strbuf_appendf(&file, "%s/" OWNER_FILE, partial.data);
        unlink(file.data);
        rmdir(partial.data);
        strbuf_done(&file);
        if (why != ENOTEMPTY && why != EEXIST)
            code = error_set(e, ERR_IO, "%s: %s", folder, strerror(why));
    }
    strbuf_done(&partial);
    return code;
}

/* SERVER-ID.HOST-ID.RANDOM, of this host. */
static bool owner_is_partial(const char *name, const char *host_id)
{
    const size_t id = UUID_SIZE - 1;
    return strlen(name) == 3 * id + 2 && name[id] == '.' && memcmp(name + id + 1, host_id, id) == 0 &&
           name[2 * id + 1] == '.' && uuid_valid(name + 2 * id + 2);
}

void owner_tidy(const char *instances_dir, const char *host_id)
{
    DIR *dir = opendir(instances_dir);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (!owner_is_partial(d->d_name, host_id))
            continue;
        struct error e = {0};
        struct strbuf path;
        strbuf_init(&path, 0);
        strbuf_appendf(&path, "%s/%s", instances_dir, d->d_name);
        if (disk_remove_folder(path.data, &e))
            log_warn("unfinished folder of a server stays", "folder=%s reason=\"%s\"", path.data, error_text(&e));
        strbuf_done(&path);
    }
    if (dir)
        closedir(dir);
}

int owner_make(const char *folder, const char *host_id, struct error *e)
{
    struct stat st;
    return stat(folder, &st) == 0 ? 0 : owner_new_folder(folder, host_id, e);
}

int owner_take(const char *folder, const char *host_id, struct error *e)
{
    int code = owner_make(folder, host_id, e);
    struct owner owner = owner_read(folder);
    if (code || strcmp(owner.host_id, host_id) == 0)
        return code;
    memcpy(owner.host_id, host_id, UUID_SIZE);
    return owner_write(folder, &owner, e);
}

int owner_share(const char *folder, struct error *e)
{
    struct owner owner = owner_read(folder);
    if (owner.shared)
        return 0;
    if (owner.host_id[0] == '\0')
        return error_set(e, ERR_IO, "%s: nobody is named as its owner", folder);
    owner.shared = true;
    return owner_write(folder, &owner, e);
}

bool owner_is_shared(const char *folder)
{
    return owner_read(folder).shared;
}

bool owner_is_other(const char *folder, const char *host_id)
{
    struct owner owner = owner_read(folder);
    return owner.host_id[0] != '\0' && strcmp(owner.host_id, host_id) != 0;
}
