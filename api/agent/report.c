/* POST /agent/v1/report: what a host says. Events come from the agent's journal; those above the number that was taken
 * last are applied in order, each once, in one transaction with that number, so that a repeated report changes nothing.
 * Words that cannot be understood are logged and taken too: they would never become better. The row of a silent host is
 * written every five seconds at most. */
#include "api/agent/agent.h"
#include "api/compute/server_life.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/store_sample.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define HEARTBEAT_US ((int64_t)5000000)
#define SECOND_US    ((int64_t)1000000)

struct report_event {
    struct json_seen seen;
    int64_t seq, at_us, revision;
    const char *server_id, *kind, *state, *operation_id;
    struct report_error {
        const char *message, *details;
    } error;
};
enum { EVENT_ERROR = 7 };
#define AT(member) offsetof(struct report_event, member)
static const struct json_field error_fields[] = {
    {.name = "message", .kind = JSON_TEXT, .offset = offsetof(struct report_error, message), .flags = JSON_NULLABLE},
    {.name = "details", .kind = JSON_TEXT, .offset = offsetof(struct report_error, details), .flags = JSON_NULLABLE},
};
static const struct json_table error_table = {
    .fields = error_fields, .count = JSON_COUNT(error_fields), .open = true, .seen_offset = JSON_NO_SEEN};
static const struct json_field event_fields[] = {
    {.name = "seq", .kind = JSON_INT, .offset = AT(seq), .flags = JSON_REQUIRED, .min = 1, .max = INT64_MAX},
    {.name = "at_us", .kind = JSON_INT, .offset = AT(at_us), .flags = JSON_REQUIRED, .min = 1, .max = INT64_MAX},
    {.name = "server_id", .kind = JSON_TEXT, .offset = AT(server_id), .flags = JSON_REQUIRED},
    {.name = "kind", .kind = JSON_TEXT, .offset = AT(kind), .flags = JSON_REQUIRED},
    {.name = "state", .kind = JSON_TEXT, .offset = AT(state), .flags = JSON_NULLABLE},
    {.name = "revision", .kind = JSON_INT, .offset = AT(revision), .flags = JSON_NULLABLE, .min = 0, .max = INT64_MAX},
    {.name = "operation_id", .kind = JSON_TEXT, .offset = AT(operation_id), .flags = JSON_NULLABLE},
    [EVENT_ERROR] =
        {.name = "error", .kind = JSON_OBJECT, .offset = AT(error), .flags = JSON_NULLABLE, .sub = &error_table},
};
static const struct json_table event_table = {
    .fields = event_fields, .count = JSON_COUNT(event_fields), .open = true, .seen_offset = AT(seen)};

struct report_sample {
    const char *server_id;
    int64_t at_us;
    json_value *values[SAMPLE_COUNTER_COUNT];
};
#define VALUE(label, i)                                                                                                \
    {                                                                                                                  \
        .name = (label), .kind = JSON_ANY, .flags = JSON_NULLABLE,                                                     \
        .offset = offsetof(struct report_sample, values) + (i) * sizeof(json_value *)                                  \
    }
static const struct json_field sample_fields[] = {
    {.name = "server_id",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report_sample, server_id),
     .flags = JSON_REQUIRED},
    {.name = "at_us",
     .kind = JSON_INT,
     .offset = offsetof(struct report_sample, at_us),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = INT64_MAX},
    VALUE("cpu_ns", SAMPLE_CPU_NS),
    VALUE("disk_read_bytes", SAMPLE_DISK_READ_BYTES),
    VALUE("disk_write_bytes", SAMPLE_DISK_WRITE_BYTES),
    VALUE("disk_read_ops", SAMPLE_DISK_READ_OPS),
    VALUE("disk_write_ops", SAMPLE_DISK_WRITE_OPS),
    VALUE("net_in_bytes", SAMPLE_NET_IN_BYTES),
    VALUE("net_out_bytes", SAMPLE_NET_OUT_BYTES),
    VALUE("memory_rss_kib", SAMPLE_MEMORY_RSS_KIB),
};
static const struct json_table sample_table = {
    .fields = sample_fields, .count = JSON_COUNT(sample_fields), .open = true, .seen_offset = JSON_NO_SEEN};

