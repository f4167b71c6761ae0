/* Lifecycle events: appended only. */
#include "db/store_event.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/uuid.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "resources:NAME" of a flavor's extra specs is a custom resource that its servers hold. */
static int add_resource(void *arg, const char *name, json_value *value)
{
    struct json_out *out = arg;
    const char *text = json_in_text(value);
    char *end = NULL;
    if (strncmp(name, STORE_EVENT_RESOURCES, strlen(STORE_EVENT_RESOURCES)) != 0 || !text) {
        return 0;
    }
    long long amount = strtoll(text, &end, 10);
    if (end != text && !*end && amount > 0) {
        json_out_int(out, name + strlen(STORE_EVENT_RESOURCES), amount);
    }
    return 0;
}

int64_t store_event_addresses(const char *addresses)
{
    int64_t count = 0;
    for (const char *p = addresses; p && (p = strstr(p, "\"addr\":")); p++) {
        count++;
    }
    return count;
}

/* What it holds besides its flavor's sizes: addresses, and what the flavor asks for; whether it may be preempted,
 * and whose room it took. */
static void write_extra(const char *addresses, const char *flavor_extra, bool spot, const char *reservation,
                        struct strbuf *text)
{
    struct json_out out;
    struct json_doc doc;
    int64_t count = store_event_addresses(addresses);
    json_out_init(&out, text);
    json_out_object(&out, NULL);
    if (count > 0) {
        json_out_int(&out, "address", count);
    }
    if (spot) {
        json_out_int(&out, "spot", 1);
    }
    if (*reservation) {
        json_out_text(&out, "from_reservation", reservation);
    }
    if (flavor_extra && strstr(flavor_extra, STORE_EVENT_RESOURCES) &&
        !json_in_parse(flavor_extra, strlen(flavor_extra), &doc, NULL)) {
        json_in_each(doc.root, add_resource, &out);
        json_in_done(&doc);
    }
    json_out_object_end(&out);
}

struct terms {
    bool spot;
    char reservation[UUID_SIZE]; /* "" without */
};

DB_STATEMENT(event_terms, "SELECT (SELECT count(*) FROM spot_server WHERE server_id = $1), (SELECT reservation_id FROM "
                          "reservation_slot WHERE server_id = $1)");
static int read_terms(struct db_conn *c, const char *server_id, struct terms *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &event_terms, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc) {
        return rc;
    }
    if (db_next(&rows)) {
        const char *reservation = db_get_text(&rows, 1);
        ret->spot = db_get_int(&rows, 0) > 0;
        snprintf(ret->reservation, sizeof(ret->reservation), "%s", reservation ? reservation : "");
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(event_insert, "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, "
                           "flavor_name, vcpus, memory_mib, disk_gib, at_us, received_us, tags, extra, place, zone) "
                           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                           "coalesce((SELECT zone FROM host WHERE id = $15), '')) "
                           "ON CONFLICT (host_id, host_seq, server_id) DO NOTHING");
int store_event_insert(struct db_conn *c, int64_t id, const char *host_id, int64_t host_seq,
                       const struct server_row *server, enum server_state state, int64_t at_us, int64_t now_us,
                       struct error *e)
{
    struct strbuf extra;
    struct terms terms = {.spot = false};
    int rc = read_terms(c, server->id, &terms, e);
    if (rc) {
        return rc;
    }
    strbuf_init(&extra, 0);
    write_extra(server->addresses, server->flavor_extra, terms.spot, terms.reservation, &extra);
    db_wake(c, "events");
    rc = db_exec(c, &event_insert, NULL, e,
                 DB_ARGS(db_int(id), db_text(host_id), db_int(host_seq), db_text(server->id),
                         db_text(server->project_id), db_text(server_state_name(state)), db_text(server->flavor_name),
                         db_int(server->vcpus), db_int(server->memory_mib),
                         db_int(server->root_gib + server->ephemeral_gib), db_int(at_us), db_int(now_us),
                         db_text(server->tags ? server->tags : "[]"), db_text(extra.data),
                         db_text(server->host_id ? server->host_id : "")));
    strbuf_done(&extra);
    return rc;
}

int store_event_changed(struct db_conn *c, const struct server_row *server, int64_t now_us, struct error *e)
{
    int64_t id = 0;
    if (server->launched_us == 0) {
        return 0;
    }
    int rc = db_counter_next(c, "lifecycle_event", 1, &id, e);
    return rc ? rc : store_event_insert(c, id, "", id, server, server->observed_state, now_us, now_us, e);
}

DB_STATEMENT(event_newest, "SELECT host_id, state FROM lifecycle_event WHERE server_id = $1 ORDER BY id DESC LIMIT 1");
int store_event_newest(struct db_conn *c, const char *server_id, struct arena *a, struct store_event_newest *ret,
                       struct error *e)
{
    struct db_rows rows;
    struct store_event_newest newest = {0};
    int rc = db_query(c, &event_newest, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        newest.host_id = db_dup_text(&rows, 0, a);
        int state = server_state_parse(db_get_text(&rows, 1));
        newest.state = state < 0 ? SERVER_STATE_NONE : (enum server_state)state;
    }
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = newest;
    return rc;
}
