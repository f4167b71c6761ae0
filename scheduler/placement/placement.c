/* The library's face: hosts in, choices out.
 *
 * Happy path: resolve the request's names, get its class (which kinds of hosts pass), search the trees of those kinds
 * from the most promising on. What belongs to the request alone (hints, its group) is a set of slots to leave out, or
 * a few hosts that are scored one by one. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct placement_weights placement_weights_default = {
    .memory = 2, .vcpu = 1, .disk = 0, .servers = 0, .soft_affinity = 4, .soft_anti_affinity = 4};

struct placement *placement_new(const struct placement_weights *weights)
{
    struct placement *p = memory_new(sizeof(*p));
    p->weights = weights ? *weights : placement_weights_default;
    p->goal = PLACEMENT_GOAL_WEIGHTS;
    p->era = 1;
    p->free_slot = PLACEMENT_NO_SLOT;
    p->pcpu = placement_name_intern(p, PLACEMENT_PCPU);
    return p;
}

void placement_free(struct placement **placement)
{
    struct placement *p = *placement;
    if (!p) {
        return;
    }
    placement_kinds_done(p);
    placement_numa_done(p);
    struct name *name, *next_name;
    HASH_ITER (hh, p->names, name, next_name) {
        HASH_DEL(p->names, name);
        free(name->text);
        free(name->shown);
        free(name->kinds);
        free(name);
    }
    for (int32_t i = 0; i < p->slot_count; i++) {
        free(p->slots[i].extra);
    }
    free(p->name_at);
    free(p->confined);
    free(p->slots);
    free(p->by_id);
    free(p->excluded);
    free(p->scratch);
    free(p);
    *placement = NULL;
}

void placement_set_goal(struct placement *p, enum placement_goal goal)
{
    p->goal = goal == PLACEMENT_GOAL_DEFAULT ? PLACEMENT_GOAL_WEIGHTS : goal;
}

int32_t placement_class_number(struct placement *p, const char *name)
{
    return placement_name_intern(p, name);
}

const char *placement_class_name(const struct placement *p, int32_t number)
{
    return placement_name_text(p, number);
}

static uint32_t id_place(const struct placement *p, const char *id)
{
    uint32_t hash = 2166136261U;
    for (const char *c = id; *c; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    }
    return (hash ^ hash >> 15) & (p->by_id_size - 1);
}

static void id_put(struct placement *p, int32_t slot)
{
    uint32_t i = id_place(p, p->slots[slot].id);
    while (p->by_id[i] >= 0) {
        i = (i + 1) & (p->by_id_size - 1);
    }
    p->by_id[i] = slot;
}

/* Takes the slot out and moves up what had to make way for it. */
static void id_drop(struct placement *p, int32_t slot)
{
    uint32_t mask = p->by_id_size - 1, hole = id_place(p, p->slots[slot].id);
    while (p->by_id[hole] != slot) {
        hole = (hole + 1) & mask;
    }
    for (uint32_t i = (hole + 1) & mask; p->by_id[i] >= 0; i = (i + 1) & mask) {
        uint32_t home = id_place(p, p->slots[p->by_id[i]].id);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            p->by_id[hole] = p->by_id[i];
            hole = i;
        }
    }
    p->by_id[hole] = -1;
}

static void ids_grow(struct placement *p)
{
    p->by_id_size = p->by_id_size ? p->by_id_size * 2 : 256;
    p->by_id = memory_resize(p->by_id, p->by_id_size * sizeof(int32_t));
    memset(p->by_id, -1, p->by_id_size * sizeof(int32_t));
    for (int32_t i = 0; i < p->slot_count; i++) {
        if (p->slots[i].present) {
            id_put(p, i);
        }
    }
}

static void slots_grow(struct placement *p)
{
    size_t words = (size_t)p->slot_capacity / 64;
    p->slot_capacity = p->slot_capacity ? p->slot_capacity + p->slot_capacity / 128 * 64 : 256;
    p->slots = memory_resize(p->slots, (size_t)p->slot_capacity * sizeof(*p->slots));
    size_t grown = (size_t)p->slot_capacity / 64;
    p->excluded = memory_resize(p->excluded, grown * sizeof(uint64_t));
    memset(p->excluded + words, 0, (grown - words) * sizeof(uint64_t));
}

static int32_t slot_add(struct placement *p, const char *id)
{
    int32_t slot = p->free_slot;
    if (slot != PLACEMENT_NO_SLOT) {
        p->free_slot = p->slots[slot].next_free;
    } else {
        if (p->slot_count == p->slot_capacity) {
            slots_grow(p);
        }
        slot = p->slot_count++;
    }
    struct slot *s = &p->slots[slot];
    *s = (struct slot){.kind = -1};
    strncpy(s->id, id, sizeof(s->id) - 1);
    if ((uint32_t)(p->host_count + 1) > p->by_id_size / 2) {
        ids_grow(p);
    }
    s->present = true;
    p->host_count++;
    id_put(p, slot);
    return slot;
}

