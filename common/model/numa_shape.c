/* How the guest sees its processors, and the checks of single extra specs. */
#include "common/model/numa_wish.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOCKETS, CORES, THREADS, PARTS };
static const char *const parts[PARTS] = {"sockets", "cores", "threads"};
#define UNLIMITED 65536

struct limits {
    int64_t flavor[PARTS], image[PARTS]; /* 0: not said */
};

static int read_part(numa_wish_fn get, void *arg, const char *prefix, const char *part, int64_t *ret, struct error *e)
{
    char key[64], *end;
    snprintf(key, sizeof(key), "%s%s", prefix, part);
    const char *text = get ? get(arg, key) : NULL;
    *ret = 0;
    if (!text || !*text)
        return 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < 1 || value > UNLIMITED)
        return error_set(e, ERR_INVALID, "The property '%s' cannot be '%.64s'. It must be a number greater than 0", key,
                         text);
    *ret = value;
    return 0;
}

static int read_limits(const struct numa_wish *w, const char *prefix, struct limits *ret, struct error *e)
{
    char flavor[32], image[32];
    int rc = 0;
    snprintf(flavor, sizeof(flavor), "hw:%s", prefix);
    snprintf(image, sizeof(image), "hw_%s", prefix);
    for (int i = 0; !rc && i < PARTS; i++) {
        rc = read_part(w->flavor, w->flavor_arg, flavor, parts[i], &ret->flavor[i], e);
        rc = rc ? rc : read_part(w->image, w->image_arg, image, parts[i], &ret->image[i], e);
    }
    return rc;
}

static int combine_most(const struct limits *most, int64_t ret[PARTS], struct error *e)
{
    for (int i = 0; i < PARTS; i++) {
        int64_t flavor = most->flavor[i] ? most->flavor[i] : UNLIMITED;
        if (most->image[i] > flavor)
            return error_set(e, ERR_INVALID,
                             "Image vCPU topology limits (%s=%lld) exceeds the limits of the flavor (%s=%lld)",
                             parts[i], (long long)most->image[i], parts[i], (long long)flavor);
        ret[i] = most->image[i] ? most->image[i] : flavor;
    }
    return 0;
}

static int combine_wanted(const struct limits *wanted, const int64_t most[PARTS], int64_t ret[PARTS], struct error *e)
{
    bool image = wanted->image[SOCKETS] || wanted->image[CORES] || wanted->image[THREADS];
    for (int i = 0; i < PARTS; i++) {
        ret[i] = image ? wanted->image[i] : wanted->flavor[i];
        if (image && ret[i] > most[i])
            return error_set(e, ERR_INVALID,
                             "Image vCPU topology (%s=%lld) exceeds the limits of the flavor or image (%s=%lld)",
                             parts[i], (long long)ret[i], parts[i], (long long)most[i]);
        if (ret[i] > most[i])
            ret[i] = 0;
    }
    return 0;
}

struct best {
    int64_t shape[PARTS];
    int matches;
};

/* More of what is wanted; then few threads, then many sockets. */
static bool is_better(const struct best *a, const struct best *b)
{
    int64_t wide = a->shape[SOCKETS] * a->shape[CORES], had = b->shape[SOCKETS] * b->shape[CORES];
    if (b->shape[SOCKETS] == 0 || a->matches != b->matches)
        return b->shape[SOCKETS] == 0 || a->matches > b->matches;
    return wide != had ? wide > had : a->shape[SOCKETS] > b->shape[SOCKETS];
}

static void try_shape(const struct best *shape, const int64_t most[PARTS], const int64_t wanted[PARTS],
                      struct best *best)
{
    struct best tried = *shape;
    for (int i = 0; i < PARTS; i++) {
        if (tried.shape[i] > most[i])
            return;
        tried.matches += wanted[i] != 0 && wanted[i] == tried.shape[i];
    }
    if (is_better(&tried, best))
        *best = tried;
}

int numa_wish_shape(const struct numa_wish *w, struct numa_shape *ret, struct error *e)
{
    struct limits most_said = {{0}, {0}}, wanted_said = {{0}, {0}};
    int64_t most[PARTS], wanted[PARTS];
    struct best best = {{0}, 0};
    int rc = read_limits(w, "cpu_max_", &most_said, e);
    rc = rc ? rc : read_limits(w, "cpu_", &wanted_said, e);
    rc = rc ? rc : combine_most(&most_said, most, e);
    rc = rc ? rc : combine_wanted(&wanted_said, most, wanted, e);
    if (rc)
        return rc;
    for (int64_t s = 1; s <= w->vcpus; s++) {
        if (w->vcpus % s != 0)
            continue;
        for (int64_t c = 1; c <= w->vcpus / s; c++) {
            struct best shape = {{s, c, w->vcpus / s / c}, 0};
            if (w->vcpus / s % c == 0)
                try_shape(&shape, most, wanted, &best);
        }
    }
    if (best.shape[SOCKETS] == 0)
        return error_set(
            e, ERR_INVALID, "Requested vCPU limits %lld:%lld:%lld are impossible to satisfy for vcpus count %lld",
            (long long)most[SOCKETS], (long long)most[CORES], (long long)most[THREADS], (long long)w->vcpus);
    *ret = (struct numa_shape){(int32_t)best.shape[SOCKETS], (int32_t)best.shape[CORES], (int32_t)best.shape[THREADS]};
    return 0;
}

/* ---- single extra specs ---- */

static bool is_one_of(const char *value, const char *list)
{
    size_t size = strlen(value);
    for (const char *at = list; *at;) {
        size_t item = strcspn(at, ",");
        if (item == size && strncmp(at, value, size) == 0)
            return true;
        at += item + strspn(at + item, ", ");
    }
    return false;
}

static int check_number(const char *value, struct error *e)
{
    char *end;
    long long number = strtoll(value, &end, 10);
    if (end == value || *end)
        return error_set(e, ERR_INVALID, "Validation failed; '%.64s' is not a valid integer value.", value);
    if (number < 1)
        return error_set(e, ERR_INVALID, "Validation failed; '%.64s' is less than the min value of '1'.", value);
    return 0;
}

int numa_wish_check_spec(const char *name, const char *value, struct error *e)
{
    static const struct {
        const char *name, *list; /* list NULL: a number from 1 on */
    } specs[] = {{"hw:cpu_policy", "dedicated, mixed, shared"},
                 {"hw:cpu_thread_policy", "prefer, isolate, require"},
                 {"hw:emulator_threads_policy", "isolate, share"},
                 {"hw:numa_nodes", NULL},
                 {"hw:cpu_sockets", NULL},
                 {"hw:cpu_cores", NULL},
                 {"hw:cpu_threads", NULL},
                 {"hw:cpu_max_sockets", NULL},
                 {"hw:cpu_max_cores", NULL},
                 {"hw:cpu_max_threads", NULL}};
    if (strncmp(name, "hw:numa_mem.", strlen("hw:numa_mem.")) == 0)
        return check_number(value, e);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        if (strcmp(specs[i].name, name) != 0)
            continue;
        if (!specs[i].list)
            return check_number(value, e);
        if (!is_one_of(value, specs[i].list))
            return error_set(e, ERR_INVALID, "Validation failed; '%.64s' is not one of: %s.", value, specs[i].list);
    }
    return 0;
}
