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
        if (p->name_count == p->name_capacity) {
            p->name_capacity = p->name_capacity ? p->name_capacity * 2 : 64;
            p->name_at = memory_resize(p->name_at, (size_t)p->name_capacity * sizeof(*p->name_at));
        }
        name = memory_new(sizeof(*name));
        name->text = memory_strdup(text);
        name->number = p->name_count++;
        p->name_at[name->number] = name;
        HASH_ADD_KEYPTR(hh, p->names, name->text, strlen(name->text), name);
    }
    return name->number;
}

const char *placement_name_text(const struct placement *p, int32_t number)
{
    return number < 0 || number >= p->name_count ? NULL : p->name_at[number]->text;
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

static int32_t put_names(struct placement *p, int32_t *names, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        names[i] = placement_name_intern(p, texts[i]);
    }
    qsort(names, count, sizeof(*names), placement_order_numbers);
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

/* `words` blocks of kinds are there. */
static void blocks_grow(struct placement *p, int32_t words)
{
    static const int32_t sizes[BLOCK_LEVELS] = {BLOCK_KINDS, BLOCK_LARGE_KINDS};
    for (int level = 0; level < BLOCK_LEVELS; level++) {
        size_t old = ((size_t)words * BLOCK_KINDS + (size_t)sizes[level] - 1) / (size_t)sizes[level];
        size_t count = ((size_t)p->kind_capacity + (size_t)sizes[level] - 1) / (size_t)sizes[level];
        p->blocks[level] = memory_resize(p->blocks[level], count * sizeof(struct kind_block));
        memset(p->blocks[level] + old, 0, (count - old) * sizeof(struct kind_block));
    }
}

static void kinds_grow(struct placement *p)
{
    int32_t words = p->kind_capacity / 64;
    p->kind_capacity = p->kind_capacity ? p->kind_capacity * 2 : 64;
    p->kinds = memory_resize(p->kinds, (size_t)p->kind_capacity * sizeof(struct kind *));
    p->fronts = memory_resize(p->fronts, (size_t)p->kind_capacity * sizeof(*p->fronts));
    p->bounds = memory_resize(p->bounds, (size_t)p->kind_capacity * 2 * sizeof(*p->bounds));
    blocks_grow(p, words);
    for (size_t i = 0; i <= PLACEMENT_CLASSES; i++) {
        struct class *k = &p->classes[i];
        k->passing = memory_resize(k->passing, (size_t)p->kind_capacity / 8);
        memset(k->passing + words, 0, (size_t)(p->kind_capacity / 64 - words) * sizeof(uint64_t));
    }
}

/* The names of a kind: each knows the kinds that have it. */
static void note_names(struct placement *p, const struct kind_key *key, int32_t kind)
{
    int32_t count = key->trait_count + key->property_count + key->tenant_count + key->class_count;
    for (int32_t i = -1; i < count; i++) {
        struct name *name = p->name_at[i < 0 ? key->zone : key->names[i]];
        if (name->kind_count == name->kind_capacity) {
            name->kind_capacity = name->kind_capacity ? name->kind_capacity * 2 : 4;
            name->kinds = memory_resize(name->kinds, (size_t)name->kind_capacity * sizeof(*name->kinds));
        }
        name->kinds[name->kind_count++] = kind;
    }
}

static void forget_names(struct placement *p, const struct kind_key *key, int32_t kind)
{
    int32_t count = key->trait_count + key->property_count + key->tenant_count + key->class_count;
    for (int32_t i = -1; i < count; i++) {
        struct name *name = p->name_at[i < 0 ? key->zone : key->names[i]];
        int32_t at = 0;
        while (at < name->kind_count && name->kinds[at] != kind) {
            at++;
        }
        if (at < name->kind_count) {
            name->kinds[at] = name->kinds[--name->kind_count];
        }
    }
}

/* An emptied kind to be made anew, or NULL. Looked for only when the kinds would have to grow. */
static struct kind *kind_reuse(struct placement *p)
{
    for (int32_t i = 0; p->empty_kinds > 0 && i < p->kind_count; i++) {
        p->reuse_at = p->reuse_at + 1 < p->kind_count ? p->reuse_at + 1 : 0;
        struct kind *k = p->kinds[p->reuse_at];
        if (k && k->hosts == 0) {
            HASH_DEL(p->kinds_by_key, k);
            forget_names(p, k->key, k->number);
            tree_done(&k->tree);
            free(k->key);
            p->empty_kinds--;
            p->era++;
            return k;
        }
    }
    return NULL;
}

static void judge_one(const struct placement *p, struct class *k, int32_t kind)
{
    uint64_t bit = 1ULL << (kind % 64);
    uint64_t *word = &k->passing[kind / 64];
    const struct kind *asked = p->kinds[kind];
    *word = asked && placement_kind_passes(p, asked->key, &k->key) ? *word | bit : *word & ~bit;
}

/* Classes that have judged the number before judge it anew. */
static void rejudge(struct placement *p, int32_t number)
{
    for (size_t i = 0; i <= PLACEMENT_CLASSES; i++) {
        struct class *k = &p->classes[i];
        if (k->known && number < k->judged) {
            judge_one(p, k, number);
        }
    }
}

/* The keys of its properties become names too: what no host has need not be asked of any. */
static void mark_keys(struct placement *p, const struct kind_key *key)
{
    char text[256];
    for (int32_t i = 0; i < key->property_count; i++) {
        const char *property = placement_name_text(p, key->names[key->trait_count + i]);
        size_t size = strcspn(property, "=");
        if (size < sizeof(text)) {
            memcpy(text, property, size);
            text[size] = '\0';
            int32_t number = placement_name_intern(p, text); /* may move name_at */
            p->name_at[number]->is_key = true;
        }
    }
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

/* The size to a sixteenth. */
static int32_t coarse(int32_t size)
{
    int bits = size > 0 ? 32 - __builtin_clz((unsigned)size) : 0;
    return bits > 5 ? size >> (bits - 5) << (bits - 5) : size;
}

static uint64_t mix(uint64_t hash, int32_t value)
{
    hash = (hash ^ (uint64_t)(uint32_t)value) * 0xff51afd7ed558ccdULL;
    return hash ^ hash >> 32;
}

static uint64_t hash_common(const struct placement *p, const struct kind_key *key)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL;
    const int32_t alike[] = {key->zone,           key->hypervisor,      key->architecture,
                             key->isolated,       coarse(key->size[0]), coarse(key->size[1]),
                             coarse(key->size[2])};
    int32_t count = key->trait_count + key->property_count + key->tenant_count + key->class_count;
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        hash = mix(hash, alike[i]);
    }
    for (int32_t i = 0; i < count; i++) {
        bool property = i >= key->trait_count && i < key->trait_count + key->property_count;
        if (!property || p->name_at[key->names[i]]->kind_count >= COMMON_NAME) {
            hash = mix(hash, key->names[i]);
        }
    }
    return hash ? hash : 1;
}

