/* POST /agent/v1/report: what a host says. Events come from the agent's journal; those above the number that was taken
 * last are applied in order, each once, in one transaction with that number, so that a repeated report changes nothing.
 * Words that cannot be understood are logged and taken too: they would never become better. The row of a silent host is
 * written every five seconds at most. */
#include "api/agent/report.h"
#include "api/agent/agent.h"
#include "api/agent/report_load.h"
#include "api/compute/server_life.h"
#include "common/log.h"
#include "common/model/ip.h"
#include "common/model/numa.h"
#include "common/uuid.h"
#include "db/store_cells.h"
#include "db/store_cpu.h"
#include "db/store_elastic_check.h"
#include "db/store_host_clock.h"
#include "db/store_host_reach.h"
#include "db/store_host_size.h"
#include "db/store_host_storage.h"
#include "db/store_resource.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_US ((int64_t)5000000)
#define SECOND_US    ((int64_t)1000000)

/* What one report is applied with. */
struct work {
    struct db_conn *conn;
    const struct host_row *host;
    int64_t now_us;
    struct arena *arena;
    struct error *error;
};

/* False when it says nothing that can be understood. */
static bool read_event(const struct host_row *host, const struct report_event *from, struct server_life_event *ret)
{
    int state = server_state_parse(from->state);
    *ret = (struct server_life_event){
        .host_id = host->id,
        .server_id = from->server_id,
        .seq = from->seq,
        .at_us = from->at_us,
        .revision = from->revision,
        .operation_id = from->operation_id,
        .failed = report_has_error(from),
        .resuming = from->resuming,
        .message = from->error.message,
        .details = from->error.details,
    };
    if (state >= 0)
        ret->state = (enum server_state)state;
    return state >= 0 && state != SERVER_STATE_SHELVED && strcmp(from->kind, "state") == 0 &&
           uuid_valid(from->server_id);
}

/* A host whose clock runs ahead must not write the future. */
static int64_t not_later(int64_t at_us, int64_t now_us)
{
    return at_us > now_us + SECOND_US ? now_us : at_us;
}

static int apply_event(struct work *w, const struct report_event *from, int64_t id)
{
    struct server_life_event event;
    bool used = false;
    if (!read_event(w->host, from, &event)) {
        log_warn("event that nobody understands dropped", "host=%s seq=%" PRId64 " kind=%s state=%s", w->host->id,
                 from->seq, from->kind, from->state != NULL ? from->state : "");
        return 0;
    }
    event.at_us = not_later(event.at_us, w->now_us);
    if (event.at_us != from->at_us)
        log_warn("event from the future set to now", "host=%s seq=%" PRId64 " ahead_us=%" PRId64, w->host->id,
                 from->seq, from->at_us - w->now_us);
    return server_life_observe(w->conn, &event, id, w->now_us, w->arena, &used, w->error);
}

static int apply_events(struct work *w, const struct json_list *list, int64_t *ret_seq)
{
    const struct report_event *events = list->items;
    int64_t seq = w->host->event_seq, id = 0;
    int rc = 0;
    if (list->count > 0)
        rc = db_counter_next(w->conn, "lifecycle_event", (int64_t)list->count, &id, w->error);
    for (size_t i = 0; !rc && i < list->count; i++) {
        if (events[i].seq <= seq)
            continue;
        if (events[i].seq != seq + 1 && seq != 0)
            log_warn("gap in a host's journal", "host=%s from=%" PRId64 " to=%" PRId64, w->host->id, seq,
                     events[i].seq);
        rc = apply_event(w, &events[i], id + (int64_t)i);
        seq = events[i].seq;
    }
    *ret_seq = seq;
    return rc;
}

/* What is no MAC is not counted by nic. */
static void take_nics(struct arena *a, const struct json_list *list, struct counter_sample *ret)
{
    const struct report_nic *from = list->items;
    struct counter_nic *nics = arena_array(a, list->count + 1, sizeof(*nics));
    ret->nics = nics;
    ret->nic_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct counter_nic *n = &nics[ret->nic_count];
        if (!ip_mac_parse(from[i].mac, n->mac)) {
            continue;
        }
        if (from[i].network_id && uuid_valid(from[i].network_id)) {
            snprintf(n->network_id, sizeof(n->network_id), "%s", from[i].network_id);
        }
        n->in_bytes = from[i].in_bytes;
        n->out_bytes = from[i].out_bytes;
        ret->nic_count++;
    }
}

