/* What was copied of servers for images stays on the hypervisor's storage for as long as its image does. Which copies
 * are this agent's to remove stands in its state folder, a file for each, written before the copy is begun. Now and
 * then the API is asked about some of them, in turn; when it does not know an image any more, the copy goes, then the
 * file, and one more is asked about.
 *
 * Failure modes: while the API does not answer everything stays; an image that is still being made, or that is
 * deactivated, is one that it knows. When something fails, the next time goes on with the one after it. */
#include "common/file.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "compute-agent/http/http_download.h"
#include "compute-agent/identity.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define LIBVIRT_IMAGE_STALL_MS 10000
#define LIBVIRT_IMAGE_TEXT     ((size_t)1 << 20)
#define LIBVIRT_IMAGE_MOST     16 /* that stay are asked about at a time */

static void libvirt_image_ask(struct libvirt *lv);

static const char *libvirt_image_file(struct libvirt_call *c, const char *image_id)
{
    return arena_printf(&c->arena, "%s/" LIBVIRT_VOLUME_IMAGES "/%s", c->settings->state_dir, image_id);
}

int libvirt_image_note(struct libvirt_call *c, const char *image_id)
{
    c->code = file_make_dirs(libvirt_image_file(c, ""), 0700, &c->error);
    c->code = c->code ? c->code : file_replace(libvirt_image_file(c, image_id), "", 0, 0600, &c->error);
    c->transient = c->code != 0;
    return c->code;
}

static void libvirt_image_look(struct libvirt_call *c)
{
    struct http_download d = {.url = c->xml,
                              .path = arena_printf(&c->arena, "/agent/v1/images/%s", c->id),
                              .identity = identity_http(c->identity),
                              .stall_ms = LIBVIRT_IMAGE_STALL_MS};
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, LIBVIRT_IMAGE_TEXT);
    int code = http_download_text(&d, &text, &e);
    strbuf_done(&text);
    c->gone = code == ERR_NOT_FOUND;
    c->silent = code && !c->gone;
}

static void libvirt_image_work(struct libvirt_call *c)
{
    libvirt_image_look(c);
    if (!c->gone || libvirt_call_open(c))
        return;
    const char *disk = arena_printf(&c->arena, LIBVIRT_VOLUME_IMAGES "/%s" DOMAIN_XML_VOLUME_SUFFIX, c->id);
    if (libvirt_volume_delete(c, c->facts.datastore, disk))
        return;
    unlink(libvirt_image_file(c, c->id));
    log_info("the copy of an image that is gone is removed", "image=%s datastore=%s", c->id, c->facts.datastore);
}

static void libvirt_image_done(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct libvirt *lv = c->owner;
    lv->tidying = false;
    if (result->code)
        log_warn("the copy of an image that is gone cannot be removed", "image=%s error=\"%s\"", c->id,
                 error_text(result->error));
    else if (!c->silent && lv->conn && (c->gone || --lv->tidies))
        libvirt_image_ask(lv);
}

/* The least id above the last one; false: there is none, and what is next is the least of all. */
static bool libvirt_image_next(struct libvirt *lv, char ret[UUID_SIZE])
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/" LIBVIRT_VOLUME_IMAGES, lv->setup.settings->state_dir);
    DIR *dir = opendir(path.data);
    strbuf_done(&path);
    ret[0] = '\0';
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (uuid_valid(d->d_name) && strlen(d->d_name) == UUID_SIZE - 1 && strcmp(d->d_name, lv->tidied) > 0 &&
            (!ret[0] || strcmp(d->d_name, ret) < 0))
            memcpy(ret, d->d_name, UUID_SIZE);
    }
    if (dir)
        closedir(dir);
    memcpy(lv->tidied, ret, UUID_SIZE);
    return ret[0] != '\0';
}

static void libvirt_image_ask(struct libvirt *lv)
{
    char id[UUID_SIZE];
    if (!libvirt_image_next(lv, id))
        return;
    lv->tidying = true;
    struct libvirt_call *c = libvirt_call_new(lv, "image tidying", id, libvirt_image_work, libvirt_image_done, NULL);
    c->xml = arena_strdup(&c->arena, lv->setup.url);
    c->identity = lv->setup.identity;
    libvirt_call_submit_move(c, 0);
}

void libvirt_image_tidy(struct libvirt *lv)
{
    if (lv->tidying)
        return;
    lv->tidies = LIBVIRT_IMAGE_MOST;
    libvirt_image_ask(lv);
}
