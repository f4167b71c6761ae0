/* Host rows in, placement hosts out. A row whose JSON columns are damaged keeps the host out of placement's reach
 * (disabled) and is logged; others go on. */
#include "scheduler/reading/feed.h"
#include "common/json_in.h"
#include "common/log.h"
#include "common/model/machine.h"
#include "db/store_aggregate.h"
#include "db/store_placement.h"
#include "scheduler/reading/capabilities.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_NAMES_MAX 256 /* traits, or properties, or tenants of one host */

struct names {
    const char *items[HOST_NAMES_MAX + 1];
    size_t count;
};

struct refresh {
    struct feed *feed;
    int64_t now_us;
    struct arena arena;
    struct capabilities capabilities;
    bool *known; /* by slot: there is a row */
};

static void names_add(struct names *n, const char *text)
{
    if (text && n->count < HOST_NAMES_MAX) {
        n->items[n->count++] = text;
        n->items[n->count] = NULL;
    }
}

/* What is one driver in Nova's eyes. */
static const struct {
    const char *name, *driver;
} aliases[] = {{"KVM", "QEMU"}};

char *feed_hypervisor(const char *name, char *ret, size_t size)
{
    size_t count = 0;
    for (const char *at = name; *at && count + 1 < size; at++) {
        if (*at != '-')
            ret[count++] = (char)tolower((unsigned char)*at);
    }
    ret[count] = '\0';
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (strcasecmp(ret, aliases[i].name) == 0)
            feed_hypervisor(aliases[i].driver, ret, size);
    return ret;
}

static void add_tenants(struct arena *a, struct names *tenants, const char *list)
{
    char *copy = arena_strdup(a, list), *rest = NULL;
    for (char *item = strtok_r(copy, ", ", &rest); item; item = strtok_r(NULL, ", ", &rest)) {
        names_add(tenants, item);
    }
}

struct aggregate_walk {
    struct arena *arena;
    struct names *properties, *tenants;
};

static int add_property(void *arg, const char *name, json_value *value)
{
    struct aggregate_walk *w = arg;
    const char *text = json_in_text(value);
    if (!text) {
        return 0;
    }
    if (strncmp(name, "filter_tenant_id", strlen("filter_tenant_id")) == 0) {
        add_tenants(w->arena, w->tenants, text);
    }
    /* Nova: a property's value may be several, comma between. */
    char *copy = arena_strdup(w->arena, text), *rest = NULL;
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        item += strspn(item, " ");
        names_add(w->properties, arena_printf(w->arena, "%s=%s", name, item));
    }
    return 0;
}

/* What flavors may ask of its capabilities, as properties too. */
static int add_capabilities(struct refresh *r, const struct placement_host_row *row, struct names *properties,
                            struct error *e)
{
    const struct capabilities_cpu *cpu = NULL;
    int rc = capabilities_of_cpu(&r->capabilities, row->cpu, &cpu, e);
    for (size_t i = 0; !rc && i < cpu->count; i++) {
        names_add(properties, cpu->items[i]);
    }
    names_add(properties, arena_printf(&r->arena, "capabilities:hypervisor_type=%s", row->hypervisor));
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (strcmp(row->hypervisor, aliases[i].name) == 0)
            names_add(properties, arena_printf(&r->arena, "capabilities:hypervisor_type=%s", aliases[i].driver));
    names_add(properties,
              arena_printf(&r->arena, "capabilities:hypervisor_version=%lld", (long long)row->hypervisor_version));
    return rc;
}

/* A list of what the host reaches, as properties; without a list it reaches all. */
static void add_reach(struct refresh *r, const char *key, const char *list, struct names *properties)
{
    if (!list) {
        return;
    }
    char *copy = arena_strdup(&r->arena, list), *rest = NULL;
    names_add(properties, arena_printf(&r->arena, "%s=", key)); /* of an empty list something must be left */
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        names_add(properties, arena_printf(&r->arena, "%s=%s", key, item));
    }
}

