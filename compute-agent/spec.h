/* What a host should do, as docs/agent-protocol.md words it: one server's specification, and the answer that carries
 * many. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include "common/json_in.h"
#include "common/model/numa.h"
#include "common/model/server.h"
#include "common/uuid.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spec_address {
    const char *ip;
    int64_t prefix;
};
struct spec_subnet {
    const char *id, *cidr, *gateway; /* gateway: NULL for none */
    bool dhcp;
    struct json_list dns; /* const char * */
    const char *pool_start, *pool_end;
};
struct spec_network {
    const char *id, *name;
    int64_t mtu;              /* 0: the host's choice */
    struct json_list subnets; /* struct spec_subnet */
};
/* Besides the nic's own addresses it may send from this one. */
struct spec_pair {
    const char *ip_address; /* or a prefix */
    const char *mac_address;
};
struct spec_nic {
    const char *port_id, *mac;
    struct json_list addresses;             /* struct spec_address */
    bool port_security;                     /* it may send from its own addresses only */
    struct json_list allowed_address_pairs; /* struct spec_pair */
    struct spec_network network;
};
struct spec_image {
    const char *id, *name, *disk_format, *sha512;
    int64_t size_bytes;
    struct json_map properties;
    bool deleted;         /* after the server was asked for: only its id and properties are known ... */
    bool properties_lost; /* ... or not even these */
};
/* What image property IMAGE_TEMPLATE_PROPERTY says. NULL: nothing. */
const char *spec_template(const struct spec_image *image);
struct spec_key {
    const char *name, *public;
};
enum spec_action { SPEC_NO_ACTION, SPEC_REBOOT_SOFT, SPEC_REBOOT_HARD };
/* What the guest is asked by HTTP, and by what answer it is well. */
struct spec_check {
    int64_t port, interval_s, timeout_s, failures, status_from, status_to; /* failures: in a row, until it is not */
    const char *path;
};
struct spec_operation {
    const char *id, *action_name;
    enum spec_action action;
};
struct spec {
    struct arena arena; /* all text of this struct */
    char id[UUID_SIZE];
    int64_t revision;
    bool exists;
    bool anew;            /* it comes from the shelf: what this host had of it before, it has removed */
    const char *clone_of; /* id of a server here, whose disk it shares; NULL: it is no clone, or has been launched */
    bool launched;        /* it has run before: its disks are there, or on their way; none is made anew */
    bool imported;        /* it was imported: a domain of that UUID exists, and stays as it was defined */
    bool released;        /* with `imported` and not `exists`: the domain is given back, not removed */
    bool held;            /* it is leaving for another host: nothing is done to it, unless it is to go */
    /* From here on only when `exists`. */
    enum server_power power;
    const char *name, *hostname, *project_id, *project_name, *user_id, *zone, *flavor_name;
    int64_t created_us, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib;
    struct json_map flavor_extra, metadata;
    struct spec_image *image; /* NULL: none */
    struct spec_key *key;     /* NULL: none */
    struct json_list nics;    /* struct spec_nic */
    struct numa_given *cells; /* what it has of the host's NUMA cells, NULL: it may be anywhere */
    const char *user_data;    /* base64, NULL: none */
    struct spec_operation operation;
    struct spec_check *check; /* NULL: none */
};

/* Reads and checks one specification. Everything that later becomes a path, a domain's name or a line of a file is
 * checked here. On failure 0 is not returned, but *ret_id (may be NULL; UUID_SIZE bytes) and *ret_revision tell whom it
 * was about when that much could be read
 * ("" and 0 otherwise). The caller frees *ret with spec_free. */
int spec_read(json_value *value, struct spec **ret, char *ret_id, int64_t *ret_revision, struct error *e);
void spec_free(struct spec **spec);
/* Whether a guest that is on as `a` says is as `b` says too: as many processors, as much memory, the same disks,
 * the same nics, which may send the same. */
bool spec_live_alike(const struct spec *a, const struct spec *b);

enum spec_query_kind {
    SPEC_QUERY_UNKNOWN,
    SPEC_QUERY_CONSOLE_LOG,
    SPEC_QUERY_DIAGNOSTICS,
    SPEC_QUERY_SERVERS,
    SPEC_QUERY_JOURNAL, /* of the host: what its journal said in a period */
    SPEC_QUERY_SET_PASSWORD,
    SPEC_QUERY_ADDRESSES,
    SPEC_QUERY_FOREIGN,     /* of the host: what it could import */
    SPEC_QUERY_CPU_BASELINE /* of several hosts' processors */
};
struct spec_query {
    const char *id, *server_id, *kind_name;
    enum spec_query_kind kind;
    int64_t lines;                     /* console_log: how many from the end, -1 for all */
    const char *user, *password;       /* set_password */
    int64_t from_us, to_us, after_seq; /* journal */
    struct json_list cpus;             /* cpu_baseline: const char * */
};
/* The answer of GET /agent/v1/desired. Its servers stay JSON, so that a bad one spoils no other. */
struct spec_desired {
    int64_t revision, queries_us; /* queries_us: to be given back with the next question */
    bool more;
    json_value *servers;      /* array or NULL */
    json_value *tasks;        /* array or NULL: host_task.h reads them */
    json_value *cpu_baseline; /* of the host's pool, an object; NULL: nothing new, or there is none */
    bool no_cpu_baseline;     /* there is none (any more) */
    struct json_list queries; /* struct spec_query */
};
int spec_read_desired(json_value *value, struct arena *arena, struct spec_desired *ret, struct error *e);
