/* What a server has lost with its host, as its target has found out: its metadata says so. One that was built anew from
 * its image has lost its disks; one whose target reaches them goes on with them. */
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "scheduler/flows/relocate_internal.h"
#include <string.h>

#define LOST_KEY "virga:lost"

static bool says(const char *object, const char *name)
{
    struct json_doc doc;
    bool yes = false;
    if (object == NULL || json_in_parse(object, strlen(object), &doc, NULL))
        return false;
    json_in_bool(json_in_member(doc.root, name), &yes);
    json_in_done(&doc);
    return yes;
}

bool relocate_shares(const struct migration_row *row)
{
    return row->kind == MIGRATION_EVACUATION && says(row->options, "shared_storage");
}

bool relocate_keeps_disks(const struct migration_row *row)
{
    return row->kind == MIGRATION_EVACUATION && says(row->hint, "disks");
}

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
    bool kept = relocate_keeps_disks(&m->row);
    if (kept && !says(m->row.hint, "lost_tpm"))
        return 0;
    int rc = json_in_parse(s->metadata, strlen(s->metadata), &doc, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_in_each(doc.root, copy_member, &out);
    clock_text(m->now_us, CLOCK_ISO_Z, when);
    json_out_text(&out, LOST_KEY,
                  kept ? arena_printf(m->arena, "%s: what its TPM has stored, with host %s; the disks are kept", when,
                                      m->row.source_host)
                       : arena_printf(m->arena, "%s: all disks (%lld GiB) with host %s; built anew from image %s", when,
                                      (long long)(s->root_gib + s->ephemeral_gib), m->row.source_host,
                                      s->image_id ? s->image_id : "none"));
    json_out_object_end(&out);
    json_in_done(&doc);
    s->metadata = arena_strdup(m->arena, text.data);
    strbuf_done(&text);
    return store_server_edit(c, s, e);
}
