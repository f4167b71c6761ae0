/* Filters on kinds, in the order in which they are told. A request's names become numbers once; texts are looked at
 * only when a class judges a kind, which is once for both. */
#include "common/memory.h"
#include "common/model/spec_match.h"
#include "scheduler/placement/placement_internal.h"
#include <stdlib.h>
#include <string.h>

int placement_order_numbers(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

#define MATCH_SEPARATOR '\x1f' /* between a match's key and its spec, in its name */

int32_t placement_match_number(struct placement *p, const char *key, const char *spec)
{
    size_t key_size = strlen(key), spec_size = strlen(spec);
    char *text = memory_new(key_size + spec_size + 2);
    memcpy(text, key, key_size);
    text[key_size] = MATCH_SEPARATOR;
    memcpy(text + key_size + 1, spec, spec_size);
    int32_t number = placement_name_intern(p, text);
    struct name *name = p->name_at[number];
    if (!name->shown) {
        text[key_size] = ' ';
        name->shown = memory_strdup(text);
    }
    free(text);
    return number;
}

bool placement_has_key(const struct placement *p, const char *key)
{
    int32_t number = placement_name_find(p, key);
    return number >= 0 && p->name_at[number]->is_key;
}

void placement_confine(struct placement *p, const char *const *projects, size_t count)
{
    p->confined = memory_resize(p->confined, (count + 1) * sizeof(*p->confined));
    p->confined_count = count;
    for (size_t i = 0; i < count; i++) {
        p->confined[i] = placement_name_intern(p, projects[i]);
    }
    if (count > 0) {
        qsort(p->confined, count, sizeof(*p->confined), placement_order_numbers);
    }
}

static void put(struct constraints *c, int32_t name)
{
    c->names[c->name_count++] = name;
}

static void put_texts(const struct placement *p, const char *const *names, struct constraints *c)
{
    for (int32_t i = 0; i < PLACEMENT_NAMES_MAX && names[i]; i++) {
        put(c, placement_name_find(p, names[i]));
    }
}

/* What no host is kept by is not asked: -2. */
static int32_t kept_key(const struct placement *p, const struct placement_kept *kept, enum placement_keeps what)
{
    int32_t key = kept->what == what ? placement_name_find(p, kept->key) : -2;
    return key >= 0 && p->name_at[key]->is_key ? key : -2;
}

static void put_kept(const struct placement *p, const struct placement_request *r, enum placement_keeps what,
                     struct constraints *c)
{
    for (size_t i = 0; i < r->kept_count; i++) {
        const struct placement_kept *kept = &r->kept[i];
        int32_t key = kept_key(p, kept, what);
        if (key < 0) {
            continue;
        }
        put(c, key);
        for (int v = 0; v < PLACEMENT_KEPT_VALUES; v++) {
            put(c, kept->values[v] ? placement_name_find(p, kept->values[v]) : -1);
        }
    }
}

static bool is_confined(const struct placement *p, int32_t project)
{
    return p->confined_count > 0 &&
           bsearch(&project, p->confined, p->confined_count, sizeof(*p->confined), placement_order_numbers) != NULL;
}

void placement_resolve(const struct placement *p, const struct placement_request *r, struct constraints *ret)
{
    memset(ret, 0, offsetof(struct constraints, names));
    ret->project = r->project_id ? placement_name_find(p, r->project_id) : -1;
    ret->zone = r->zone ? placement_name_find(p, r->zone) : -1;
    ret->hypervisor = r->hypervisor ? placement_name_find(p, r->hypervisor) : -1;
    ret->architecture = r->architecture ? placement_name_find(p, r->architecture) : -1;
    ret->confined = is_confined(p, ret->project);
    put_texts(p, r->required, ret);
    ret->end[LIST_REQUIRED] = (int16_t)ret->name_count;
    put_texts(p, r->forbidden, ret);
    ret->end[LIST_FORBIDDEN] = (int16_t)ret->name_count;
    put_texts(p, r->properties, ret);
    ret->end[LIST_PROPERTIES] = (int16_t)ret->name_count;
    for (size_t i = 0; i < r->extra.count; i++) {
        put(ret, r->extra.item[i].class);
    }
    ret->end[LIST_CLASSES] = (int16_t)ret->name_count;
    for (size_t i = 0; i < r->match_count; i++) {
        put(ret, r->matches[i]);
    }
    ret->end[LIST_MATCHES] = (int16_t)ret->name_count;
    for (int what = 0; what < PLACEMENT_KEEPS_COUNT; what++) {
        put_kept(p, r, (enum placement_keeps)what, ret);
        ret->end[LIST_KEPT + what] = (int16_t)ret->name_count;
    }
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

static bool passes_zone(struct judging *j)
{
    j->detail = j->r ? j->r->zone : NULL;
    return j->c->zone == -1 || j->c->zone == j->k->zone;
}

static bool passes_hypervisor(struct judging *j)
{
    j->detail = j->r ? j->r->hypervisor : NULL;
    return j->c->hypervisor == -1 || j->c->hypervisor == j->k->hypervisor;
}

static bool passes_architecture(struct judging *j)
{
    j->detail = j->r ? j->r->architecture : NULL;
    return j->c->architecture == -1 || j->c->architecture == j->k->architecture;
}

static bool passes_required(struct judging *j)
{
    int32_t count;
    const int32_t *wanted = placement_list(j->c, LIST_REQUIRED, &count);
    for (int32_t i = 0; i < count; i++) {
        if (!has_name(j->k->names, j->k->trait_count, wanted[i])) {
            j->detail = j->r ? j->r->required[i] : NULL;
            return false;
        }
    }
    return true;
}

static bool passes_forbidden(struct judging *j)
{
    int32_t count;
    const int32_t *unwanted = placement_list(j->c, LIST_FORBIDDEN, &count);
    for (int32_t i = 0; i < count; i++) {
        if (has_name(j->k->names, j->k->trait_count, unwanted[i])) {
            j->detail = j->r ? j->r->forbidden[i] : NULL;
            return false;
        }
    }
    return true;
}

static const char *property_at(const struct placement *p, const struct kind_key *k, int32_t index)
{
    return placement_name_text(p, k->names[k->trait_count + index]);
}

/* The value of the property when it is of the key, else NULL. */
static const char *value_of(const char *property, const char *key, size_t key_size)
{
    return strncmp(property, key, key_size) == 0 && property[key_size] == '=' ? property + key_size + 1 : NULL;
}

const char *placement_host_property(const struct placement *p, int32_t slot, const char *key)
{
    const struct kind_key *k = p->kinds[p->slots[slot].kind]->key;
    const char *value = NULL;
    for (int32_t i = 0; i < k->property_count && !value; i++) {
        value = value_of(property_at(p, k, i), key, strlen(key));
    }
    return value;
}

/* The kind's value of the key that is as asked, if there is one. */
static bool matches(const struct placement *p, const struct kind_key *k, int32_t match)
{
    const char *text = placement_name_text(p, match), *spec = strchr(text, MATCH_SEPARATOR) + 1;
    size_t key_size = (size_t)(spec - 1 - text);
    for (int32_t i = 0; i < k->property_count; i++) {
        const char *value = value_of(property_at(p, k, i), text, key_size);
        if (value && spec_match(value, spec)) {
            return true;
        }
    }
    return false;
}

static bool passes_properties(struct judging *j)
{
    int32_t exact, match;
    const int32_t *properties = placement_list(j->c, LIST_PROPERTIES, &exact);
    const int32_t *rules = placement_list(j->c, LIST_MATCHES, &match);
    for (int32_t i = 0; i < exact; i++) {
        if (!has_name(j->k->names + j->k->trait_count, j->k->property_count, properties[i])) {
            j->detail = j->r ? j->r->properties[i] : NULL;
            return false;
        }
    }
    for (int32_t i = 0; i < match; i++) {
        if (!matches(j->p, j->k, rules[i])) {
            j->detail = j->p->name_at[rules[i]]->shown;
            return false;
        }
    }
    return true;
}

/* Whether the kind, where it has the key at all, has one of the values. */
static bool is_kept_for(const struct placement *p, const struct kind_key *k, const int32_t *kept)
{
    const int32_t *properties = k->names + k->trait_count;
    const char *key = placement_name_text(p, kept[0]);
    bool kept_at_all = false;
    for (int v = 1; v <= PLACEMENT_KEPT_VALUES; v++) {
        if (kept[v] >= 0 && has_name(properties, k->property_count, kept[v])) {
            return true;
        }
    }
    for (int32_t i = 0; i < k->property_count && !kept_at_all; i++) {
        kept_at_all = value_of(property_at(p, k, i), key, strlen(key)) != NULL;
    }
    return !kept_at_all;
}

/* The request's `index`-th wish that asks such hosts. */
static const struct placement_kept *kept_at(const struct judging *j, enum placement_keeps what, int32_t index)
{
    size_t i = 0;
    while (kept_key(j->p, &j->r->kept[i], what) < 0 || index-- > 0) {
        i++;
    }
    return &j->r->kept[i];
}

/* The detail is what was asked for: the image's property, or the name of the network or store. */
static bool passes_kept(struct judging *j, enum placement_keeps what)
{
    int32_t count;
    const int32_t *kept = placement_list(j->c, (enum constraint_list)((int)LIST_KEPT + (int)what), &count);
    for (int32_t i = 0; i < count; i += KEPT_STEP) {
        if (is_kept_for(j->p, j->k, kept + i)) {
            continue;
        }
        const char *asked = j->r ? kept_at(j, what, i / KEPT_STEP)->values[0] : NULL;
        const char *value = asked ? strchr(asked, '=') : NULL;
        j->detail = what == PLACEMENT_KEEPS_IMAGES || !value ? asked : value + 1;
        return false;
    }
    return true;
}

static bool passes_image(struct judging *j)
{
    return passes_kept(j, PLACEMENT_KEEPS_IMAGES);
}

static bool passes_networks(struct judging *j)
{
    return passes_kept(j, PLACEMENT_KEEPS_NETWORKS);
}

static bool passes_stores(struct judging *j)
{
    return passes_kept(j, PLACEMENT_KEEPS_STORES);
}

/* An aggregate with the property trait:X=required takes only servers that require the trait. */
static bool passes_isolation(struct judging *j)
{
    static const char prefix[] = "trait:", suffix[] = "=required";
    int32_t count;
    const int32_t *required = placement_list(j->c, LIST_REQUIRED, &count);
    for (int32_t i = 0; i < j->k->property_count; i++) {
        const char *text = property_at(j->p, j->k, i), *trait = text + strlen(prefix);
        if (strncmp(text, prefix, strlen(prefix)) != 0 || !strstr(trait, suffix)) {
            continue;
        }
        size_t size = strlen(trait) - strlen(suffix);
        bool asked = false;
        for (int32_t r = 0; r < count && !asked; r++) {
            const char *name = placement_name_text(j->p, required[r]);
            asked = name && strncmp(name, trait, size) == 0 && name[size] == '\0';
        }
        if (!asked) {
            j->detail = text;
            return false;
        }
    }
    return true;
}

bool placement_keeps_reached(const struct placement *p, int32_t slot, const struct placement_request *r)
{
    struct constraints c;
    placement_resolve(p, r, &c);
    struct judging j = {.p = p, .k = p->kinds[p->slots[slot].kind]->key, .c = &c};
    return passes_image(&j) && passes_networks(&j) && passes_stores(&j);
}

static bool is_tenant(const struct kind_key *k, int32_t project)
{
    return k->isolated && has_name(k->names + k->trait_count + k->property_count, k->tenant_count, project);
}

static bool passes_tenant(struct judging *j)
{
    j->detail = j->r ? j->r->project_id : NULL;
    return !j->k->isolated || is_tenant(j->k, j->c->project);
}

static bool passes_confinement(struct judging *j)
{
    j->detail = j->r ? j->r->project_id : NULL;
    return !j->c->confined || is_tenant(j->k, j->c->project);
}

static bool passes_classes(struct judging *j)
{
    int32_t count;
    const int32_t *classes = placement_list(j->c, LIST_CLASSES, &count);
    for (int32_t i = 0; i < count; i++) {
        if (placement_class_dimension(j->k, classes[i]) < 0) {
            j->detail = placement_name_text(j->p, classes[i]);
            return false;
        }
    }
    return true;
}

static const struct kind_filter {
    const char *reason;
    bool (*passes)(struct judging *j);
} filters[] = {
    {"outside the availability zone", passes_zone},
    {"not of the hypervisor", passes_hypervisor},
    {"not of the architecture", passes_architecture},
    {"without the traits", passes_required},
    {"with forbidden traits", passes_forbidden},
    {"without the aggregate properties", passes_properties},
    {"in aggregates for other images", passes_image},
    {"in aggregates for servers that ask for a trait", passes_isolation},
    {"kept for other projects", passes_tenant},
    {"not among the project's own", passes_confinement},
    {"without reach of the network", passes_networks},
    {"without reach of the store", passes_stores},
    {"without the resource class", passes_classes},
};

const char *placement_kind_refusal(struct judging *j, int *ret_index)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (!filters[i].passes(j)) {
            *ret_index = (int)i;
            return filters[i].reason;
        }
    }
    return NULL;
}

bool placement_kind_passes(const struct placement *p, const struct kind_key *k, const struct constraints *c)
{
    struct judging j = {.p = p, .k = k, .c = c};
    int index;
    return placement_kind_refusal(&j, &index) == NULL;
}
