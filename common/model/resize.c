/* Both flavors are read and compared member by member. What is placed by NUMA cells, pages or processors of its own has
 * no headroom there. */
#include "common/model/resize.h"
#include "common/arena.h"
#include "common/json_in.h"
#include <stdlib.h>
#include <string.h>

struct sizes {
    int64_t vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib;
    int64_t max_vcpus, max_memory_mib; /* 0: no headroom */
    bool plain;                        /* no extra spec that pins it to parts of the host */
    const char *extra;                 /* as text */
};

static int64_t number_of(json_value *object, const char *name)
{
    json_value *value = json_in_member(object, name);
    int64_t number = 0;
    if (!json_in_int(value, &number) && json_in_text(value))
        number = strtoll(json_in_text(value), NULL, 10);
    return number;
}

static int look_at_spec(void *arg, const char *name, json_value *value)
{
    struct sizes *s = arg;
    (void)value;
    if (strncmp(name, "hw:", 3) == 0 || strncmp(name, "resources", 9) == 0 || strncmp(name, "pci_", 4) == 0)
        s->plain = false;
    return 0;
}

static bool read_sizes(const char *flavor, struct arena *a, struct sizes *ret)
{
    struct json_doc doc;
    if (json_in_parse(flavor, strlen(flavor), &doc, NULL))
        return false;
    json_value *extra = json_in_member(doc.root, "extra");
    *ret = (struct sizes){.vcpus = number_of(doc.root, "vcpus"),
                          .memory_mib = number_of(doc.root, "memory_mib"),
                          .root_gib = number_of(doc.root, "root_gib"),
                          .ephemeral_gib = number_of(doc.root, "ephemeral_gib"),
                          .swap_mib = number_of(doc.root, "swap_mib"),
                          .max_vcpus = number_of(extra, RESIZE_MAX_VCPUS),
                          .max_memory_mib = number_of(extra, RESIZE_MAX_MEMORY_MIB),
                          .plain = true,
                          .extra = json_in_print(extra, a)};
    json_in_each(extra, look_at_spec, ret);
    json_in_done(&doc);
    return true;
}

/* Grows from `a` to `b`, or stays; a maximum of 0 only lets it stay. */
static bool grows(int64_t a, int64_t b, int64_t most)
{
    return a == b || (a < b && b <= most);
}

static bool runs_on(const struct sizes *x, const struct sizes *y)
{
    return strcmp(x->extra, y->extra) == 0 && grows(x->vcpus, y->vcpus, x->max_vcpus) &&
           grows(x->memory_mib, y->memory_mib, x->max_memory_mib) &&
           (y->memory_mib - x->memory_mib) % RESIZE_MEMORY_STEP_MIB == 0;
}

static bool same_disks(const struct sizes *x, const struct sizes *y)
{
    return x->ephemeral_gib == y->ephemeral_gib && x->swap_mib == y->swap_mib;
}

static bool grows_others(const struct sizes *x, const struct sizes *y)
{
    return x->ephemeral_gib <= y->ephemeral_gib && x->swap_mib <= y->swap_mib;
}

/* One without a size of its own has its image's. */
static bool grows_root(const struct sizes *x, const struct sizes *y)
{
    return x->root_gib > 0 && x->root_gib < y->root_gib;
}

static bool stays(const struct sizes *x, const struct sizes *y)
{
    return x->plain && y->plain && (x->root_gib == y->root_gib || grows_root(x, y)) && x->vcpus <= y->vcpus &&
           x->memory_mib <= y->memory_mib;
}

static enum resize_way way_of(const struct sizes *x, const struct sizes *y)
{
    if (!stays(x, y))
        return RESIZE_ANEW;
    bool live = runs_on(x, y);
    if (same_disks(x, y) && !grows_root(x, y))
        return live ? RESIZE_LIVE : RESIZE_RESTART;
    return live && grows_others(x, y) ? RESIZE_PLUG : RESIZE_ANEW;
}

/* As placement counts them. */
static int64_t disks_gib(const struct sizes *s)
{
    return s->root_gib + s->ephemeral_gib + (s->swap_mib + 1023) / 1024;
}

enum resize_way resize_way_of(const char *old_flavor, const char *new_flavor, struct resources *ret_more)
{
    struct arena a;
    struct sizes x, y;
    enum resize_way way = RESIZE_ANEW;
    arena_init(&a);
    if (read_sizes(old_flavor, &a, &x) && read_sizes(new_flavor, &a, &y))
        way = way_of(&x, &y);
    if (way != RESIZE_ANEW) {
        *ret_more = (struct resources){{0}};
        ret_more->amount[RESOURCE_VCPU] = y.vcpus - x.vcpus;
        ret_more->amount[RESOURCE_MEMORY_MIB] = y.memory_mib - x.memory_mib;
        ret_more->amount[RESOURCE_DISK_GIB] = disks_gib(&y) - disks_gib(&x);
    }
    arena_done(&a);
    return way;
}

static bool read_disks(const char *flavor, struct resize_disks *ret)
{
    struct arena a;
    struct sizes s;
    arena_init(&a);
    bool good = read_sizes(flavor, &a, &s);
    if (good)
        *ret = (struct resize_disks){s.root_gib, s.ephemeral_gib, s.swap_mib};
    arena_done(&a);
    return good;
}

void resize_keep_disks(const char *old_flavor, struct resize_disks *disks)
{
    struct resize_disks old;
    if (!read_disks(old_flavor, &old))
        return;
    disks->root_gib = old.root_gib;
    disks->ephemeral_gib = old.ephemeral_gib > 0 ? old.ephemeral_gib : disks->ephemeral_gib;
    disks->swap_mib = old.swap_mib > 0 ? old.swap_mib : disks->swap_mib;
}

bool resize_waits(const char *old_flavor, const char *new_flavor)
{
    struct resize_disks new, now;
    if (!read_disks(new_flavor, &new))
        return false;
    now = new;
    resize_keep_disks(old_flavor, &now);
    return now.root_gib != new.root_gib || now.ephemeral_gib != new.ephemeral_gib || now.swap_mib != new.swap_mib;
}

bool resize_is_in_place(const char *options)
{
    struct json_doc doc;
    bool chosen = false;
    if (json_in_parse(options, strlen(options), &doc, NULL) == 0) {
        chosen = json_in_bool(json_in_member(doc.root, "in_place"), &chosen) && chosen;
        json_in_done(&doc);
    }
    return chosen;
}
