/* The bars, then what the drain tried last, then what the server is. */
#include "db/store_host_leave.h"
#include "common/json_in.h"
#include "common/model/resize.h"
#include "db/store_import.h"
#include <string.h>

/* Metadata of a server, extra spec of a flavor, property of an image: what becomes of it when its host is dead. */
#define POLICY_KEY   "virga:on_host_failure"
#define POLICY_IMAGE "virga_on_host_failure"
#define POLICY_STAY  "stay_down"

static const char *member(struct arena *a, const char *json, const char *key)
{
    struct json_doc doc;
    if (json == NULL || json_in_parse(json, strlen(json), &doc, NULL))
        return NULL;
    const char *text = json_in_text(json_in_member(doc.root, key));
    text = text ? arena_strdup(a, text) : NULL;
    json_in_done(&doc);
    return text;
}

/* What its tenant says of the server counts, then what is said of its flavor, then of its image. */
static int stays_down(struct db_conn *c, const struct server_row *row, struct arena *a, bool *ret, struct error *e)
{
    const char *properties = NULL;
    const char *policy = member(a, row->metadata, POLICY_KEY);
    policy = policy ? policy : member(a, row->flavor_extra, POLICY_KEY);
    int rc = policy ? 0 : store_server_image_properties(c, row->id, a, &properties, e);
    policy = policy ? policy : member(a, properties, POLICY_IMAGE);
    *ret = policy && strcmp(policy, POLICY_STAY) == 0;
    return rc;
}

int store_host_leave_bar(struct db_conn *c, const struct server_row *row, const struct host_row *host, bool off,
                         struct arena *a, const char **ret_reason, struct error *e)
{
    bool imported = false, released = false, stays = false;
    int rc = row->image_id == NULL ? store_import_get(c, row->id, &imported, &released, e) : 0;
    rc = rc || !off || imported ? rc : stays_down(c, row, a, &stays, e);
    *ret_reason = NULL;
    if (rc)
        return rc;
    if (imported)
        *ret_reason = off ? "it was imported: there is no image to build it anew from"
                          : "it was imported: its machine is kept as it was, where it is (virga release)";
    else if (stays)
        *ret_reason = "it is to stay down (" POLICY_KEY ")";
    else if (!off && store_host_has_trait(host, RESIZE_STAYS_TRAIT))
        *ret_reason = arena_printf(a, "the hypervisor %s cannot move it to another host", host->hypervisor);
    return 0;
}

bool store_host_leave_lives(const struct host_row *host)
{
    return !store_host_has_trait(host, "CUSTOM_LACKS_LIVE_MIGRATION");
}

static const char *state_reason(const struct server_row *row, bool off)
{
    if (row->operation == SERVER_OPERATION_UNSHELVING)
        return "it is being unshelved";
    if (server_operation_shelves(row->operation))
        return "it is shelved: it leaves as soon as its host has removed it";
    if (row->observed_state == SERVER_STATE_SUSPENDED && !off)
        return "it is suspended: resume or stop it";
    return row->fault_code ? "it is in ERROR" : "it waits for its turn";
}

int store_host_leave_why(struct db_conn *c, const struct host_drain_row *drain, const struct server_row *row,
                         const struct host_row *host, bool off, struct arena *a, const char **ret_reason,
                         struct error *e)
{
    const char *bar = NULL, *message = NULL;
    int kind = -1;
    int64_t tried_us = 0;
    int rc = store_host_leave_bar(c, row, host, off, a, &bar, e);
    rc = rc ? rc : store_host_work_last_try(c, drain, row->id, a, &kind, &message, &tried_us, e);
    if (rc)
        return rc;
    if (!row->desired_exists)
        *ret_reason = "it is being deleted";
    else if (server_operation_moves(row->operation))
        *ret_reason = "it is on its way, or waits for confirmResize";
    else if (bar && !server_operation_shelves(row->operation))
        *ret_reason = bar;
    else if (kind >= 0 && message)
        *ret_reason = message;
    else
        *ret_reason = state_reason(row, off);
    return 0;
}