int32_t placement_slot(const struct placement *p, const char *id)
{
    if (p->by_id_size == 0) {
        return PLACEMENT_NO_SLOT;
    }
    for (uint32_t i = id_place(p, id); p->by_id[i] >= 0; i = (i + 1) & (p->by_id_size - 1)) {
        if (strcmp(p->slots[p->by_id[i]].id, id) == 0) {
            return p->by_id[i];
        }
    }
    return PLACEMENT_NO_SLOT;
}

static int32_t free_amount(int64_t capacity, int64_t used)
{
    int64_t amount = used < 0 ? capacity : capacity - used;
    return amount < 0 ? 0 : amount >= INT32_MAX ? INT32_MAX - 1 : (int32_t)amount;
}

void placement_values(const struct placement *p, const struct slot *s, int32_t *ret)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        ret[r] = free_amount(s->capacity[r], s->used.amount[r]);
    }
    ret[TREE_STAY] = s->stay;
    ret[TREE_SERVERS] = s->server_count;
    ret[TREE_WORTH] = placement_worth(p, s->kind, ret);
    int32_t dimensions = p->kinds[s->kind]->tree.dimensions;
    for (int32_t d = TREE_FIXED; d < dimensions; d++) {
        ret[d] = free_amount(s->extra[d - TREE_FIXED].capacity, s->extra[d - TREE_FIXED].used);
    }
}

/* The host's place in its kind's tree has changed; `values` is NULL when it has none any more. */
static void show(struct placement *p, int32_t slot, const int32_t *values)
{
    int32_t kind = p->slots[slot].kind;
    const struct tree *t = &p->kinds[kind]->tree;
    struct kind_front *f = &p->fronts[kind];
    f->hosts = t->count;
    f->least = t->all.least;
    memcpy(f->low, t->all.low, sizeof(f->low));
    memcpy(f->high, t->all.high, sizeof(f->high));
    placement_block_change(p, kind);
    placement_recall_change(p, slot, values);
}

static void plant(struct placement *p, int32_t slot)
{
    struct slot *s = &p->slots[slot];
    if (!s->planted && s->present && s->enabled && s->alive) {
        int32_t values[TREE_DIMENSIONS_MAX];
        placement_values(p, s, values);
        tree_insert(&p->kinds[s->kind]->tree, slot, values);
        s->planted = true;
        show(p, slot, values);
    }
}

static void unplant(struct placement *p, int32_t slot)
{
    struct slot *s = &p->slots[slot];
    if (s->planted) {
        int32_t values[TREE_DIMENSIONS_MAX];
        placement_values(p, s, values);
        tree_remove(&p->kinds[s->kind]->tree, slot, values);
        s->planted = false;
        show(p, slot, NULL);
    }
}

static void set_extra(struct slot *s, const struct placement_host *host)
{
    size_t count = host->class_count < PLACEMENT_CLASSES_MAX ? host->class_count : PLACEMENT_CLASSES_MAX;
    free(s->extra);
    s->extra = count > 0 ? memory_array(count, sizeof(*s->extra)) : NULL;
    for (size_t i = 0; i < count; i++) {
        s->extra[i].capacity = resource_capacity(&host->classes[i].inventory);
        s->extra[i].used = host->classes[i].used;
    }
}

static void count_in(struct placement *p, const struct slot *s, int sign)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        p->capacity.amount[r] += sign * s->capacity[r];
        p->used.amount[r] += sign * s->used.amount[r];
    }
}

int32_t placement_set_host(struct placement *p, const struct placement_host *host)
{
    int32_t slot = placement_slot(p, host->id);
    if (slot == PLACEMENT_NO_SLOT) {
        slot = slot_add(p, host->id);
    }
    struct slot *s = &p->slots[slot];
    struct resources capacity;
    struct placement_class classes[PLACEMENT_CLASSES_MAX];
    struct placement_host with_cells = *host;
    unplant(p, slot);
    count_in(p, s, -1);
    placement_numa_set(p, slot, &with_cells, classes);
    host = &with_cells;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        capacity.amount[r] = resource_capacity(&host->inventory[r]);
        s->capacity[r] = capacity.amount[r] < INT32_MAX ? (int32_t)capacity.amount[r] : INT32_MAX;
    }
    int32_t old_kind = s->kind;
    s->kind = placement_kind_get(p, host, &capacity)->number;
    if (old_kind >= 0) {
        placement_kind_leave(p, old_kind);
    }
    set_extra(s, host);
    s->enabled = host->enabled;
    s->alive = host->alive;
    s->used = host->used;
    s->server_count = (int32_t)host->server_count;
    s->revision = host->revision;
    count_in(p, s, 1);
    plant(p, slot);
    return slot;
}

void placement_remove_host(struct placement *p, const char *id)
{
    int32_t slot = placement_slot(p, id);
    if (slot == PLACEMENT_NO_SLOT) {
        return;
    }
    struct slot *s = &p->slots[slot];
    unplant(p, slot);
    count_in(p, s, -1);
    placement_kind_leave(p, s->kind);
    id_drop(p, slot);
    placement_numa_forget(p, slot);
    free(s->extra);
    *s = (struct slot){.kind = -1, .next_free = p->free_slot};
    p->free_slot = slot;
    p->host_count--;
}

