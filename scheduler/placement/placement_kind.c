/* Kinds of hosts, and classes of requests over them. A kind is judged once per class; a class that finds new kinds
 * judges those alone. A kind without hosts gives its number to the next new one, which starts a new era: classes of an
 * older era judge anew. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int32_t placement_name_find(const struct placement *p, const char *text)
{
    struct name *name;
    HASH_FIND_STR(p->names, text, name);
    return name ? name->number : -2;
}

int32_t placement_name_intern(struct placement *p, const char *text)
{
    struct name *name;
    HASH_FIND_STR(p->names, text, name);
    if (!name) {
        name = memory_new(sizeof(*name));
        name->text = memory_strdup(text);
        name->number = p->name_count++;
        HASH_ADD_KEYPTR(hh, p->names, name->text, strlen(name->text), name);
    }
    return name->number;
}

static int32_t rounded_size(int64_t amount)
{
    if (amount <= 0) {
        return 0;
    }
    uint32_t n = amount > INT32_MAX ? INT32_MAX : (uint32_t)amount;
    int bits = 32 - __builtin_clz(n);
    return (int32_t)(bits <= 11 ? n : n >> (bits - 11) << (bits - 11));
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int32_t put_names(struct placement *p, int32_t *names, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        names[i] = placement_name_intern(p, texts[i]);
    }
    qsort(names, count, sizeof(*names), by_number);
    return (int32_t)count;
}

static size_t tenants_of(const struct placement_host *host)
{
    size_t count = 0;
    while (host->tenants && host->tenants[count]) {
        count++;
    }
    return count;
}

static size_t classes_of(const struct placement_host *host)
{
    return host->class_count < PLACEMENT_CLASSES_MAX ? host->class_count : PLACEMENT_CLASSES_MAX;
}

/* Builds the key in the scratch memory. */
static struct kind_key *build_key(struct placement *p, const struct placement_host *host,
                                  const struct resources *capacity, size_t *ret_size)
{
    size_t tenants = tenants_of(host), classes = classes_of(host);
    size_t count = host->trait_count + host->aggregate_count + tenants + classes;
    size_t size = sizeof(struct kind_key) + count * sizeof(int32_t);
    if (size > p->scratch_capacity) {
        p->scratch_capacity = size * 2;
        p->scratch = memory_resize(p->scratch, p->scratch_capacity);
    }
    struct kind_key *k = (struct kind_key *)p->scratch;
    memset(k, 0, size);
    k->zone = placement_name_intern(p, host->zone);
    k->hypervisor = placement_name_intern(p, host->hypervisor);
    k->architecture = placement_name_intern(p, host->architecture);
    k->isolated = host->tenants != NULL;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        k->size[r] = rounded_size(capacity->amount[r]);
    }
    int32_t *names = k->names;
    names += k->trait_count = put_names(p, names, host->traits, host->trait_count);
    names += k->property_count = put_names(p, names, host->aggregates, host->aggregate_count);
    names += k->tenant_count = put_names(p, names, host->tenants, tenants);
    k->class_count = (int32_t)classes;
    for (size_t i = 0; i < classes; i++) {
        names[i] = placement_name_intern(p, host->classes[i].name);
    }
    *ret_size = size;
    return k;
}

static void kinds_grow(struct placement *p)
{
    int32_t words = p->kind_capacity / 64, old = p->kind_capacity;
    p->kind_capacity = p->kind_capacity ? p->kind_capacity * 2 : 64;
    p->kinds = memory_resize(p->kinds, (size_t)p->kind_capacity * sizeof(struct kind *));
    p->fronts = memory_resize(p->fronts, (size_t)p->kind_capacity * sizeof(*p->fronts));
    p->versions = memory_resize(p->versions, (size_t)p->kind_capacity * sizeof(*p->versions));
    for (int32_t i = old; i < p->kind_capacity; i++) {
        p->versions[i] = 1;
    }
    placement_recall_grow(p, old);
    p->bounds = memory_resize(p->bounds, (size_t)p->kind_capacity * sizeof(*p->bounds));
    for (size_t i = 0; i < PLACEMENT_CLASSES; i++) {
        struct class *k = &p->classes[i];
        k->passing = memory_resize(k->passing, (size_t)p->kind_capacity / 8);
        memset(k->passing + words, 0, (size_t)(p->kind_capacity / 64 - words) * sizeof(uint64_t));
    }
}

/* An emptied kind to be made anew, or NULL. Looked for only when the kinds would have to grow. */
static struct kind *kind_reuse(struct placement *p)
{
    for (int32_t i = 0; i < p->kind_count; i++) {
        struct kind *k = p->kinds[i];
        if (k->hosts == 0) {
            HASH_DEL(p->kinds_by_key, k);
            tree_done(&k->tree);
            free(k->key);
            p->era++;
            return k;
        }
    }
    return NULL;
}

