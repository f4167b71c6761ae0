/* A host's report: the tables of its fields. Unknown members are ignored, so that programs one version apart understand
 * each other. */
#include "api/agent/report.h"
#include <stddef.h>

enum { EVENT_ERROR = 8 };
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
    {.name = "resuming", .kind = JSON_BOOL, .offset = AT(resuming), .flags = JSON_NULLABLE},
    [EVENT_ERROR] =
        {.name = "error", .kind = JSON_OBJECT, .offset = AT(error), .flags = JSON_NULLABLE, .sub = &error_table},
};
static const struct json_table event_table = {
    .fields = event_fields, .count = JSON_COUNT(event_fields), .open = true, .seen_offset = AT(seen)};

#define NIC(member) offsetof(struct report_nic, member)
static const struct json_field nic_fields[] = {
    {.name = "mac", .kind = JSON_TEXT, .offset = NIC(mac), .flags = JSON_REQUIRED},
    {.name = "network_id", .kind = JSON_TEXT, .offset = NIC(network_id), .flags = JSON_NULLABLE},
    {.name = "in_bytes", .kind = JSON_INT, .offset = NIC(in_bytes), .flags = JSON_REQUIRED, .min = 0, .max = INT64_MAX},
    {.name = "out_bytes",
     .kind = JSON_INT,
     .offset = NIC(out_bytes),
     .flags = JSON_REQUIRED,
     .min = 0,
     .max = INT64_MAX},
};
static const struct json_table nic_table = {
    .fields = nic_fields, .count = JSON_COUNT(nic_fields), .open = true, .seen_offset = JSON_NO_SEEN};

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
    VALUE("cpu_ns", COUNTER_CPU_NS),
    VALUE("disk_read_bytes", COUNTER_DISK_READ_BYTES),
    VALUE("disk_write_bytes", COUNTER_DISK_WRITE_BYTES),
    VALUE("disk_read_ops", COUNTER_DISK_READ_OPS),
    VALUE("disk_write_ops", COUNTER_DISK_WRITE_OPS),
    VALUE("net_in_bytes", COUNTER_NET_IN_BYTES),
    VALUE("net_out_bytes", COUNTER_NET_OUT_BYTES),
    {.name = "memory_rss_kib",
     .kind = JSON_ANY,
     .flags = JSON_NULLABLE,
     .offset = offsetof(struct report_sample, memory_rss_kib)},
    {.name = "nics",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_sample, nics),
     .flags = JSON_NULLABLE,
     .sub = &nic_table,
     .item_size = sizeof(struct report_nic),
     .max = COUNTER_NICS_MAX},
};
static const struct json_table sample_table = {
    .fields = sample_fields, .count = JSON_COUNT(sample_fields), .open = true, .seen_offset = JSON_NO_SEEN};

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
    {.name = "guest_cpu", .kind = JSON_ANY, .offset = IN(guest_cpu), .flags = JSON_NULLABLE},
    {.name = "storage", .kind = JSON_TEXT, .offset = IN(storage), .flags = JSON_NULLABLE, .max = 64},
    {.name = "topology", .kind = JSON_ANY, .offset = IN(topology), .flags = JSON_NULLABLE},
};
static const struct json_table inventory_table = {
    .fields = inventory_fields, .count = JSON_COUNT(inventory_fields), .open = true, .seen_offset = JSON_NO_SEEN};

static const struct json_field offer_fields[] = {
    {.name = "resources",
     .kind = JSON_ANY,
     .offset = offsetof(struct report_offers, resources),
     .flags = JSON_NULLABLE},
    {.name = "networks",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report_offers, networks),
     .flags = JSON_NULLABLE,
     .max = 65536},
    {.name = "storage",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report_offers, storage),
     .flags = JSON_NULLABLE,
     .max = 65536},
};
static const struct json_table offers_table = {
    .fields = offer_fields, .count = JSON_COUNT(offer_fields), .open = true, .seen_offset = JSON_NO_SEEN};

static const char *const check_states[] = {"passing", "failing", "unknown", NULL};
#define CHECK_AT(member) .offset = offsetof(struct report_check, member)
static const struct json_field check_fields[] = {
    {.name = "server_id", .kind = JSON_TEXT, CHECK_AT(server_id), .flags = JSON_REQUIRED, .max = 64},
    {.name = "state", .kind = JSON_TEXT, CHECK_AT(state), .flags = JSON_REQUIRED, .choices = check_states},
    {.name = "message", .kind = JSON_TEXT, CHECK_AT(message), .flags = JSON_NULLABLE, .max = 1000},
};
static const struct json_table check_table = {
    .fields = check_fields, .count = JSON_COUNT(check_fields), .open = true, .seen_offset = JSON_NO_SEEN};

enum { BODY_INVENTORY = 3, BODY_OFFERS };
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
    [BODY_OFFERS] = {.name = "offers",
                     .kind = JSON_OBJECT,
                     .offset = offsetof(struct report_body, offers),
                     .flags = JSON_NULLABLE,
                     .sub = &offers_table},
    {.name = "events",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_body, events),
     .flags = JSON_NULLABLE,
     .sub = &event_table,
     .item_size = sizeof(struct report_event),
     .max = 10000},
    {.name = "checks",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_body, checks),
     .flags = JSON_NULLABLE,
     .sub = &check_table,
     .item_size = sizeof(struct report_check),
     .max = 10000},
    {.name = "samples",
     .kind = JSON_LIST,
     .offset = offsetof(struct report_body, samples),
     .flags = JSON_NULLABLE,
     .sub = &sample_table,
     .item_size = sizeof(struct report_sample),
     .max = 10000},
};
const struct json_table report_body_table = {.fields = body_fields,
                                             .count = JSON_COUNT(body_fields),
                                             .open = true,
                                             .seen_offset = offsetof(struct report_body, seen)};

static bool was_there(const struct json_seen *seen, unsigned field)
{
    return (seen->present & ~seen->null) >> field & 1;
}

bool report_has_inventory(const struct report_body *b)
{
    return was_there(&b->seen, BODY_INVENTORY);
}

bool report_has_offers(const struct report_body *b)
{
    return was_there(&b->seen, BODY_OFFERS);
}

bool report_has_error(const struct report_event *event)
{
    return was_there(&event->seen, EVENT_ERROR);
}