struct report_inventory {
    const char *hypervisor, *architecture, *address;
    int64_t hypervisor_version, vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib;
    json_value *cpu, *traits;
};
#define IN(member) offsetof(struct report_inventory, member)
#define AMOUNT(label, member)                                                                                          \
    {                                                                                                                  \
        .name = (label), .kind = JSON_INT, .offset = IN(member), .min = 0, .max = (int64_t)1 << 50                     \
    }
static const struct json_field inventory_fields[] = {
    {.name = "hypervisor", .kind = JSON_TEXT, .offset = IN(hypervisor), .flags = JSON_REQUIRED, .max = 64},
    AMOUNT("hypervisor_version", hypervisor_version),
    {.name = "architecture", .kind = JSON_TEXT, .offset = IN(architecture), .flags = JSON_REQUIRED, .max = 64},
    {.name = "address", .kind = JSON_TEXT, .offset = IN(address), .flags = JSON_NULLABLE, .max = 255},
    AMOUNT("vcpus", vcpus),
    AMOUNT("memory_mib", memory_mib),
    AMOUNT("disk_gib", disk_gib),
    AMOUNT("reserved_vcpus", reserved_vcpus),
    AMOUNT("reserved_memory_mib", reserved_memory_mib),
    AMOUNT("reserved_disk_gib", reserved_disk_gib),
    {.name = "cpu", .kind = JSON_ANY, .offset = IN(cpu), .flags = JSON_NULLABLE},
    {.name = "traits", .kind = JSON_ANY, .offset = IN(traits), .flags = JSON_NULLABLE},
};
static const struct json_table inventory_table = {
    .fields = inventory_fields, .count = JSON_COUNT(inventory_fields), .open = true, .seen_offset = JSON_NO_SEEN};

struct report_body {
    struct json_seen seen;
    int64_t now_us;
    const char *boot_id, *agent_version;
    struct report_inventory inventory;
    struct json_list events, samples;
};
enum { BODY_INVENTORY = 3 };
static const struct json_field body_fields[] = {
    {.name = "now_us", .kind = JSON_INT, .offset = offsetof(struct report_body, now_us), .flags = JSON_NULLABLE},
    {.name = "boot_id",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report_body, boot_id),
     .flags = JSON_NULLABLE,
     .max = 128},
    {.name = "agent_version",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report_body, agent_version),
     .flags = JSON_NULLABLE,
     .max = 128},
    [BODY_INVENTORY] = {.name = "inventory",
                        .kind = JSON_OBJECT,
                        .offset = offsetof(struct report_body, inventory),
                        .flags = JSON_NULLABLE,
                        .sub = &inventory_table},
    {.name = "events",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_body, events),
     .flags = JSON_NULLABLE,
     .sub = &event_table,
     .item_size = sizeof(struct report_event),
     .max = 10000},
    {.name = "samples",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_body, samples),
     .flags = JSON_NULLABLE,
     .sub = &sample_table,
     .item_size = sizeof(struct report_sample),
     .max = 10000},
};
static const struct json_table body_table = {.fields = body_fields,
                                             .count = JSON_COUNT(body_fields),
                                             .open = true,
                                             .seen_offset = offsetof(struct report_body, seen)};

static bool was_there(const struct json_seen *seen, unsigned field)
{
    return (seen->present & ~seen->null) >> field & 1;
}

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
        .failed = was_there(&from->seen, EVENT_ERROR),
        .message = from->error.message,
        .details = from->error.details,
    };
    if (state >= 0)
        ret->state = (enum server_state)state;
    return state >= 0 && strcmp(from->kind, "state") == 0 && uuid_valid(from->server_id);
}

/* A host whose clock runs ahead must not write the future. */
static int64_t not_later(int64_t at_us, int64_t now_us)
{
    return at_us > now_us + SECOND_US ? now_us : at_us;
}

static int apply_event(struct request *request, const struct host_row *host, const struct report_event *from,
                       int64_t id)
{
    struct server_life_event event;
    bool used = false;
    if (!read_event(host, from, &event)) {
        log_warn("event that nobody understands dropped", "host=%s seq=%" PRId64 " kind=%s state=%s", host->id,
                 from->seq, from->kind, from->state != NULL ? from->state : "");
        return 0;
    }
    event.at_us = not_later(event.at_us, request->now_us);
    return server_life_observe(request->conn, &event, id, request->now_us, &request->arena, &used, &request->error);
}

