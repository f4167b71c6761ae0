/* A host's report (docs/agent-protocol.md) as the API reads and applies it. */
#pragma once
#include "common/json_in.h"
#include "db/store_counter.h"
#include "db/store_host.h"

struct report_event {
    struct json_seen seen;
    int64_t seq, at_us, revision;
    bool resuming;
    const char *server_id, *kind, *state, *operation_id;
    struct report_error {
        const char *message, *details;
    } error;
};

struct report_nic {
    const char *mac, *network_id; /* network_id: NULL when the host does not know it */
    int64_t in_bytes, out_bytes;
};
struct report_sample {
    const char *server_id;
    int64_t at_us;
    struct json_list nics;                              /* struct report_nic; none of agents that do not tell them */
    json_value *values[COUNTER_COUNT], *memory_rss_kib; /* memory is for people, not for the bill */
};

struct report_inventory {
    const char *hypervisor, *architecture, *address, *storage;
    int64_t hypervisor_version, vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib;
    json_value *cpu, *traits, *topology;
    json_value *guest_cpu; /* what its guests' processors can be; NULL: it does not tell */
};

struct report_offers {
    json_value *resources;
    const char *networks, *storage; /* NULL: all */
};

/* How a server answers the check that it came with. */
struct report_check {
    const char *server_id, *state, *message; /* message: NULL for none */
};

struct report_body {
    struct json_seen seen;
    int64_t now_us;
    const char *boot_id, *agent_version;
    struct report_inventory inventory;
    struct report_offers offers;
    struct json_list events, samples, checks;
};

extern const struct json_table report_body_table;
/* Whether inventory, or an event's error, was there and not null. */
bool report_has_inventory(const struct report_body *b);
bool report_has_error(const struct report_event *event);
bool report_has_offers(const struct report_body *b);

/* Applies all of it in the caller's transaction: inventory, events above the host's event_seq in order, samples, the
 * heartbeat. *ret_seq is the highest journal number that is taken now. A report that is repeated changes nothing. */
int report_apply(struct db_conn *c, const struct host_row *host, const struct report_body *b, int64_t now_us,
                 struct arena *a, int64_t *ret_seq, struct error *e);
