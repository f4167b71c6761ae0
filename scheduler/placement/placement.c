/* The library's face: hosts in, choices out.
 *
 * Happy path: resolve the request's names, get its class (catching up with what changed), take the root of its
 * tournament. A request with a group or hints walks the class from the best down until a host passes what is particular
 * to it. */
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct placement_weights placement_weights_default = {
    .memory = 2, .vcpu = 1, .disk = 0, .servers = 0, .soft_affinity = 4, .soft_anti_affinity = 4};

static void *checked(void *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

struct placement *placement_new(const struct placement_weights *weights)
{
    struct placement *p = checked(calloc(1, sizeof(*p)));
    p->weights = weights ? *weights : placement_weights_default;
    p->journal = checked(calloc(PLACEMENT_JOURNAL, sizeof(*p->journal)));
    return p;
}

void placement_free(struct placement **placement)
{
    struct placement *p = *placement;
    if (!p) {
        return;
    }
    placement_class_done(p);
    struct name *name, *next_name;
    HASH_ITER (hh, p->names, name, next_name) {
        HASH_DEL(p->names, name);
        free(name->text);
        free(name);
    }
    struct slot_by_id *entry, *next_entry;
    HASH_ITER (hh, p->by_id, entry, next_entry) {
        HASH_DEL(p->by_id, entry);
        free(entry);
    }
    for (int32_t i = 0; i < p->slot_count; i++) {
        free(p->slots[i].names);
    }
    free(p->slots);
    free(p->journal);
    free(p->heap);
    free(p);
    *placement = NULL;
}

static int32_t name_find(const struct placement *p, const char *text)
{
    struct name *name;
    HASH_FIND_STR(p->names, text, name);
    return name ? name->number : -2;
}

static int32_t name_intern(struct placement *p, const char *text)
{
    struct name *name;
    HASH_FIND_STR(p->names, text, name);
    if (!name) {
        name = checked(calloc(1, sizeof(*name)));
        name->text = checked(strdup(text));
        name->number = p->name_count++;
        HASH_ADD_KEYPTR(hh, p->names, name->text, strlen(name->text), name);
    }
    return name->number;
}

static void changed(struct placement *p, int32_t slot)
{
    p->journal[p->journal_end % PLACEMENT_JOURNAL] = slot;
    p->journal_end++;
}

static int32_t slot_add(struct placement *p, const char *id)
{
    if (p->slot_count == p->slot_capacity) {
        p->slot_capacity = p->slot_capacity ? p->slot_capacity * 2 : 64;
        p->slots = checked(realloc(p->slots, (size_t)p->slot_capacity * sizeof(*p->slots)));
    }
    int32_t slot = p->slot_count++;
    memset(&p->slots[slot], 0, sizeof(p->slots[slot]));
    strncpy(p->slots[slot].id, id, sizeof(p->slots[slot].id) - 1);
    struct slot_by_id *entry = checked(calloc(1, sizeof(*entry)));
    entry->slot = slot;
    memcpy(entry->id, p->slots[slot].id, sizeof(entry->id));
    HASH_ADD_STR(p->by_id, id, entry);
    return slot;
}

static void slot_set_names(struct placement *p, struct slot *s, const struct placement_host *host)
{
    size_t tenants = 0;
    while (host->tenants && host->tenants[tenants]) {
        tenants++;
    }
    size_t total = host->trait_count + host->aggregate_count + tenants;
    free(s->names);
    s->names = total ? checked(calloc(total, sizeof(*s->names))) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < host->trait_count; i++) {
        s->names[n++] = name_intern(p, host->traits[i]);
    }
    for (size_t i = 0; i < host->aggregate_count; i++) {
        s->names[n++] = name_intern(p, host->aggregates[i]);
    }
    for (size_t i = 0; i < tenants; i++) {
        s->names[n++] = name_intern(p, host->tenants[i]);
    }
    s->trait_count = (uint16_t)host->trait_count;
    s->property_count = (uint16_t)host->aggregate_count;
    s->tenant_count = (uint16_t)tenants;
    s->isolated = host->tenants != NULL;
}

int32_t placement_set_host(struct placement *p, const struct placement_host *host)
{
    int32_t slot = placement_slot(p, host->id);
    if (slot == PLACEMENT_NO_SLOT) {
        slot = slot_add(p, host->id);
    }
    struct slot *s = &p->slots[slot];
    if (!s->present) {
        p->host_count++;
        s->present = true;
    }
    s->enabled = host->enabled;
    s->alive = host->alive;
    s->zone = name_intern(p, host->zone);
    s->hypervisor = name_intern(p, host->hypervisor);
    s->architecture = name_intern(p, host->architecture);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        s->capacity.amount[r] = resource_capacity(&host->inventory[r]);
    }
    s->used = host->used;
    s->server_count = host->server_count;
    s->revision = host->revision;
    slot_set_names(p, s, host);
    changed(p, slot);
    return slot;
}