static int read_traits(struct arena *a, const char *json, struct names *ret, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; i < json_in_count(doc.root); i++) {
        names_add(ret, arena_strdup(a, json_in_text(json_in_item(doc.root, i))));
    }
    json_in_done(&doc);
    return 0;
}

static int read_aggregates(struct arena *a, const char *json, struct names *properties, struct names *tenants,
                           struct error *e)
{
    if (!json) {
        return 0;
    }
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc) {
        return rc;
    }
    struct aggregate_walk w = {.arena = a, .properties = properties, .tenants = tenants};
    for (size_t i = 0; i < json_in_count(doc.root); i++) {
        json_in_each(json_in_item(doc.root, i), add_property, &w);
    }
    json_in_done(&doc);
    return 0;
}

struct classes {
    struct placement_class items[PLACEMENT_CLASSES_MAX];
    size_t count;
};

/* As store_placement_hosts writes it. */
static int read_resources(struct arena *a, const char *text, struct classes *ret, struct error *e)
{
    char *copy = arena_strdup(a, text ? text : ""), *rest = NULL;
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (ret->count == PLACEMENT_CLASSES_MAX) {
            return error_set(e, ERR_CORRUPT, "more than %d resource classes", PLACEMENT_CLASSES_MAX);
        }
        struct placement_class *k = &ret->items[ret->count++];
        char *at = strchr(item, ' ');
        if (!at) {
            return error_set(e, ERR_CORRUPT, "the resource \"%s\" is damaged", item);
        }
        *at++ = '\0';
        k->name = item;
        k->inventory.total = strtoll(at, &at, 10);
        k->inventory.reserved = strtoll(at, &at, 10);
        k->inventory.ratio_permille = strtoll(at, &at, 10);
        k->used = strtoll(at, &at, 10);
    }
    return 0;
}

static int take_over(void *arg, const struct placement_host_row *row, struct error *e)
{
    (void)e;
    struct refresh *r = arg;
    struct names traits = {0}, properties = {0}, tenants = {0};
    struct classes classes = {0};
    struct error bad = {0};
    arena_reset(&r->arena);
    int rc = read_traits(&r->arena, row->traits, &traits, &bad);
    rc = rc ? rc : read_aggregates(&r->arena, row->aggregates, &properties, &tenants, &bad);
    rc = rc ? rc : add_capabilities(r, row, &properties, &bad);
    rc = rc ? rc : read_resources(&r->arena, row->resources, &classes, &bad);
    add_reach(r, FEED_REACH_NETWORK, row->networks, &properties);
    add_reach(r, FEED_REACH_STORAGE, row->storage, &properties);
    if (rc) {
        log_error("host row damaged", "host=%s error=\"%s\"", row->id, error_text(&bad));
    }
    if (row->dedicated_project_id) { /* beats what aggregates allow */
        tenants.count = 0;
        names_add(&tenants, row->dedicated_project_id);
    }
    char hypervisor[64];
    struct placement_host host = {
        .id = row->id,
        .zone = row->zone,
        .hypervisor = feed_hypervisor(row->hypervisor, hypervisor, sizeof(hypervisor)),
        .architecture = row->architecture,
        .enabled = row->enabled && rc == 0,
        .alive = r->now_us - row->seen_us <= r->feed->alive_limit_us,
        .used = row->used,
        .server_count = row->server_count,
        .revision = row->allocation_revision,
        .traits = traits.items,
        .trait_count = traits.count,
        .aggregates = properties.items,
        .aggregate_count = properties.count,
        .tenants = tenants.count ? tenants.items : NULL,
        .classes = classes.items,
        .class_count = classes.count,
        .topology = row->topology,
        .given = row->given,
    };
    memcpy(host.inventory, row->inventory, sizeof(host.inventory));
    placement_set_host(r->feed->placement, &host);
    r->feed->changes++;
    if (row->feed > r->feed->position) {
        r->feed->position = row->feed;
    }
    return 0;
}

