/* Requirements: flavor extra specs "trait:NAME" = required|forbidden, "resources:CLASS" = amount,
 * "placement:policy" = NAME and "aggregate_instance_extra_specs:KEY" = VALUE, "hw:..." of NUMA cells
 * (common/model/numa_wish.h), image properties "trait:NAME", what both say of the host's kind
 * (scheduler/reading/host_kind.h) and of the machine (common/model/machine.h), hints (scheduler/reading/hints.h), the
 * server group. Names are Nova's. */
#include "scheduler/reading/requirements.h"
#include "common/json_in.h"
#include "common/model/machine.h"
#include "common/model/numa_wish.h"
#include "common/model/spec_match.h"
#include "db/store_cells.h"
#include "db/store_host_reach.h"
#include "db/store_image.h"
#include "scheduler/reading/feed.h"
#include "scheduler/reading/hints.h"
#include "scheduler/reading/host_kind.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct placement_request *request;
    struct placement *placement;
    struct arena *arena;
    struct error *error;
    size_t required, forbidden, properties;
    struct host_kind kind;
};

static int push(struct reading *r, const char **list, size_t *count, const char *text)
{
    if (*count == PLACEMENT_NAMES_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST, "more than %d traits or properties asked for",
                         PLACEMENT_NAMES_MAX);
    }
    list[(*count)++] = arena_strdup(r->arena, text);
    return 0;
}

void requirements_forbid(struct placement_request *r, const char *trait)
{
    size_t count = 0;
    while (count < PLACEMENT_NAMES_MAX && r->forbidden[count])
        count++;
    if (count < PLACEMENT_NAMES_MAX)
        r->forbidden[count] = trait;
}

static const char *after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static int read_trait(struct reading *r, const char *trait, const char *value)
{
    if (strcmp(value, "required") == 0) {
        return push(r, r->request->required, &r->required, trait);
    }
    if (strcmp(value, "forbidden") == 0) {
        return push(r, r->request->forbidden, &r->forbidden, trait);
    }
    return error_set(r->error, ERR_NO_VALID_HOST, "trait:%s must be required or forbidden", trait);
}

/* "resources:CUSTOM_GPU" or, of a numbered group, "resources1:CUSTOM_GPU": what is behind the colon. A host is one
 * provider, so that groups come down to their sum. */
static const char *after_group(const char *name, const char *kind)
{
    const char *rest = after(name, kind);
    if (!rest) {
        return NULL;
    }
    rest += strspn(rest, "0123456789");
    return *rest == ':' ? rest + 1 : NULL;
}

static int add_class(struct reading *r, const char *class, int64_t amount)
{
    struct placement_extra *extra = &r->request->extra;
    int32_t number = placement_class_number(r->placement, class);
    for (size_t i = 0; i < extra->count; i++) {
        if (extra->item[i].class == number) {
            extra->item[i].amount += amount;
            return 0;
        }
    }
    if (extra->count == PLACEMENT_CLASSES_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST, "more than %d resource classes asked for", PLACEMENT_CLASSES_MAX);
    }
    extra->item[extra->count].class = number;
    extra->item[extra->count++].amount = amount;
    return 0;
}

/* Of the three that every host has, an amount replaces the flavor's. */
static int read_resource(struct reading *r, const char *class, const char *text)
{
    char *end = NULL;
    errno = 0;
    long long amount = strtoll(text, &end, 10);
    if (!*text || *end || errno || amount < 0 || amount > INT32_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST, "resources:%.64s must be a whole number, not %.32s", class, text);
    }
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (strcmp(resource_name((enum resource)i), class) == 0) {
            r->request->need.amount[i] = amount;
            return 0;
        }
    }
    if (strcmp(class, PLACEMENT_PCPU) == 0) {
        return error_set(r->error, ERR_NO_VALID_HOST,
                         "dedicated processors are asked for by hw:cpu_policy, not by resources:" PLACEMENT_PCPU);
    }
    if (!store_resource_valid(class)) {
        return error_set(r->error, ERR_NO_VALID_HOST, "%.64s is no resource class", class);
    }
    return amount > 0 ? add_class(r, class, amount) : 0;
}

/* A property of the host's aggregates, or of the host, is as the spec says. */
static int match_property(struct reading *r, const char *name, const char *key, const char *spec)
{
    struct placement_request *request = r->request;
    if (!spec_match_has_operator(spec)) {
        return push(r, request->properties, &r->properties, arena_printf(r->arena, "%s=%s", key, spec));
    }
    if (!spec_match_valid(spec)) {
        return error_set(r->error, ERR_NO_VALID_HOST, "%.100s is \"%.64s\", which compares with nothing", name, spec);
    }
    if (request->match_count == PLACEMENT_NAMES_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST, "more than %d properties compared", PLACEMENT_NAMES_MAX);
    }
    request->matches[request->match_count++] = placement_match_number(r->placement, key, spec);
    return 0;
}