const char *placement_name_text(const struct placement *p, int32_t number)
{
    for (const struct name *name = p->names; name; name = name->hh.next) {
        if (name->number == number) {
            return name->text;
        }
    }
    return NULL;
}

/* What its aggregates say; several that differ say nothing. */
static enum placement_goal goal_of(const struct placement *p, const struct kind_key *key)
{
    enum placement_goal goal = PLACEMENT_GOAL_DEFAULT;
    for (int32_t i = 0; i < key->property_count; i++) {
        const char *text = placement_name_text(p, key->names[key->trait_count + i]);
        if (strncmp(text, PLACEMENT_POLICY_PROPERTY, strlen(PLACEMENT_POLICY_PROPERTY)) != 0) {
            continue;
        }
        enum placement_goal own = placement_goal_parse(text + strlen(PLACEMENT_POLICY_PROPERTY));
        if (goal != PLACEMENT_GOAL_DEFAULT && own != goal) {
            return PLACEMENT_GOAL_DEFAULT;
        }
        goal = own;
    }
    return goal;
}

static struct kind *kind_make(struct placement *p, const struct kind_key *key, size_t size)
{
    struct kind *k = p->kind_count == p->kind_capacity ? kind_reuse(p) : NULL;
    if (!k) {
        if (p->kind_count == p->kind_capacity) {
            kinds_grow(p);
        }
        k = memory_new(sizeof(*k));
        k->number = p->kind_count;
        p->kinds[p->kind_count++] = k;
    }
    int32_t number = k->number;
    *k = (struct kind){.number = number, .key_size = size, .key = memory_new(size)};
    memcpy(k->key, key, size);
    p->versions[number]++;
    p->fronts[number] = (struct kind_front){.least = INT32_MAX};
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        p->fronts[number].unit[r] = key->size[r] > 0 ? SHARE_ONE / key->size[r] : 0;
    }
    const int64_t sizes[3] = {key->size[0], key->size[1], key->size[2]};
    tree_init(&k->tree, TREE_FIXED + key->class_count, sizes);
    k->goal = goal_of(p, key);
    p->pools += k->goal != PLACEMENT_GOAL_DEFAULT;
    HASH_ADD_KEYPTR(hh, p->kinds_by_key, k->key, k->key_size, k);
    return k;
}

struct kind *placement_kind_get(struct placement *p, const struct placement_host *host,
                                const struct resources *capacity)
{
    size_t size;
    struct kind *k;
    struct kind_key *key = build_key(p, host, capacity, &size);
    HASH_FIND(hh, p->kinds_by_key, key, size, k);
    if (!k) {
        k = kind_make(p, key, size);
    }
    k->hosts++;
    tree_reserve(&k->tree, k->hosts);
    return k;
}

void placement_kind_leave(struct placement *p, int32_t kind)
{
    assert(p->kinds[kind]->hosts > 0);
    p->kinds[kind]->hosts--;
}

void placement_kinds_done(struct placement *p)
{
    HASH_CLEAR(hh, p->kinds_by_key);
    for (int32_t i = 0; i < p->kind_count; i++) {
        tree_done(&p->kinds[i]->tree);
        free(p->kinds[i]->key);
        free(p->kinds[i]);
    }
    for (size_t i = 0; i < PLACEMENT_CLASSES; i++) {
        free(p->classes[i].passing);
    }
    free(p->kinds);
    free(p->bounds);
    free(p->fronts);
    free(p->versions);
    placement_recall_done(p);
}

int32_t placement_class_dimension(const struct kind_key *k, int32_t class)
{
    const int32_t *classes = k->names + k->trait_count + k->property_count + k->tenant_count;
    for (int32_t i = 0; i < k->class_count; i++) {
        if (classes[i] == class) {
            return TREE_FIXED + i;
        }
    }
    return -1;
}

static int32_t resolve_list(const struct placement *p, const char *const *names, int32_t *ret)
{
    int32_t count = 0;
    while (count < PLACEMENT_NAMES_MAX && names[count]) {
        ret[count] = placement_name_find(p, names[count]);
        count++;
    }
    return count;
}

void placement_resolve(const struct placement *p, const struct placement_request *r, struct constraints *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->project = r->project_id ? placement_name_find(p, r->project_id) : -1;
    ret->zone = r->zone ? placement_name_find(p, r->zone) : -1;
    ret->hypervisor = r->hypervisor ? placement_name_find(p, r->hypervisor) : -1;
    ret->architecture = r->architecture ? placement_name_find(p, r->architecture) : -1;
    ret->required_count = resolve_list(p, r->required, ret->required);
    ret->forbidden_count = resolve_list(p, r->forbidden, ret->forbidden);
    ret->property_count = resolve_list(p, r->properties, ret->properties);
    for (size_t i = 0; i < r->extra.count; i++) {
        ret->classes[ret->class_count++] = r->extra.item[i].class;
    }
}