/* When there are more than groups some share one. */
static struct kind_group *group_of(struct placement *p, const struct kind_key *key)
{
    uint64_t hash = hash_common(p, key);
    for (size_t i = 0; i < KIND_GROUPS; i++) {
        struct kind_group *g = &p->groups[i];
        g->hash = g->hash ? g->hash : hash;
        if (g->hash == hash) {
            return g;
        }
    }
    return &p->groups[hash % KIND_GROUPS];
}

static struct kind *kind_number(struct placement *p, const struct kind_key *key)
{
    struct kind_group *g = group_of(p, key);
    struct kind *k = g->next == g->end && p->kind_count == p->kind_capacity ? kind_reuse(p) : NULL;
    if (k) {
        return k;
    }
    if (g->next == g->end) {
        if (p->kind_count == p->kind_capacity) {
            kinds_grow(p);
        }
        g->next = p->kind_count;
        g->end = p->kind_count += BLOCK_KINDS;
        memset(&p->kinds[g->next], 0, BLOCK_KINDS * sizeof(struct kind *));
        memset(&p->fronts[g->next], 0, BLOCK_KINDS * sizeof(*p->fronts));
    }
    k = memory_new(sizeof(*k));
    k->number = g->next++;
    p->kinds[k->number] = k;
    return k;
}

static struct kind *kind_make(struct placement *p, const struct kind_key *key, size_t size)
{
    struct kind *k = kind_number(p, key);
    int32_t number = k->number;
    *k = (struct kind){.number = number, .key_size = size, .key = memory_new(size)};
    memcpy(k->key, key, size);
    p->empty_kinds++; /* until a host joins it */
    p->fronts[number] = (struct kind_front){.least = INT32_MAX};
    placement_block_change(p, number);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        p->fronts[number].unit[r] = key->size[r] > 0 ? SHARE_ONE / key->size[r] : 0;
    }
    const int64_t sizes[3] = {key->size[0], key->size[1], key->size[2]};
    tree_init(&k->tree, TREE_FIXED + key->class_count, sizes);
    mark_keys(p, key);
    k->goal = goal_of(p, key);
    p->pools += k->goal != PLACEMENT_GOAL_DEFAULT;
    HASH_ADD_KEYPTR(hh, p->kinds_by_key, k->key, k->key_size, k);
    note_names(p, k->key, number);
    rejudge(p, number);
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
    placement_kind_join(p, k);
    return k;
}

void placement_kind_join(struct placement *p, struct kind *k)
{
    p->empty_kinds -= k->hosts == 0;
    p->inhabited += k->hosts++ == 0;
    tree_reserve(&k->tree, k->hosts);
}

void placement_kind_leave(struct placement *p, int32_t kind)
{
    assert(p->kinds[kind]->hosts > 0);
    bool last = --p->kinds[kind]->hosts == 0;
    p->inhabited += last;
    p->empty_kinds += last;
}