/* They wait in one row for the meter. */
static int apply_samples(struct work *w, const struct json_list *list)
{
    const struct report_sample *from = list->items;
    struct counter_sample *samples = arena_array(w->arena, list->count + 1, sizeof(*samples));
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct counter_sample *s = &samples[count];
        if (!uuid_valid(from[i].server_id))
            continue;
        snprintf(s->server_id, sizeof(s->server_id), "%s", from[i].server_id);
        s->at_us = not_later(from[i].at_us, w->now_us);
        for (int k = 0; k < COUNTER_COUNT; k++) {
            s->value[k] = -1;
            json_in_int(from[i].values[k], &s->value[k]);
        }
        take_nics(w->arena, &from[i].nics, s);
        count++;
    }
    return store_counter_accept(w->conn, w->host->id, samples, count, w->now_us, w->error);
}

/* What cannot be read counts as not told, for nothing that needs it must go there. */
static const char *print_topology(struct work *w, json_value *topology)
{
    struct numa_topology *t = arena_alloc(w->arena, sizeof(*t));
    const char *text = json_in_is_object(topology) ? json_in_print(topology, w->arena) : "{}";
    struct error bad = {0};
    if (numa_topology_read(text, t, &bad) == 0)
        return text;
    log_warn("a host's NUMA cells cannot be read", "host=%s error=\"%s\"", w->host->id, error_text(&bad));
    return "{}";
}

static int apply_cpu(struct work *w, json_value *from)
{
    json_value *features = json_in_member(from, "features");
    struct host_cpu_row row = {.host_id = w->host->id,
                               .kind = json_in_text(json_in_member(from, "kind")),
                               .mode = json_in_text(json_in_member(from, "mode")),
                               .model = json_in_text(json_in_member(from, "model")),
                               .description = json_in_text(json_in_member(from, "description")),
                               .features = json_in_is_array(features) ? json_in_print(features, w->arena) : NULL};
    json_in_int(json_in_member(from, "baseline_id"), &row.baseline_id);
    bool whole = row.kind && row.mode && row.model && row.description && row.features;
    if (from != NULL && !json_in_is_null(from) && !whole)
        log_warn("a host's processor cannot be read", "host=%s", w->host->id);
    return whole ? store_cpu_tell(w->conn, &row, w->error) : store_cpu_forget(w->conn, w->host->id, w->error);
}

static int apply_inventory(struct work *w, const struct report_inventory *from)
{
    struct host_row row = *w->host;
    row.hypervisor = from->hypervisor;
    row.hypervisor_version = from->hypervisor_version;
    row.architecture = from->architecture;
    row.address = from->address != NULL ? from->address : "";
    row.total = (struct resources){{from->vcpus, from->memory_mib, from->disk_gib}};
    row.reserved = (struct resources){{from->reserved_vcpus, from->reserved_memory_mib, from->reserved_disk_gib}};
    row.cpu = json_in_is_object(from->cpu) ? json_in_print(from->cpu, w->arena) : "{}";
    row.traits = json_in_is_array(from->traits) ? json_in_print(from->traits, w->arena) : "[]";
    int rc = store_cells_set(w->conn, row.id, print_topology(w, from->topology), w->now_us, w->error);
    rc = rc ? rc : store_host_storage_set(w->conn, row.id, from->storage, w->error);
    rc = rc ? rc : apply_cpu(w, from->guest_cpu);
    rc = rc ? rc : store_host_write_inventory(w->conn, &row, w->error);
    return rc ? rc : store_host_size_note(w->conn, row.id, w->now_us, w->error);
}

static bool is_list(const struct work *w, const char *what, const char *list)
{
    bool good = list == NULL || store_host_reach_valid(list);
    if (!good)
        log_warn("a host's reach cannot be read", "host=%s reach=%s", w->host->id, what);
    return good;
}

static int tell_resource(void *arg, const char *name, json_value *value)
{
    struct work *w = arg;
    struct error refused = {0};
    int64_t total = -1;
    json_in_int(value, &total);
    int rc = store_resource_tell(w->conn, w->host->id, name, total, w->now_us, &refused);
    if (rc != ERR_CONFLICT && rc != ERR_INVALID)
        return rc ? error_set(w->error, rc, "%s", error_text(&refused)) : 0;
    log_warn("a host's resource is not as its agent says", "host=%s class=%s error=\"%s\"", w->host->id, name,
             error_text(&refused));
    return 0;
}