struct limits {
    struct arena *arena;
    const char **tenants;
    size_t count, room;
};

/* The projects of an aggregate that limits them to the hosts that are kept for them. */
static int note_limited(void *arg, const char *metadata, struct error *e)
{
    struct limits *l = arg;
    struct names none = {0}, tenants = {0};
    struct aggregate_walk w = {.arena = l->arena, .properties = &none, .tenants = &tenants};
    struct json_doc doc;
    int rc = json_in_parse(metadata, strlen(metadata), &doc, e);
    if (rc) {
        return rc;
    }
    const char *limits = json_in_text(json_in_member(doc.root, "limit_tenants"));
    if (limits && machine_word_is_on(limits)) {
        json_in_each(doc.root, add_property, &w);
    }
    for (size_t i = 0; i < tenants.count; i++) {
        l->tenants = arena_more(l->arena, l->tenants, l->count, &l->room, sizeof(*l->tenants));
        l->tenants[l->count++] = tenants.items[i];
    }
    json_in_done(&doc);
    return 0;
}

static int refresh_limits(struct refresh *r, struct db_conn *c, struct error *e)
{
    struct limits l = {.arena = &r->arena};
    arena_reset(&r->arena);
    int rc = store_aggregate_limiting(c, note_limited, &l, e);
    if (!rc) {
        placement_confine(r->feed->placement, l.tenants, l.count);
    }
    return rc;
}

int feed_refresh(struct feed *f, struct db_conn *c, int64_t now_us, struct error *e)
{
    struct refresh r = {.feed = f, .now_us = now_us};
    arena_init(&r.arena);
    capabilities_init(&r.capabilities);
    int rc = store_placement_hosts(c, f->position, take_over, &r, e);
    rc = rc ? rc : refresh_limits(&r, c, e);
    capabilities_done(&r.capabilities);
    arena_done(&r.arena);
    return rc;
}

int feed_read_host(struct feed *f, struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    struct feed own = *f;
    struct refresh r = {.feed = &own, .now_us = now_us};
    arena_init(&r.arena);
    capabilities_init(&r.capabilities);
    int rc = store_placement_host(c, host_id, take_over, &r, e);
    rc = rc ? rc : refresh_limits(&r, c, e);
    capabilities_done(&r.capabilities);
    arena_done(&r.arena);
    return rc;
}

static int note_seen(void *arg, const struct placement_host_row *row, struct error *e)
{
    (void)e;
    struct refresh *r = arg;
    int32_t slot = placement_slot(r->feed->placement, row->id);
    if (slot != PLACEMENT_NO_SLOT) {
        placement_set_alive(r->feed->placement, slot, r->now_us - row->seen_us <= r->feed->alive_limit_us);
        r->known[slot] = true;
    }
    return 0;
}

static void forget_removed(const struct refresh *r, int32_t end)
{
    struct placement *p = r->feed->placement;
    for (int32_t slot = 0; slot < end; slot++) {
        if (placement_slot_holds(p, slot) && !r->known[slot]) {
            char id[PLACEMENT_ID_SIZE];
            snprintf(id, sizeof(id), "%s", placement_host_id(p, slot));
            log_info("host removed", "host=%s", id);
            placement_remove_host(p, id);
        }
    }
}

int feed_refresh_alive(struct feed *f, struct db_conn *c, int64_t now_us, struct error *e)
{
    struct refresh r = {.feed = f, .now_us = now_us};
    int32_t end = placement_slot_end(f->placement);
    arena_init(&r.arena);
    r.known = arena_array(&r.arena, (size_t)end + 1, sizeof(*r.known));
    int rc = store_placement_seen(c, note_seen, &r, e);
    if (!rc) {
        forget_removed(&r, end);
    }
    arena_done(&r.arena);
    return rc;
}

void feed_skip_own(struct feed *f, int64_t number)
{
    if (number == f->position + 1) {
        f->position = number;
    }
}
