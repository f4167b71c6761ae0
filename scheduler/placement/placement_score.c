/* Filters and weighers, each a table: a filter says why it removed a host, a weigher scores those that are left. */
#include "scheduler/placement/placement_internal.h"
#include <stdio.h>
#include <string.h>

static bool passes_enabled(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p, (void)c;
    return s->enabled;
}

static bool passes_alive(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p, (void)c;
    return s->alive;
}

static bool passes_zone(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return c->zone == -1 || c->zone == s->zone;
}

static bool passes_hypervisor(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return c->hypervisor == -1 || c->hypervisor == s->hypervisor;
}

static bool passes_architecture(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return c->architecture == -1 || c->architecture == s->architecture;
}

static bool has_name(const int32_t *names, size_t count, int32_t name)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] == name) {
            return true;
        }
    }
    return false;
}

static bool passes_traits(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    for (int32_t i = 0; i < c->required_count; i++) {
        if (!has_name(s->names, s->trait_count, c->required[i])) {
            return false;
        }
    }
    for (int32_t i = 0; i < c->forbidden_count; i++) {
        if (has_name(s->names, s->trait_count, c->forbidden[i])) {
            return false;
        }
    }
    return true;
}

static bool passes_properties(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    for (int32_t i = 0; i < c->property_count; i++) {
        if (!has_name(s->names + s->trait_count, s->property_count, c->properties[i])) {
            return false;
        }
    }
    return true;
}

static bool passes_tenant(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return !s->isolated || has_name(s->names + s->trait_count + s->property_count, s->tenant_count, c->project);
}

static bool has_room(const struct slot *s, const struct constraints *c, enum resource r)
{
    return c->need.amount[r] == 0 || s->used.amount[r] + c->need.amount[r] <= s->capacity.amount[r];
}

static bool passes_vcpu(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return has_room(s, c, RESOURCE_VCPU);
}

static bool passes_memory(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return has_room(s, c, RESOURCE_MEMORY_MIB);
}

static bool passes_disk(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    (void)p;
    return has_room(s, c, RESOURCE_DISK_GIB);
}

const struct placement_filter placement_filters[] = {
    {"enabled", "disabled", passes_enabled},
    {"alive", "not alive", passes_alive},
    {"zone", "in another availability zone", passes_zone},
    {"hypervisor", "of another hypervisor", passes_hypervisor},
    {"architecture", "of another architecture", passes_architecture},
    {"traits", "without the traits", passes_traits},
    {"properties", "without the aggregate properties", passes_properties},
    {"tenant", "kept for other projects", passes_tenant},
    {"vcpu", "full (VCPU)", passes_vcpu},
    {"memory", "full (MEMORY_MB)", passes_memory},
    {"disk", "full (DISK_GB)", passes_disk},
};
const size_t placement_filter_count = sizeof(placement_filters) / sizeof(placement_filters[0]);

bool placement_passes(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    if (!s->present) {
        return false;
    }
    for (size_t i = 0; i < placement_filter_count; i++) {
        if (!placement_filters[i].passes(p, s, c)) {
            return false;
        }
    }
    return true;
}

/* Permille of the capacity that stays free once the request is placed. */
static int64_t free_after(const struct slot *s, const struct constraints *c, enum resource r)
{
    if (s->capacity.amount[r] <= 0) {
        return 0;
    }
    return (s->capacity.amount[r] - s->used.amount[r] - c->need.amount[r]) * 1000 / s->capacity.amount[r];
}

static int64_t weigh_memory(const struct slot *s, const struct constraints *c)
{
    return free_after(s, c, RESOURCE_MEMORY_MIB);
}

static int64_t weigh_vcpu(const struct slot *s, const struct constraints *c)
{
    return free_after(s, c, RESOURCE_VCPU);
}

static int64_t weigh_disk(const struct slot *s, const struct constraints *c)
{
    return free_after(s, c, RESOURCE_DISK_GIB);
}

static int64_t weigh_servers(const struct slot *s, const struct constraints *c)
{
    (void)c;
    return -s->server_count * 1000;
}

static const struct {
    size_t multiplier; /* offset in struct placement_weights */
    int64_t (*weigh)(const struct slot *s, const struct constraints *c);
} weighers[] = {
    {offsetof(struct placement_weights, memory), weigh_memory},
    {offsetof(struct placement_weights, vcpu), weigh_vcpu},
    {offsetof(struct placement_weights, disk), weigh_disk},
    {offsetof(struct placement_weights, servers), weigh_servers},
};

int64_t placement_score(const struct placement *p, const struct slot *s, const struct constraints *c)
{
    int64_t score = 0;
    for (size_t i = 0; i < sizeof(weighers) / sizeof(weighers[0]); i++) {
        int32_t multiplier;
        memcpy(&multiplier, (const char *)&p->weights + weighers[i].multiplier, sizeof(multiplier));
        if (multiplier != 0) {
            score += weighers[i].weigh(s, c) * multiplier;
        }
    }
    return score;
}

char *placement_sentence(const struct placement_explanation *x, char *ret, size_t size)
{
    int used = snprintf(ret, size, "No valid host: %lld host%s", (long long)x->hosts, x->hosts == 1 ? "" : "s");
    for (size_t i = 0; i < x->count && used > 0 && (size_t)used < size; i++) {
        used += snprintf(ret + used, size - (size_t)used, ", %lld %s", (long long)x->removed[i].hosts,
                         x->removed[i].reason);
    }
    if (x->short_amount > 0 && used > 0 && (size_t)used < size) {
        snprintf(ret + used, size - (size_t)used, "; the nearest lacks %lld of %s", (long long)x->short_amount,
                 resource_name(x->short_resource));
    }
    return ret;
}