/* What cannot be is left as it was, and told in the log: an agent's typing error must not stop its reports. */
static int apply_offers(struct work *w, const struct report_offers *from)
{
    int rc = 0;
    if (json_in_is_object(from->resources)) {
        const char *names = json_in_print(from->resources, w->arena);
        rc = json_in_each(from->resources, tell_resource, w);
        rc = rc ? rc : store_resource_untell(w->conn, w->host->id, names, w->now_us, w->arena, w->error);
    }
    if (!rc && is_list(w, "networks", from->networks) && is_list(w, "storage", from->storage))
        rc = store_host_reach_tell(w->conn, w->host->id, from->networks, from->storage, w->error);
    return rc;
}

static int apply_checks(struct work *w, const struct json_list *list)
{
    const struct report_check *checks = list->items;
    int rc = 0;
    for (size_t i = 0; !rc && i < list->count; i++)
        rc = store_elastic_check_tell(w->conn, w->host->id, checks[i].server_id, checks[i].state, checks[i].message,
                                      w->now_us, w->error);
    return rc;
}

static bool differs(const char *old, const char *new)
{
    return new != NULL && (old == NULL || strcmp(old, new) != 0);
}

/* What a host with a wrong clock tells is billed by the rule in docs/billing.md; somebody should put it right. */
static int note_clock(struct work *w, const struct report_body *b)
{
    int64_t off_us = b->now_us > 0 ? b->now_us - w->now_us : 0;
    bool wrong = off_us > STORE_HOST_CLOCK_MOST_US || off_us < -STORE_HOST_CLOCK_MOST_US, turned = false;
    int rc = store_host_clock_note(w->conn, w->host->id, off_us, w->now_us, &turned, w->error);
    if (!rc && turned && wrong)
        log_warn("the clock of a host is wrong", "host=%s ahead_us=%" PRId64, w->host->id, off_us);
    else if (!rc && turned)
        log_info("the clock of a host is right again", "host=%s", w->host->id);
    return rc;
}

static int write_seen(struct work *w, const struct report_body *b, int64_t seq)
{
    int64_t silence_us = w->now_us - w->host->seen_us;
    bool back = silence_us > STORE_HOST_ALIVE_US;
    if (seq == w->host->event_seq && silence_us < HEARTBEAT_US && !differs(w->host->boot_id, b->boot_id) &&
        !differs(w->host->agent_version, b->agent_version))
        return 0;
    int rc = note_clock(w, b);
    if (rc)
        return rc;
    return store_host_write_seen(w->conn, w->host->id, w->now_us, b->boot_id != NULL ? b->boot_id : w->host->boot_id,
                                 b->agent_version != NULL ? b->agent_version : w->host->agent_version, seq, back,
                                 w->error);
}

int report_apply(struct db_conn *c, const struct host_row *host, const struct report_body *b, int64_t now_us,
                 struct arena *a, int64_t *ret_seq, struct error *e)
{
    struct work w = {.conn = c, .host = host, .now_us = now_us, .arena = a, .error = e};
    int64_t seq = 0;
    int rc = 0;
    if (report_has_inventory(b))
        rc = apply_inventory(&w, &b->inventory);
    if (!rc && report_has_offers(b))
        rc = apply_offers(&w, &b->offers);
    if (!rc)
        rc = apply_events(&w, &b->events, &seq);
    if (!rc && b->samples.count > 0)
        rc = apply_samples(&w, &b->samples);
    if (!rc && b->samples.count > 0)
        rc = report_load_take(c, host->id, &b->samples, now_us, a, e);
    if (!rc)
        rc = apply_checks(&w, &b->checks);
    if (!rc)
        rc = write_seen(&w, b, seq);
    if (!rc)
        *ret_seq = seq;
    return rc;
}

static int report_take(struct request *request, struct reply *reply)
{
    struct host_row host;
    int64_t seq = 0;
    int rc = agent_host(request, &host);
    if (!rc)
        rc = report_apply(request->conn, &host, request->body, request->now_us, &request->arena, &seq, &request->error);
    if (!rc && host.certificate_previous != NULL)
        rc =
            store_host_settle_certificate(request->conn, host.id, request_client_fingerprint(request), &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "accepted_seq", seq);
    json_out_int(&reply->out, "now_us", request->now_us);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/report",
     .permission = PERMISSION_AGENT,
     .kind = ROUTE_WRITE,
     .body = &report_body_table,
     .body_size = sizeof(struct report_body),
     .body_limit = 16 << 20,
     .handler = report_take},
};
const struct route_table report_routes = ROUTE_TABLE(rows);
