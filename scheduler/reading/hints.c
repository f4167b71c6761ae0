/* Hints. Happy path: servers become the hosts that they are on; a condition and a neighbourhood become a filter that
 * the placement library asks of hosts that would be the best so far. Names and addresses of hosts, which the library
 * does not know, are read for requests that speak of them, all at once.
 *
 * Failure modes: a server of different_host that is gone keeps from nothing, as in Nova; of same_host one must be left.
 */
#include "scheduler/reading/hints.h"
#include "common/json_in.h"
#include "common/model/host_query.h"
#include "common/model/ip.h"
#include "db/store_placement.h"
#include "scheduler/reading/feed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_host {
    const char *name, *address;
};

/* What the filter needs as long as the request lives. */
struct condition {
    const struct placement *placement;
    struct arena *arena;
    const struct host_query *query; /* NULL: none */
    bool near;
    struct ip_net net; /* of build_near_host_ip */
    const char *query_text, *net_text;
    struct known_host *hosts; /* by slot; NULL: not asked */
    int32_t host_count;
};
struct reading {
    struct db_conn *conn;
    const struct placement *placement;
    struct arena *arena;
    struct placement_request *request;
    struct error *error;
};

/* ---- servers ---- */

/* A hint is one server id or a list of them. */
static size_t hint_count(json_value *hint)
{
    return json_in_is_array(hint) ? json_in_count(hint) : hint ? 1 : 0;
}

static const char *hint_item(json_value *hint, size_t index)
{
    return json_in_is_array(hint) ? json_in_text(json_in_item(hint, index)) : json_in_text(hint);
}

static int add_host(struct reading *r, const char **list, size_t *count, const char *host)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(list[i], host) == 0) {
            return 0;
        }
    }
    if (*count == PLACEMENT_NAMES_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST, "the servers of a scheduler hint are on more than %d hosts",
                         PLACEMENT_NAMES_MAX);
    }
    list[(*count)++] = host;
    return 0;
}

/* The hosts of the hint's servers; *ret_lost: one of them that there is not. */
static int read_servers(struct reading *r, json_value *hint, const char **list, const char **ret_lost)
{
    size_t count = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < hint_count(hint); i++) {
        const char *id = hint_item(hint, i);
        char *host = arena_alloc(r->arena, 40);
        struct error none = {0};
        rc = id ? store_placement_host_of(r->conn, id, host, &none) : ERR_NOT_FOUND;
        if (rc == ERR_NOT_FOUND) {
            *ret_lost = id ? arena_strdup(r->arena, id) : "(none)";
            rc = 0;
        } else if (rc) {
            return error_set(r->error, rc, "%s", error_text(&none));
        } else if (*host) {
            rc = add_host(r, list, &count, host);
        }
    }
    return rc;
}

/* The ids as refusals tell them: "A, B". */
static const char *say_servers(struct reading *r, json_value *hint)
{
    const char *text = NULL;
    for (size_t i = 0; i < hint_count(hint); i++) {
        const char *id = hint_item(hint, i);
        if (id) {
            text = text ? arena_printf(r->arena, "%s, %s", text, id) : arena_strdup(r->arena, id);
        }
    }
    return text;
}

static int read_same(struct reading *r, json_value *hint)
{
    const char *lost = NULL;
    int rc = read_servers(r, hint, r->request->same_hosts, &lost);
    if (rc || hint_count(hint) == 0 || r->request->same_hosts[0]) {
        return rc;
    }
    return lost ? error_set(r->error, ERR_NO_VALID_HOST, "server %s of a scheduler hint could not be found", lost)
                : error_set(r->error, ERR_NO_VALID_HOST, "no server of same_host is on a host");
}

/* ---- conditions ---- */

static struct host_value number_value(int64_t n)
{
    return (struct host_value){.kind = HOST_VALUE_NUMBER, .number = (double)n};
}

static struct host_value text_value(const char *text)
{
    return (struct host_value){.kind = text ? HOST_VALUE_TEXT : HOST_VALUE_NONE, .text = text};
}

/* A property of the host's kind; a number when it is one. */
static struct host_value property_value(const struct condition *x, int32_t slot, const char *key)
{
    const char *text = placement_host_property(x->placement, slot, key);
    char *end = NULL;
    double number = text ? strtod(text, &end) : 0;
    return text && *text && *end == '\0' ? (struct host_value){.kind = HOST_VALUE_NUMBER, .number = number}
                                         : text_value(text);
}

static struct host_value cpu_value(const struct condition *x, int32_t slot, const char *path)
{
    char key[160];
    snprintf(key, sizeof(key), "capabilities:cpu_info:%s", path ? path : "");
    for (char *at = strchr(key, '.'); at; at = strchr(at, '.')) {
        *at = ':';
    }
    return property_value(x, slot, key);
}

struct host_asked {
    const struct condition *condition;
    int32_t slot;
};