void placement_remove_host(struct placement *p, const char *id)
{
    int32_t slot = placement_slot(p, id);
    if (slot != PLACEMENT_NO_SLOT && p->slots[slot].present) {
        p->slots[slot].present = false;
        p->host_count--;
        changed(p, slot);
    }
}

void placement_set_alive(struct placement *p, int32_t slot, bool alive)
{
    assert(slot >= 0 && slot < p->slot_count);
    if (p->slots[slot].alive != alive) {
        p->slots[slot].alive = alive;
        changed(p, slot);
    }
}

int32_t placement_slot(const struct placement *p, const char *id)
{
    struct slot_by_id *entry;
    HASH_FIND_STR(p->by_id, id, entry);
    return entry ? entry->slot : PLACEMENT_NO_SLOT;
}

const char *placement_host_id(const struct placement *p, int32_t slot)
{
    assert(slot >= 0 && slot < p->slot_count);
    return p->slots[slot].id;
}

int64_t placement_host_revision(const struct placement *p, int32_t slot)
{
    assert(slot >= 0 && slot < p->slot_count);
    return p->slots[slot].revision;
}

void placement_set_revision(struct placement *p, int32_t slot, int64_t revision)
{
    assert(slot >= 0 && slot < p->slot_count);
    p->slots[slot].revision = revision;
}

int64_t placement_host_count(const struct placement *p)
{
    return p->host_count;
}

const struct resources *placement_host_used(const struct placement *p, int32_t slot)
{
    assert(slot >= 0 && slot < p->slot_count);
    return &p->slots[slot].used;
}

void placement_take(struct placement *p, int32_t slot, const struct resources *need)
{
    assert(slot >= 0 && slot < p->slot_count);
    resources_add(&p->slots[slot].used, need);
    p->slots[slot].server_count++;
    changed(p, slot);
}

void placement_release(struct placement *p, int32_t slot, const struct resources *need)
{
    assert(slot >= 0 && slot < p->slot_count);
    resources_subtract(&p->slots[slot].used, need);
    p->slots[slot].server_count--;
    changed(p, slot);
}

static int32_t resolve_list(const struct placement *p, const char *const *names, int32_t *ret)
{
    int32_t count = 0;
    while (count < PLACEMENT_NAMES_MAX && names[count]) {
        ret[count] = name_find(p, names[count]);
        count++;
    }
    return count;
}

static void resolve(const struct placement *p, const struct placement_request *r, struct constraints *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->need = r->need;
    ret->project = r->project_id ? name_find(p, r->project_id) : -1;
    ret->zone = r->zone ? name_find(p, r->zone) : -1;
    ret->hypervisor = r->hypervisor ? name_find(p, r->hypervisor) : -1;
    ret->architecture = r->architecture ? name_find(p, r->architecture) : -1;
    ret->required_count = resolve_list(p, r->required, ret->required);
    ret->forbidden_count = resolve_list(p, r->forbidden, ret->forbidden);
    ret->property_count = resolve_list(p, r->properties, ret->properties);
}

static int32_t members_at(const struct placement_request *r, int32_t slot)
{
    for (size_t i = 0; i < r->member_count; i++) {
        if (r->members[i].slot == slot) {
            return r->members[i].count;
        }
    }
    return 0;
}