int32_t placement_add_like(struct placement *p, int32_t from, const char *id)
{
    int32_t slot = slot_add(p, id);
    struct slot *s = &p->slots[slot];
    const struct slot *like = &p->slots[from];
    struct kind *kind = p->kinds[like->kind];
    size_t classes = (size_t)kind->key->class_count;
    s->kind = like->kind;
    s->enabled = s->alive = true;
    memcpy(s->capacity, like->capacity, sizeof(s->capacity));
    s->extra = classes > 0 ? memory_array(classes, sizeof(*s->extra)) : NULL;
    for (size_t i = 0; i < classes; i++) {
        s->extra[i] = (struct slot_extra){.capacity = like->extra[i].capacity};
    }
    placement_numa_copy(p, slot, from);
    placement_kind_join(p, kind);
    count_in(p, s, 1);
    plant(p, slot);
    return slot;
}

int32_t placement_slot_end(const struct placement *p)
{
    return p->slot_count;
}

bool placement_slot_holds(const struct placement *p, int32_t slot)
{
    return slot >= 0 && slot < p->slot_count && p->slots[slot].present;
}

static struct slot *slot_at(const struct placement *p, int32_t slot)
{
    assert(slot >= 0 && slot < p->slot_count && p->slots[slot].present);
    return &p->slots[slot];
}

bool placement_is_alive(const struct placement *p, int32_t slot)
{
    return slot_at(p, slot)->alive;
}

void placement_set_alive(struct placement *p, int32_t slot, bool alive)
{
    struct slot *s = slot_at(p, slot);
    if (s->alive == alive) {
        return;
    }
    s->alive = alive;
    if (alive) {
        plant(p, slot);
    } else {
        unplant(p, slot);
    }
}

const char *placement_host_id(const struct placement *p, int32_t slot)
{
    return slot_at(p, slot)->id;
}

int64_t placement_host_revision(const struct placement *p, int32_t slot)
{
    return slot_at(p, slot)->revision;
}

void placement_set_revision(struct placement *p, int32_t slot, int64_t revision)
{
    slot_at(p, slot)->revision = revision;
}

int64_t placement_host_count(const struct placement *p)
{
    return p->host_count;
}

const struct resources *placement_host_used(const struct placement *p, int32_t slot)
{
    return &slot_at(p, slot)->used;
}

struct resources placement_host_capacity(const struct placement *p, int32_t slot)
{
    const struct slot *s = slot_at(p, slot);
    return (struct resources){{s->capacity[0], s->capacity[1], s->capacity[2]}};
}

int64_t placement_host_servers(const struct placement *p, int32_t slot)
{
    return slot_at(p, slot)->server_count;
}

static void change(struct placement *p, int32_t slot, const struct resources *need, const struct placement_extra *extra,
                   int sign)
{
    struct slot *s = slot_at(p, slot);
    int32_t before[TREE_DIMENSIONS_MAX], after[TREE_DIMENSIONS_MAX];
    placement_values(p, s, before);
    if (extra && extra->numa && sign > 0) {
        placement_numa_take(p, slot, extra);
    } else if (extra && extra->numa) {
        placement_numa_release(p, slot, extra);
    }
    struct resources held = placement_held(need, extra);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        s->used.amount[r] += sign * held.amount[r];
        p->used.amount[r] += sign * held.amount[r];
    }
    for (size_t i = 0; extra && i < extra->count; i++) {
        int32_t at = placement_class_dimension(p->kinds[s->kind]->key, extra->item[i].class);
        if (at >= 0) {
            s->extra[at - TREE_FIXED].used += sign * placement_held_extra(p, extra, i);
        }
    }
    s->server_count += sign;
    if (s->server_count <= 0) {
        s->stay = 0;
    }
    if (s->planted) {
        placement_values(p, s, after);
        tree_move(&p->kinds[s->kind]->tree, slot, before, after);
        show(p, slot, after);
    }
}

void placement_take(struct placement *p, int32_t slot, const struct resources *need,
                    const struct placement_extra *extra)
{
    change(p, slot, need, extra, 1);
}

void placement_release(struct placement *p, int32_t slot, const struct resources *need,
                       const struct placement_extra *extra)
{
    change(p, slot, need, extra, -1);
}

void placement_hold(struct placement *p, int32_t slot, const struct resources *held,
                    const struct placement_extra *extra, const struct numa_given *given, int sign)
{
    struct placement_extra amounts = *extra;
    amounts.numa = NULL;
    if (given) {
        placement_numa_hold(p, slot, given, sign);
    }
    change(p, slot, held, &amounts, sign);
}

void placement_set_stay(struct placement *p, int32_t slot, int32_t stay)
{
    struct slot *s = slot_at(p, slot);
    if (s->stay == stay) {
        return;
    }
    int32_t before[TREE_DIMENSIONS_MAX], after[TREE_DIMENSIONS_MAX];
    placement_values(p, s, before);
    s->stay = stay;
    if (s->planted) {
        placement_values(p, s, after);
        tree_move(&p->kinds[s->kind]->tree, slot, before, after);
        show(p, slot, after);
    }
}