/* Nova's rules: "aggregate_instance_extra_specs:KEY" and what has no scope speak of aggregates, "capabilities:PATH" of
 * the host. One word without scope is of libvirt's driver. */
static int read_spec(struct reading *r, const char *name, const char *spec)
{
    const char *key = after(name, "aggregate_instance_extra_specs:");
    if (!key && (after(name, "capabilities:") || !strchr(name, ':'))) {
        key = strcmp(name, "hypervisor_type") == 0 ? "capabilities:hypervisor_type" : name;
    }
    return !key || strcmp(name, "hide_hypervisor_id") == 0 ? 0 : match_property(r, name, key, spec);
}

/* Hosts that say something of the key take only what is of one of the values. */
static int keep(struct reading *r, enum placement_keeps what, const char *key, const char *const values[], size_t count)
{
    struct placement_request *request = r->request;
    if (!placement_has_key(r->placement, key)) {
        return 0;
    }
    if (request->kept_count == PLACEMENT_NAMES_MAX) {
        return error_set(r->error, ERR_NO_VALID_HOST,
                         "more than %d networks, stores and properties that hosts are kept for", PLACEMENT_NAMES_MAX);
    }
    struct placement_kept *kept = &request->kept[request->kept_count++];
    *kept = (struct placement_kept){.what = what, .key = arena_strdup(r->arena, key)};
    for (size_t i = 0; i < count && i < PLACEMENT_KEPT_VALUES; i++) {
        kept->values[i] = arena_printf(r->arena, "%s=%s", key, values[i]);
    }
    return 0;
}

static int keep_for_image(struct reading *r, const char *name, const char *value)
{
    return *value ? keep(r, PLACEMENT_KEEPS_IMAGES, name, &value, 1) : 0;
}

/* "placement:storage" names what storage the server needs, with commas between. */
static int keep_for_storage(struct reading *r, const char *list)
{
    char *copy = arena_strdup(r->arena, list), *rest = NULL;
    int rc = 0;
    for (char *item = strtok_r(copy, ", ", &rest); !rc && item; item = strtok_r(NULL, ", ", &rest)) {
        const char *name = item;
        rc = keep(r, PLACEMENT_KEEPS_STORES, FEED_REACH_STORAGE, &name, 1);
    }
    return rc;
}

/* A network is reached by its physical network, by that and the segment, or by its own id. */
static int keep_for_network(struct reading *r, char *network)
{
    char *rest = NULL, *id = strtok_r(network, " ", &rest), *physical = strtok_r(NULL, " ", &rest);
    const char *values[PLACEMENT_KEPT_VALUES] = {id, physical, rest};
    bool has_physical = physical && strcmp(physical, "-") != 0;
    if (has_physical) {
        values[2] = arena_printf(r->arena, "%s:%s", physical, rest);
    }
    return keep(r, PLACEMENT_KEEPS_NETWORKS, FEED_REACH_NETWORK, values, has_physical ? 3 : 1);
}

static int keep_for_networks(struct reading *r, const char *list)
{
    char *copy = arena_strdup(r->arena, list ? list : ""), *rest = NULL;
    int rc = 0;
    for (char *item = strtok_r(copy, ",", &rest); !rc && item; item = strtok_r(NULL, ",", &rest)) {
        rc = keep_for_network(r, item);
    }
    return rc;
}

int requirements_of_networks(struct placement *p, const char *networks, struct arena *a, struct placement_request *ret,
                             struct error *e)
{
    struct reading r = {.request = ret, .placement = p, .arena = a, .error = e};
    return keep_for_networks(&r, networks);
}

/* Asked for only where some host does not reach all. */
static int read_networks(struct db_conn *c, struct reading *r, const struct placement_waiting_row *row)
{
    const char *list = row->networks;
    int rc = 0;
    if (!placement_has_key(r->placement, FEED_REACH_NETWORK)) {
        return 0;
    }
    if (!list && row->id[0]) {
        struct error none = {0};
        rc = store_host_reach_asked(c, row->id, r->arena, &list, &none);
        rc = rc ? error_set(r->error, rc, "%s", error_text(&none)) : 0;
    }
    return rc ? rc : keep_for_networks(r, list);
}