static int apply_events(struct request *request, const struct host_row *host, const struct json_list *list,
                        int64_t *ret_seq)
{
    const struct report_event *events = list->items;
    int64_t seq = host->event_seq, id = 0;
    int rc = 0;
    if (list->count > 0)
        rc = db_counter_next(request->conn, "lifecycle_event", (int64_t)list->count, &id, &request->error);
    for (size_t i = 0; !rc && i < list->count; i++) {
        if (events[i].seq <= seq)
            continue;
        if (events[i].seq != seq + 1 && seq != 0)
            log_warn("gap in a host's journal", "host=%s from=%" PRId64 " to=%" PRId64, host->id, seq, events[i].seq);
        rc = apply_event(request, host, &events[i], id + (int64_t)i);
        seq = events[i].seq;
    }
    *ret_seq = seq;
    return rc;
}

static int apply_samples(struct request *request, const struct host_row *host, const struct json_list *list)
{
    const struct report_sample *from = list->items;
    struct sample *samples = arena_array(&request->arena, list->count + 1, sizeof(*samples));
    for (size_t i = 0; i < list->count; i++) {
        samples[i].server_id = from[i].server_id;
        samples[i].at_us = not_later(from[i].at_us, request->now_us);
        for (int k = 0; k < SAMPLE_COUNTER_COUNT; k++) {
            samples[i].value[k] = -1;
            json_in_int(from[i].values[k], &samples[i].value[k]);
        }
    }
    return store_sample_add(request->conn, host->id, samples, list->count, &request->error);
}

static int apply_inventory(struct request *request, const struct host_row *host, const struct report_inventory *from)
{
    struct host_row row = *host;
    row.hypervisor = from->hypervisor;
    row.hypervisor_version = from->hypervisor_version;
    row.architecture = from->architecture;
    row.address = from->address != NULL ? from->address : "";
    row.total = (struct resources){{from->vcpus, from->memory_mib, from->disk_gib}};
    row.reserved = (struct resources){{from->reserved_vcpus, from->reserved_memory_mib, from->reserved_disk_gib}};
    row.cpu = json_in_is_object(from->cpu) ? json_in_print(from->cpu, &request->arena) : "{}";
    row.traits = json_in_is_array(from->traits) ? json_in_print(from->traits, &request->arena) : "[]";
    return store_host_write_inventory(request->conn, &row, &request->error);
}

static bool differs(const char *old, const char *new)
{
    return new != NULL && (old == NULL || strcmp(old, new) != 0);
}

static int write_seen(struct request *request, const struct host_row *host, const struct report_body *b, int64_t seq)
{
    int64_t silence_us = request->now_us - host->seen_us;
    bool back = silence_us > STORE_HOST_ALIVE_US;
    if (seq == host->event_seq && silence_us < HEARTBEAT_US && !differs(host->boot_id, b->boot_id) &&
        !differs(host->agent_version, b->agent_version))
        return 0;
    return store_host_write_seen(
        request->conn, host->id, request->now_us, b->boot_id != NULL ? b->boot_id : host->boot_id,
        b->agent_version != NULL ? b->agent_version : host->agent_version, seq, back, &request->error);
}

static int report_take(struct request *request, struct reply *reply)
{
    const struct report_body *b = request->body;
    struct host_row host;
    int64_t seq = 0;
    int rc = agent_host(request, &host);
    if (!rc && was_there(&b->seen, BODY_INVENTORY))
        rc = apply_inventory(request, &host, &b->inventory);
    if (!rc)
        rc = apply_events(request, &host, &b->events, &seq);
    if (!rc && b->samples.count > 0)
        rc = apply_samples(request, &host, &b->samples);
    if (!rc && host.certificate_previous != NULL)
        rc =
            store_host_settle_certificate(request->conn, host.id, request_client_fingerprint(request), &request->error);
    if (!rc)
        rc = write_seen(request, &host, b, seq);
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
     .body = &body_table,
     .body_size = sizeof(struct report_body),
     .body_limit = 16 << 20,
     .handler = report_take},
};
const struct route_table report_routes = ROUTE_TABLE(rows);
