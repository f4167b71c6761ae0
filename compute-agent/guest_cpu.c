/* A host that lacks some of its baseline gives the rest: its guests may then go to every other host of the pool, but
 * those of the others not here. */
#include "compute-agent/guest_cpu.h"
#include "compute-agent/settings.h"
#include <string.h>

const char *guest_cpu_models(const struct settings *s)
{
    return s->cpu_models ? s->cpu_models : s->cpu_model;
}

const char *guest_cpu_mode(const struct settings *s)
{
    const char *mode = s->cpu_mode ? s->cpu_mode : "auto";
    return strcmp(mode, "auto") == 0 && guest_cpu_models(s) ? "custom" : mode;
}

bool guest_cpu_takes_baseline(const struct guest_cpu_host *h)
{
    return h->known && h->baseline && strcmp(guest_cpu_mode(h->settings), "auto") == 0;
}

struct cpu_set guest_cpu_lacks(const struct guest_cpu_host *h, struct arena *a)
{
    struct cpu_set none = {0};
    return guest_cpu_takes_baseline(h) ? cpu_set_minus(&h->baseline->features, &h->host, a) : none;
}

/* What the hypervisor said nothing of. */
static const char *first_model(const struct settings *s, struct arena *a)
{
    const char *list = guest_cpu_models(s);
    return list ? arena_strndup(a, list, strcspn(list, ", ")) : NULL;
}

/* Guests have the host's processor, or all of it that has a name. */
static bool is_whole(const struct guest_cpu_host *h)
{
    return h->kvm && strcmp(guest_cpu_mode(h->settings), "custom") != 0;
}

struct cpu_set guest_cpu_gives(const struct guest_cpu_host *h, struct arena *a)
{
    struct cpu_set gives = {0}, more, without;
    if (!h->known)
        return gives;
    if (guest_cpu_takes_baseline(h))
        gives = cpu_set_both(&h->baseline->features, &h->host, a);
    else if (is_whole(h))
        gives = h->host;
    else
        for (size_t i = 0; i < h->model_count; i++)
            gives = cpu_set_either(&gives, &h->models[i].gives, a);
    cpu_flags_read(h->settings->cpu_flags, a, &more, &without);
    more = cpu_set_both(&more, &h->host, a);
    gives = cpu_set_either(&gives, &more, a);
    return cpu_set_minus(&gives, &without, a);
}

/* "trait:NAME", or "traitGROUP:NAME". */
static void want(struct cpu_set *s, const struct json_map *map, struct arena *a)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->pairs[i].key, *colon = strchr(key, ':');
        bool asks = strncmp(key, "trait", strlen("trait")) == 0 && strcmp(map->pairs[i].value, "required") == 0;
        const char *feature = asks && colon ? cpu_feature(colon + 1) : NULL;
        if (feature)
            cpu_set_add(s, feature, a);
    }
}

struct cpu_set guest_cpu_wanted(const struct spec *spec, struct arena *a)
{
    struct cpu_set wanted = {0};
    want(&wanted, &spec->flavor_extra, a);
    if (spec->image)
        want(&wanted, &spec->image->properties, a);
    return wanted;
}

void guest_cpu_choose(const struct guest_cpu_host *h, const struct spec *spec, struct arena *a, struct guest_cpu *ret)
{
    struct cpu_set wanted = guest_cpu_wanted(spec, a);
    *ret = (struct guest_cpu){.mode = guest_cpu_mode(h->settings)};
    if (guest_cpu_takes_baseline(h)) {
        ret->mode = "custom";
        ret->baseline = true;
        ret->without = guest_cpu_lacks(h, a);
        return;
    }
    if (is_whole(h))
        return;
    const struct cpu_model *m = cpu_choose(h->models, h->model_count, &wanted, &h->host, a, &ret->more);
    ret->mode = "custom";
    ret->model = m ? m->name : first_model(h->settings, a);
}

void guest_cpu_each_trait(const struct guest_cpu_host *h, void (*each)(void *arg, const char *trait), void *arg)
{
    struct arena a;
    arena_init(&a);
    struct cpu_set gives = guest_cpu_gives(h, &a);
    for (size_t i = 0; i < gives.count; i++) {
        const char *trait = cpu_trait(gives.names[i]);
        if (trait)
            each(arg, trait);
    }
    if (guest_cpu_lacks(h, &a).count > 0)
        each(arg, CPU_TRAIT_BELOW_BASELINE);
    arena_done(&a);
}

void guest_cpu_print(const struct guest_cpu_host *h, const char *kind, const char *model, const char *description,
                     struct json_out *o)
{
    if (!h->known)
        return;
    json_out_object(o, "guest_cpu");
    json_out_text(o, "kind", kind);
    json_out_text(o, "mode", guest_cpu_mode(h->settings));
    json_out_text(o, "model", model);
    json_out_text(o, "description", description);
    cpu_set_write(&h->host, o, "features");
    json_out_int(o, "baseline_id", guest_cpu_takes_baseline(h) ? h->baseline->id : 0);
    json_out_object_end(o);
}