static bool avoided(const struct placement *p, const struct placement_request *r, int32_t slot)
{
    for (int i = 0; i < PLACEMENT_NAMES_MAX && r->avoid_hosts[i]; i++) {
        if (strcmp(p->slots[slot].id, r->avoid_hosts[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What belongs to this request alone and not to its class. */
static bool passes_own(const struct placement *p, const struct placement_request *r, int32_t slot)
{
    if (avoided(p, r, slot) || (r->only_host && strcmp(p->slots[slot].id, r->only_host) != 0)) {
        return false;
    }
    if (r->policy == PLACEMENT_AFFINITY) {
        return r->member_count == 0 || members_at(r, slot) > 0;
    }
    if (r->policy == PLACEMENT_ANTI_AFFINITY) {
        return members_at(r, slot) < (r->max_per_host > 0 ? r->max_per_host : 1);
    }
    return true;
}

static int64_t own_score(const struct placement *p, const struct placement_request *r, int32_t slot)
{
    int64_t members = members_at(r, slot);
    if (r->policy == PLACEMENT_SOFT_AFFINITY) {
        return members * 1000 * p->weights.soft_affinity;
    }
    if (r->policy == PLACEMENT_SOFT_ANTI_AFFINITY) {
        return -members * 1000 * p->weights.soft_anti_affinity;
    }
    return 0;
}

static bool is_plain(const struct placement_request *r)
{
    return !r->only_host && !r->avoid_hosts[0] && (r->policy == PLACEMENT_GROUP_NONE || r->member_count == 0);
}

/* The hosts of the group are few: score them one by one against the best of all others. */
static int32_t choose_soft(struct placement *p, const struct placement_request *r, const struct class *k)
{
    int32_t best = PLACEMENT_NO_SLOT;
    int64_t best_score = SCORE_NONE;
    struct walk w;
    placement_walk_start(p, k, &w);
    for (int32_t slot = placement_walk_next(p, &w); slot != PLACEMENT_NO_SLOT; slot = placement_walk_next(p, &w)) {
        if (members_at(r, slot) == 0 && passes_own(p, r, slot)) {
            best = slot;
            best_score = k->score[slot];
            break;
        }
    }
    for (size_t i = 0; i < r->member_count; i++) {
        int32_t slot = r->members[i].slot;
        if (slot < 0 || slot >= p->slot_count || k->score[slot] == SCORE_NONE || !passes_own(p, r, slot)) {
            continue;
        }
        int64_t score = k->score[slot] + own_score(p, r, slot);
        if (score > best_score || (score == best_score && slot < best)) {
            best = slot;
            best_score = score;
        }
    }
    return best;
}

static int32_t choose_walking(struct placement *p, const struct placement_request *r, const struct class *k)
{
    struct walk w;
    placement_walk_start(p, k, &w);
    for (int32_t slot = placement_walk_next(p, &w); slot != PLACEMENT_NO_SLOT; slot = placement_walk_next(p, &w)) {
        if (passes_own(p, r, slot)) {
            return slot;
        }
    }
    return PLACEMENT_NO_SLOT;
}

int32_t placement_choose(struct placement *p, const struct placement_request *r)
{
    struct constraints c;
    resolve(p, r, &c);
    const struct class *k = placement_class_get(p, &c);
    if (p->slot_count == 0) {
        return PLACEMENT_NO_SLOT;
    }
    if (is_plain(r)) {
        int32_t best = k->tree[1];
        return best >= 0 && k->score[best] != SCORE_NONE ? best : PLACEMENT_NO_SLOT;
    }
    if (r->policy == PLACEMENT_SOFT_AFFINITY || r->policy == PLACEMENT_SOFT_ANTI_AFFINITY) {
        return choose_soft(p, r, k);
    }
    if (r->only_host) {
        int32_t slot = placement_slot(p, r->only_host);
        bool fits = slot != PLACEMENT_NO_SLOT && k->score[slot] != SCORE_NONE && passes_own(p, r, slot);
        return fits ? slot : PLACEMENT_NO_SLOT;
    }
    return choose_walking(p, r, k);
}

static void note_removed(struct placement_explanation *x, const char *reason)
{
    for (size_t i = 0; i < x->count; i++) {
        if (strcmp(x->removed[i].reason, reason) == 0) {
            x->removed[i].hosts++;
            return;
        }
    }
    if (x->count < PLACEMENT_REASONS) {
        x->removed[x->count].reason = reason;
        x->removed[x->count].hosts = 1;
        x->count++;
    }
}

static const char *own_reason(const struct placement *p, const struct placement_request *r, int32_t slot)
{
    if (avoided(p, r, slot)) {
        return "excluded by different_host";
    }
    if (r->only_host && strcmp(p->slots[slot].id, r->only_host) != 0) {
        return "not the host asked for";
    }
    return r->policy == PLACEMENT_AFFINITY ? "outside the affinity group" : "taken by the anti-affinity group";
}

/* Remembers the host that lacks least of one resource, of those that amounts alone removed. */
static void note_short(struct placement_explanation *x, const struct slot *s, const struct constraints *c)
{
    int missing = 0;
    enum resource which = RESOURCE_VCPU;
    int64_t amount = 0;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t lack = c->need.amount[r] - (s->capacity.amount[r] - s->used.amount[r]);
        if (lack > 0) {
            missing++;
            which = (enum resource)r;
            amount = lack;
        }
    }
    if (missing == 1 && (x->short_amount == 0 || amount < x->short_amount)) {
        x->short_resource = which;
        x->short_amount = amount;
    }
}

void placement_explain(struct placement *p, const struct placement_request *r, struct placement_explanation *ret)
{
    struct constraints c;
    resolve(p, r, &c);
    memset(ret, 0, sizeof(*ret));
    for (int32_t i = 0; i < p->slot_count; i++) {
        const struct slot *s = &p->slots[i];
        if (!s->present) {
            continue;
        }
        ret->hosts++;
        size_t f = 0;
        while (f < placement_filter_count && placement_filters[f].passes(p, s, &c)) {
            f++;
        }
        if (f < placement_filter_count) {
            note_removed(ret, placement_filters[f].reason);
            note_short(ret, s, &c);
        } else if (!passes_own(p, r, i)) {
            note_removed(ret, own_reason(p, r, i));
        }
    }
}