void placement_kinds_done(struct placement *p)
{
    HASH_CLEAR(hh, p->kinds_by_key);
    for (int32_t i = 0; i < p->kind_count; i++) {
        if (!p->kinds[i]) {
            continue;
        }
        tree_done(&p->kinds[i]->tree);
        free(p->kinds[i]->key);
        free(p->kinds[i]);
    }
    for (size_t i = 0; i <= PLACEMENT_CLASSES; i++) {
        free(p->classes[i].passing);
    }
    free(p->kinds);
    for (int level = 0; level < BLOCK_LEVELS; level++) {
        free(p->blocks[level]);
    }
    free(p->bounds);
    free(p->fronts);
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

/* The kinds that have the rarest of the names that are asked for, of which all others must have it too; NULL: nothing
 * narrows them down. */
static const struct name *rarest(const struct placement *p, const struct constraints *c)
{
    static const struct name nobody = {.kind_count = 0};
    static const enum constraint_list lists[] = {LIST_REQUIRED, LIST_PROPERTIES, LIST_CLASSES};
    const struct name *least = NULL;
    if (c->zone == -2) {
        return &nobody;
    }
    least = c->zone >= 0 ? p->name_at[c->zone] : NULL;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        int32_t count;
        const int32_t *names = placement_list(c, lists[l], &count);
        for (int32_t i = 0; i < count; i++) {
            const struct name *name = names[i] >= 0 ? p->name_at[names[i]] : &nobody;
            least = !least || name->kind_count < least->kind_count ? name : least;
        }
    }
    return least;
}

#define FEW_KINDS 256 /* are judged one by one whatever they are */

static void judge(const struct placement *p, struct class *k)
{
    k->judged = k->known ? k->judged : 0;
    k->known = true;
    const struct name *name = p->kind_count - k->judged > FEW_KINDS ? rarest(p, &k->key) : NULL;
    if (name && name->kind_count < p->kind_count / 4) {
        memset(k->passing, 0, ((size_t)p->kind_count + 63) / 64 * sizeof(uint64_t));
        for (int32_t i = 0; i < name->kind_count; i++) {
            judge_one(p, k, name->kinds[i]);
        }
        k->judged = p->kind_count;
    }
    for (; k->judged < p->kind_count; k->judged++) {
        judge_one(p, k, k->judged);
    }
}

static uint64_t hash_of(const struct constraints *c)
{
    const char *bytes = (const char *)c;
    uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (size_t size = placement_constraints_size(c), at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, sizeof(uint32_t));
        if (at + sizeof(uint64_t) <= size) {
            memcpy(&word, bytes + at, sizeof(word));
        }
        hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool is_class(const struct class *k, const struct constraints *c, size_t size, uint64_t hash)
{
    return k->known && k->hash == hash && memcmp(&k->key, c, size) == 0;
}

/* The entry of the class, or the one that makes room for it: judging few kinds costs less than what it would push out.
 */
static struct class *class_place(struct placement *p, const struct constraints *c, uint64_t hash)
{
    struct class *set = &p->classes[hash % (PLACEMENT_CLASSES / CLASS_WAYS) * CLASS_WAYS], *oldest = set;
    size_t size = placement_constraints_size(c);
    for (size_t i = 0; i < CLASS_WAYS; i++) {
        if (is_class(&set[i], c, size, hash)) {
            return &set[i];
        }
        if (set[i].used_at < oldest->used_at) {
            oldest = &set[i];
        }
    }
    const struct name *name = p->kind_count > FEW_KINDS ? rarest(p, c) : NULL;
    if (name && name->kind_count <= FEW_KINDS / 4) {
        oldest = &p->classes[PLACEMENT_CLASSES];
        if (is_class(oldest, c, size, hash)) {
            return oldest;
        }
    }
    memcpy(&oldest->key, c, size);
    oldest->hash = hash;
    oldest->known = false;
    oldest->goal_at = 0;
    return oldest;
}

static enum placement_goal pool_goal(const struct placement *p, const struct class *k)
{
    enum placement_goal goal = PLACEMENT_GOAL_DEFAULT;
    bool any = false;
    for (int32_t word = 0; word * 64 < p->kind_count; word++) {
        for (uint64_t bits = k->passing[word]; bits; bits &= bits - 1) {
            const struct kind *kind = p->kinds[word * 64 + __builtin_ctzll(bits)];
            if (kind->hosts == 0) {
                continue;
            }
            if (any && kind->goal != goal) {
                return PLACEMENT_GOAL_DEFAULT;
            }
            goal = kind->goal;
            any = true;
        }
    }
    return goal;
}

const struct class *placement_class_get(struct placement *p, const struct constraints *c)
{
    struct class *k = class_place(p, c, hash_of(c));
    judge(p, k);
    if (p->pools > 0 && k->goal_at != p->inhabited) {
        k->goal = pool_goal(p, k);
        k->goal_at = p->inhabited;
    }
    k->used_at = ++p->tick;
    return k;
}