/* As servers can have it: with overcommit, without what is reserved. */
static struct host_value value_of(void *arg, enum host_attribute attribute, const char *path)
{
    const struct host_asked *h = arg;
    const struct condition *x = h->condition;
    struct resources all = placement_host_capacity(x->placement, h->slot);
    const struct resources *used = placement_host_used(x->placement, h->slot);
    const struct known_host *host = x->hosts && h->slot < x->host_count ? &x->hosts[h->slot] : NULL;
    switch (attribute) {
    case HOST_ATTRIBUTE_HOST:
    case HOST_ATTRIBUTE_HYPERVISOR_HOSTNAME:
        return text_value(host ? host->name : NULL);
    case HOST_ATTRIBUTE_HOST_IP:
        return text_value(host ? host->address : NULL);
    case HOST_ATTRIBUTE_HYPERVISOR_TYPE:
        return property_value(x, h->slot, "capabilities:hypervisor_type");
    case HOST_ATTRIBUTE_HYPERVISOR_VERSION:
        return property_value(x, h->slot, "capabilities:hypervisor_version");
    case HOST_ATTRIBUTE_FREE_RAM_MB:
        return number_value(all.amount[RESOURCE_MEMORY_MIB] - used->amount[RESOURCE_MEMORY_MIB]);
    case HOST_ATTRIBUTE_TOTAL_USABLE_RAM_MB:
        return number_value(all.amount[RESOURCE_MEMORY_MIB]);
    case HOST_ATTRIBUTE_FREE_DISK_MB:
        return number_value((all.amount[RESOURCE_DISK_GIB] - used->amount[RESOURCE_DISK_GIB]) * 1024);
    case HOST_ATTRIBUTE_TOTAL_USABLE_DISK_GB:
        return number_value(all.amount[RESOURCE_DISK_GIB]);
    case HOST_ATTRIBUTE_VCPUS_TOTAL:
        return number_value(all.amount[RESOURCE_VCPU]);
    case HOST_ATTRIBUTE_VCPUS_USED:
        return number_value(used->amount[RESOURCE_VCPU]);
    case HOST_ATTRIBUTE_NUM_INSTANCES:
        return number_value(placement_host_servers(x->placement, h->slot));
    case HOST_ATTRIBUTE_NUM_IO_OPS:
        return number_value(0); /* nothing is counted that Nova would call one */
    default:
        return cpu_value(x, h->slot, path);
    }
}

static bool is_near(const struct condition *x, int32_t slot)
{
    struct ip address;
    const char *text = slot < x->host_count ? x->hosts[slot].address : NULL;
    return text && ip_parse(text, &address) && ip_net_contains(&x->net, &address);
}

static const char *refuse(void *arg, int32_t slot, const char **ret_detail)
{
    struct condition *x = arg;
    struct host_asked h = {x, slot};
    if (x->query && !host_query_passes(x->query, value_of, &h)) {
        *ret_detail = x->query_text;
        return "refused by the hint query";
    }
    *ret_detail = x->net_text;
    return x->near && !is_near(x, slot) ? "not near the address asked for" : NULL;
}

static int note_host(void *arg, const struct placement_host_row *row, struct error *e)
{
    struct condition *x = arg;
    int32_t slot = placement_slot(x->placement, row->id);
    (void)e;
    if (slot != PLACEMENT_NO_SLOT && slot < x->host_count) {
        x->hosts[slot] = (struct known_host){arena_strdup(x->arena, row->name), arena_strdup(x->arena, row->address)};
    }
    return 0;
}

static int read_names(struct reading *r, struct condition *x)
{
    struct error none = {0};
    x->host_count = placement_slot_end(r->placement);
    x->hosts = arena_array(r->arena, (size_t)x->host_count + 1, sizeof(*x->hosts));
    int rc = store_placement_names(r->conn, note_host, x, &none);
    return rc ? error_set(r->error, rc, "%s", error_text(&none)) : 0;
}

static int read_near(struct reading *r, json_value *hints, struct condition *x)
{
    const char *address = json_in_text(json_in_member(hints, "build_near_host_ip"));
    const char *prefix = json_in_text(json_in_member(hints, "cidr"));
    if (!json_in_has(hints, "build_near_host_ip")) {
        return 0;
    }
    x->near = true;
    const char *text = arena_printf(r->arena, "%s%s", address ? address : "", prefix ? prefix : "/24");
    x->net_text = text;
    return ip_net_parse(text, &x->net)
               ? 0
               : error_set(r->error, ERR_NO_VALID_HOST, "%.64s of build_near_host_ip and cidr is no network", text);
}

static int read_conditions(struct reading *r, json_value *hints)
{
    struct condition *x = arena_alloc(r->arena, sizeof(*x));
    const char *query = json_in_text(json_in_member(hints, "query"));
    *x = (struct condition){.placement = r->placement, .arena = r->arena};
    x->query_text = query ? arena_strdup(r->arena, query) : NULL;
    int rc = query && *query ? host_query_read(query, r->arena, &x->query, r->error) : 0;
    rc = rc ? rc : read_near(r, hints, x);
    if (rc || (!x->query && !x->near)) {
        return rc;
    }
    bool names = x->query && (host_query_uses(x->query, HOST_ATTRIBUTE_HOST) ||
                              host_query_uses(x->query, HOST_ATTRIBUTE_HYPERVISOR_HOSTNAME) ||
                              host_query_uses(x->query, HOST_ATTRIBUTE_HOST_IP));
    rc = names || x->near ? read_names(r, x) : 0;
    r->request->refuse = refuse;
    r->request->refuse_arg = x;
    return rc;
}

int hints_read(struct db_conn *c, const struct placement *p, const char *json, struct arena *a,
               struct placement_request *ret, struct error *e)
{
    struct reading r = {.conn = c, .placement = p, .arena = a, .request = ret, .error = e};
    const char *lost = NULL;
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc) {
        return rc;
    }
    ret->same_servers = say_servers(&r, json_in_member(doc.root, "same_host"));
    ret->avoid_servers = say_servers(&r, json_in_member(doc.root, "different_host"));
    rc = read_same(&r, json_in_member(doc.root, "same_host"));
    rc = rc ? rc : read_servers(&r, json_in_member(doc.root, "different_host"), ret->avoid_hosts, &lost);
    rc = rc ? rc : read_conditions(&r, doc.root);
    json_in_done(&doc);
    return rc;
}