static int read_extra_spec(void *arg, const char *name, json_value *value)
{
    struct reading *r = arg;
    const char *text = json_in_text(value);
    if (!text) {
        return 0;
    }
    const char *trait = after_group(name, "trait"), *class = after_group(name, "resources");
    if (trait) {
        return read_trait(r, trait, text);
    }
    if (class) {
        return read_resource(r, class, text);
    }
    if (strcmp(name, "placement:policy") == 0) {
        r->request->goal = placement_goal_parse(text);
        return r->request->goal != PLACEMENT_GOAL_DEFAULT
                   ? 0
                   : error_set(r->error, ERR_NO_VALID_HOST, "placement:policy %.32s is not known", text);
    }
    if (strcmp(name, "placement:storage") == 0) {
        return keep_for_storage(r, text);
    }
    bool taken = false;
    int rc = host_kind_read_flavor(&r->kind, name, text, &taken, r->error);
    return rc || taken ? rc : read_spec(r, name, text);
}

static int read_image_property(void *arg, const char *name, json_value *value)
{
    struct reading *r = arg;
    const char *text = json_in_text(value);
    if (!text) {
        return 0;
    }
    const char *trait = after(name, "trait:");
    if (trait) {
        return read_trait(r, trait, text);
    }
    int rc = host_kind_read_image(&r->kind, name, text, r->error);
    return rc ? rc : keep_for_image(r, name, text);
}

static int each_member(const char *json, json_in_each_fn fn, struct reading *r)
{
    if (!json || !*json) {
        return 0;
    }
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, r->error);
    if (rc) {
        return rc;
    }
    rc = json_in_each(doc.root, fn, r);
    json_in_done(&doc);
    return rc;
}

static int push_kind_trait(void *arg, const char *trait, bool wanted)
{
    struct reading *r = arg;
    return wanted ? push(r, r->request->required, &r->required, trait)
                  : push(r, r->request->forbidden, &r->forbidden, trait);
}

static int finish_kind(struct reading *r, const char *image_kind)
{
    r->request->hypervisor = r->kind.hypervisor;
    r->request->architecture = r->kind.architecture;
    return host_kind_each_trait(&r->kind, image_kind, push_kind_trait, r, r->error);
}

static int push_machine_trait(void *arg, const char *trait)
{
    struct reading *r = arg;
    return push(r, r->request->required, &r->required, trait);
}

/* Firmware and TPM; what cannot be was refused by the API, or is older than its rules. */
static int read_machine(struct reading *r, const struct placement_waiting_row *row)
{
    struct json_doc flavor = {0}, image = {0};
    struct machine_wish wish = {.flavor = numa_wish_from_json, .image = numa_wish_from_json};
    struct machine machine;
    if (row->flavor_extra && json_in_parse(row->flavor_extra, strlen(row->flavor_extra), &flavor, NULL) == 0)
        wish.flavor_arg = flavor.root;
    if (row->image_properties && json_in_parse(row->image_properties, strlen(row->image_properties), &image, NULL) == 0)
        wish.image_arg = image.root;
    machine_read(&wish, &machine, NULL);
    int rc = machine_each_trait(&machine, push_machine_trait, r);
    json_in_done(&flavor);
    json_in_done(&image);
    return rc;
}

static enum placement_group_policy policy_of(const char *name)
{
    static const struct {
        const char *name;
        enum placement_group_policy policy;
    } policies[] = {{"affinity", PLACEMENT_AFFINITY},
                    {"anti-affinity", PLACEMENT_ANTI_AFFINITY},
                    {"soft-affinity", PLACEMENT_SOFT_AFFINITY},
                    {"soft-anti-affinity", PLACEMENT_SOFT_ANTI_AFFINITY}};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (strcmp(policies[i].name, name) == 0) {
            return policies[i].policy;
        }
    }
    return PLACEMENT_GROUP_NONE;
}

static int read_group(struct db_conn *c, const struct placement *p, struct reading *r, const char *group_id)
{
    struct placement_group_row group;
    struct error none = {0};
    int rc = store_placement_group(c, group_id, r->arena, &group, &none);
    if (rc) {
        return error_set(r->error, rc == ERR_NOT_FOUND ? ERR_NO_VALID_HOST : rc, "%s", error_text(&none));
    }
    struct placement_group_host *members = arena_array(r->arena, group.member_count + 1, sizeof(*members));
    size_t count = 0;
    for (size_t i = 0; i < group.member_count; i++) {
        int32_t slot = placement_slot(p, group.members[i].host_id);
        if (slot != PLACEMENT_NO_SLOT) {
            members[count++] = (struct placement_group_host){.slot = slot, .count = (int32_t)group.members[i].count};
        }
    }
    r->request->group = group.name;
    r->request->policy = policy_of(group.policy);
    r->request->max_per_host = (int32_t)group.max_per_host;
    r->request->members = members;
    r->request->member_count = count;
    return 0;
}

static bool says(const char *json, const char *prefix)
{
    return json && strstr(json, prefix);
}

