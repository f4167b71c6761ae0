/* A server that was built anew from its image has lost its disks with its host: its metadata says so. */
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "scheduler/flows/relocate_internal.h"
#include <string.h>

#define LOST_KEY "virga:lost"

static int copy_member(void *arg, const char *name, json_value *value)
{
    struct json_out *out = arg;
    const char *text = json_in_text(value);
    if (text && strcmp(name, LOST_KEY) != 0)
        json_out_text(out, name, text);
    return 0;
}

int relocate_mark_lost(struct db_conn *c, struct relocate *m, struct error *e)
{
    struct server_row *s = &m->server;
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    char when[CLOCK_TEXT_SIZE];
    int rc = json_in_parse(s->metadata, strlen(s->metadata), &doc, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_in_each(doc.root, copy_member, &out);
    json_out_text(&out, LOST_KEY,
                  arena_printf(m->arena, "%s: all disks (%lld GiB) with host %s; built anew from image %s",
                               clock_text(m->now_us, CLOCK_ISO_Z, when), (long long)(s->root_gib + s->ephemeral_gib),
                               m->row.source_host, s->image_id ? s->image_id : "none"));
    json_out_object_end(&out);
    json_in_done(&doc);
    s->metadata = arena_strdup(m->arena, text.data);
    strbuf_done(&text);
    return store_server_edit(c, s, e);
}