static bool passes_zone(const struct kind_key *k, const struct constraints *c)
{
    return c->zone == -1 || c->zone == k->zone;
}

static bool passes_hypervisor(const struct kind_key *k, const struct constraints *c)
{
    return c->hypervisor == -1 || c->hypervisor == k->hypervisor;
}

static bool passes_architecture(const struct kind_key *k, const struct constraints *c)
{
    return c->architecture == -1 || c->architecture == k->architecture;
}

static bool has_name(const int32_t *names, int32_t count, int32_t name)
{
    for (int32_t i = 0; i < count; i++) {
        if (names[i] == name) {
            return true;
        }
    }
    return false;
}

static bool passes_traits(const struct kind_key *k, const struct constraints *c)
{
    for (int32_t i = 0; i < c->required_count; i++) {
        if (!has_name(k->names, k->trait_count, c->required[i])) {
            return false;
        }
    }
    for (int32_t i = 0; i < c->forbidden_count; i++) {
        if (has_name(k->names, k->trait_count, c->forbidden[i])) {
            return false;
        }
    }
    return true;
}

static bool passes_properties(const struct kind_key *k, const struct constraints *c)
{
    for (int32_t i = 0; i < c->property_count; i++) {
        if (!has_name(k->names + k->trait_count, k->property_count, c->properties[i])) {
            return false;
        }
    }
    return true;
}

static bool passes_tenant(const struct kind_key *k, const struct constraints *c)
{
    return !k->isolated || has_name(k->names + k->trait_count + k->property_count, k->tenant_count, c->project);
}

static bool passes_classes(const struct kind_key *k, const struct constraints *c)
{
    for (int32_t i = 0; i < c->class_count; i++) {
        if (placement_class_dimension(k, c->classes[i]) < 0) {
            return false;
        }
    }
    return true;
}

const struct kind_filter placement_kind_filters[] = {
    {"in another availability zone", passes_zone},           {"of another hypervisor", passes_hypervisor},
    {"of another architecture", passes_architecture},        {"without the traits", passes_traits},
    {"without the aggregate properties", passes_properties}, {"kept for other projects", passes_tenant},
    {"without the resource class", passes_classes},
};
const size_t placement_kind_filter_count = sizeof(placement_kind_filters) / sizeof(placement_kind_filters[0]);

static bool kind_passes(const struct kind_key *k, const struct constraints *c)
{
    for (size_t i = 0; i < placement_kind_filter_count; i++) {
        if (!placement_kind_filters[i].passes(k, c)) {
            return false;
        }
    }
    return true;
}

static void judge(const struct placement *p, struct class *k)
{
    if (k->era != p->era) {
        k->era = p->era;
        k->judged = 0;
    }
    for (; k->judged < p->kind_count; k->judged++) {
        uint64_t bit = 1ULL << (k->judged % 64);
        uint64_t *word = &k->passing[k->judged / 64];
        *word = kind_passes(p->kinds[k->judged]->key, &k->key) ? *word | bit : *word & ~bit;
    }
}

static uint64_t hash_of(const struct constraints *c)
{
    uint64_t words[sizeof(*c) / sizeof(uint64_t)], hash = 0x9e3779b97f4a7c15ULL;
    _Static_assert(sizeof(*c) % sizeof(uint64_t) == 0, "hashed in words");
    memcpy(words, c, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash;
}

/* The entry of the class, or the one that makes room for it. */
static struct class *class_place(struct placement *p, const struct constraints *c, uint64_t hash)
{
    struct class *set = &p->classes[hash % (PLACEMENT_CLASSES / CLASS_WAYS) * CLASS_WAYS], *oldest = set;
    for (size_t i = 0; i < CLASS_WAYS; i++) {
        if (set[i].era != 0 && set[i].hash == hash && memcmp(&set[i].key, c, sizeof(*c)) == 0) {
            return &set[i];
        }
        if (set[i].used_at < oldest->used_at) {
            oldest = &set[i];
        }
    }
    oldest->key = *c;
    oldest->hash = hash;
    oldest->era = 0;
    return oldest;
}

const struct class *placement_class_get(struct placement *p, const struct constraints *c)
{
    struct class *k = class_place(p, c, hash_of(c));
    judge(p, k);
    k->used_at = ++p->tick;
    return k;
}