static int read_cells(struct reading *r, const struct numa_wish *wish)
{
    struct numa_request *asked = arena_alloc(r->arena, sizeof(*asked));
    bool any = false;
    int rc = numa_wish_read(wish, asked, &any, r->error);
    if (rc || !any) {
        return rc;
    }
    r->request->extra.numa = asked;
    requirements_make_room(r->request, 1, r->arena);
    int64_t dedicated = numa_request_dedicated(asked);
    return dedicated > 0 ? add_class(r, PLACEMENT_PCPU, dedicated) : 0;
}

/* NUMA cells, pages and dedicated processors, as the flavor and the image together say. */
static int read_topology(struct reading *r, const struct placement_waiting_row *row)
{
    if (!says(row->flavor_extra, "\"hw:") && !says(row->image_properties, "\"hw_")) {
        return 0;
    }
    const char *flavor = row->flavor_extra ? row->flavor_extra : "{}";
    const char *image = row->image_properties ? row->image_properties : "{}";
    struct json_doc specs, properties;
    int rc = json_in_parse(flavor, strlen(flavor), &specs, r->error);
    if (rc) {
        return rc;
    }
    rc = json_in_parse(image, strlen(image), &properties, r->error);
    if (!rc) {
        struct numa_wish wish = {.flavor = numa_wish_from_json,
                                 .image = numa_wish_from_json,
                                 .flavor_arg = specs.root,
                                 .image_arg = properties.root,
                                 .vcpus = row->need.amount[RESOURCE_VCPU],
                                 .memory_mib = row->need.amount[RESOURCE_MEMORY_MIB]};
        rc = read_cells(r, &wish);
        json_in_done(&properties);
    }
    json_in_done(&specs);
    return rc;
}

int requirements_read_image(struct db_conn *c, const struct server_row *server, struct arena *a,
                            struct placement_waiting_row *ret, struct error *e)
{
    struct image_row image;
    struct error none = {0};
    int rc = server->image_id ? store_image_get(c, server->image_id, NULL, true, a, &image, &none) : ERR_NOT_FOUND;
    if (!rc) {
        ret->image_properties = image.properties;
        ret->image_kind = store_image_kind(&image);
    } else if (rc == ERR_NOT_FOUND && server->image_id) {
        error_clear(&none);
        rc = store_server_image_properties(c, server->id, a, &ret->image_properties, &none);
    }
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

int requirements_read(struct db_conn *c, struct placement *p, const struct placement_waiting_row *row, struct arena *a,
                      struct placement_request *ret, struct error *e)
{
    memset(ret, 0, sizeof(*ret));
    ret->need = row->need;
    ret->project_id = row->project_id;
    ret->zone = row->zone;
    ret->only_host = row->only_host;
    struct reading r = {.request = ret, .placement = p, .arena = a, .error = e, .kind = {.arena = a}};
    int rc = each_member(row->image_properties, read_image_property, &r);
    rc = rc ? rc : each_member(row->flavor_extra, read_extra_spec, &r);
    rc = rc ? rc : read_machine(&r, row);
    rc = rc ? rc : finish_kind(&r, row->image_kind);
    rc = rc ? rc : read_topology(&r, row);
    rc = rc ? rc : read_networks(c, &r, row);
    if (!rc && row->hints && strcmp(row->hints, "{}") != 0) {
        rc = hints_read(c, p, row->hints, a, ret, e);
    }
    if (!rc && row->group_id) {
        rc = read_group(c, p, &r, row->group_id);
    }
    return rc;
}

void requirements_make_room(struct placement_request *r, size_t count, struct arena *a)
{
    if (r->extra.numa) {
        r->extra.given = arena_array(a, count, sizeof(*r->extra.given));
    }
}

void requirements_holding(const struct placement *p, const struct resources *need, const struct placement_extra *extra,
                          struct arena *a, struct store_holding *ret)
{
    *ret = (struct store_holding){.need = placement_held(need, extra)};
    for (size_t i = 0; i < extra->count; i++) {
        ret->item[ret->count].name = placement_class_name(p, extra->item[i].class);
        ret->item[ret->count++].amount = placement_held_extra(p, extra, i);
    }
    if (extra->numa) {
        int64_t huge_mib = numa_given_huge_mib(extra->given), kib = extra->given->page_kib;
        if (huge_mib > 0 && ret->count < STORE_RESOURCE_CLASSES_MAX) {
            ret->item[ret->count].name = store_cells_class(kib, arena_alloc(a, STORE_CELLS_CLASS_SIZE));
            ret->item[ret->count++].amount = huge_mib * 1024 / kib;
        }
        struct strbuf text;
        strbuf_init(&text, 0);
        numa_given_print(extra->given, &text);
        ret->topology = arena_strdup(a, text.data);
        strbuf_done(&text);
    }
}
