/* Configuration by one table. Every option's text is gathered first, source after source, together with the place where
 * it came from; only then is each text turned into its value, so that an error names the place that won and nothing is
 * half applied.
 *
 * What config_reload needs (the path, the arguments) is kept beside the target until config_done. Text that a reload
 * replaces stays allocated until then too: other threads may still look at it. */
#include "common/config_internal.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a target was loaded from. */
struct config_origin {
    const void *target;
    char *path;
    bool path_named; /* by --config: it must exist */
    int argc;
    char **argv;
    struct config_entry *entries;
    char **retired;
    size_t retired_count;
    struct config_origin *next;
};
static struct config_origin *config_origins;

/* All sources in their order. The flags are read twice: first for --config (and the option `prefix`, which moves the
 * default path). */
static int config_gather(const struct config_spec *spec, const struct config_origin *origin,
                         struct config_entry **ret_entries, struct error *e)
{
    struct config_flags flags = {0};
    struct config_entry *entries = config_defaults(spec);
    int rc = origin->path ? config_take_file(spec, entries, origin->path, origin->path_named, e) : 0;
    if (!rc) {
        config_take_environment(spec, entries);
        rc = config_take_flags(spec, entries, origin->argc, origin->argv, &flags, e);
    }
    if (rc) {
        config_entries_free(spec, entries);
        return rc;
    }
    *ret_entries = entries;
    return 0;
}

static struct config_origin *config_origin_of(const void *target)
{
    struct config_origin *origin = config_origins;
    while (origin && origin->target != target)
        origin = origin->next;
    return origin;
}

static void config_origin_free(const struct config_spec *spec, struct config_origin *origin)
{
    config_entries_free(spec, origin->entries);
    for (size_t i = 0; i < origin->retired_count; i++)
        free(origin->retired[i]);
    free(origin->retired);
    free(origin->path);
    free(origin);
}

/* Reads all entries into `ret_values` (spec->count of them). */
static int config_read_all(const struct config_spec *spec, const struct config_entry *entries,
                           struct config_value *ret_values, struct error *e)
{
    for (size_t i = 0; i < spec->count; i++) {
        int rc = config_read(&spec->options[i], &entries[i], &ret_values[i], e);
        if (rc)
            return rc;
    }
    return 0;
}

/* The first pass over environment and flags: where the file is, and whether anything is to be printed instead. */
static int config_look_ahead(const struct config_spec *spec, const char *default_path, struct config_origin *origin,
                             struct config_flags *flags, struct error *e)
{
    struct config_entry *entries = config_defaults(spec);
    config_take_environment(spec, entries);
    int rc = config_take_flags(spec, entries, origin->argc, origin->argv, flags, e);
    size_t prefix = config_find(spec, "prefix", 6, false);
    if (!rc && flags->file) {
        origin->path = memory_strdup(flags->file);
        origin->path_named = true;
    } else if (!rc && default_path) {
        origin->path = config_place(prefix < spec->count ? entries[prefix].text : NULL, default_path);
    }
    config_entries_free(spec, entries);
    return rc;
}

int config_load(const struct config_spec *spec, void *target, const char *default_path, int argc, char **argv,
                int *ret_rest, enum config_outcome *ret_outcome, struct error *e)
{
    assert(!config_origin_of(target) && "loaded twice without config_done");
    struct config_flags flags = {0};
    struct config_origin *origin = memory_new(sizeof(*origin));
    struct config_value *values = memory_array(spec->count, sizeof(*values));
    origin->target = target;
    origin->argc = argc;
    origin->argv = argv;

    int rc = config_look_ahead(spec, default_path, origin, &flags, e);
    if (!rc && !flags.action) {
        if (flags.rest < argc && !ret_rest)
            rc = error_set(e, ERR_INVALID, "unexpected argument \"%s\"; flags are written --name value",
                           argv[flags.rest]);
        else
            rc = config_gather(spec, origin, &origin->entries, e);
        if (!rc)
            rc = config_read_all(spec, origin->entries, values, e);
    }
    if (!rc && flags.action)
        config_act(spec, flags.action, default_path);
    if (rc || flags.action) {
        config_origin_free(spec, origin);
    } else {
        for (size_t i = 0; i < spec->count; i++)
            config_store(&spec->options[i], &values[i], target);
        origin->next = config_origins;
        config_origins = origin;
    }
    free(values);
    if (rc)
        return rc;
    if (ret_rest)
        *ret_rest = flags.rest;
    *ret_outcome = flags.action ? CONFIG_EXIT : CONFIG_RUN;
    return 0;
}

static bool config_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Takes over what may be taken over; lists what has to wait. Entries that wait keep their old text, so that they are
 * listed again. */
static void config_apply(const struct config_spec *spec, struct config_origin *origin, struct config_entry *entries,
                         const struct config_value *values, void *target, struct strbuf *restart)
{
    for (size_t i = 0; i < spec->count; i++) {
        const struct config_option *o = &spec->options[i];
        if (config_same(origin->entries[i].text, entries[i].text))
            continue;
        if (!o->reload) {
            strbuf_appendf(restart, "%s%s", restart->size ? ", " : "", o->name);
            continue;
        }
        char *old = config_store(o, &values[i], target);
        if (old) {
            size_t size = (origin->retired_count + 1) * sizeof(old);
            origin->retired = memory_resize(origin->retired, size);
            origin->retired[origin->retired_count++] = old;
        }
        struct config_entry swap = origin->entries[i];
        origin->entries[i] = entries[i];
        entries[i] = swap;
    }
}

int config_reload(const struct config_spec *spec, void *target, const char **ret_restart, struct error *e)
{
    static char names[1024];
    struct config_origin *origin = config_origin_of(target);
    assert(origin && "reload without load");
    struct config_entry *entries = NULL;
    int rc = config_gather(spec, origin, &entries, e);
    if (rc)
        return rc;
    struct config_value *values = memory_array(spec->count, sizeof(*values));
    rc = config_read_all(spec, entries, values, e);
    if (!rc) {
        struct strbuf restart;
        strbuf_init(&restart, sizeof(names) - 1);
        config_apply(spec, origin, entries, values, target, &restart);
        snprintf(names, sizeof(names), "%s", restart.data);
        strbuf_done(&restart);
        if (ret_restart)
            *ret_restart = names;
    }
    free(values);
    config_entries_free(spec, entries);
    return rc;
}

void config_done(const struct config_spec *spec, void *target)
{
    for (struct config_origin **at = &config_origins; *at; at = &(*at)->next) {
        if ((*at)->target != target)
            continue;
        struct config_origin *origin = *at;
        *at = origin->next;
        config_origin_free(spec, origin);
        break;
    }
    for (size_t i = 0; i < spec->count; i++) {
        char **text = (char **)(void *)((char *)target + spec->options[i].offset);
        if (!config_is_text(&spec->options[i]))
            continue;
        free(*text);
        *text = NULL;
    }
}

char *config_place(const char *prefix, const char *path)
{
    size_t size = prefix ? strlen(prefix) : 0;
    while (size && prefix[size - 1] == '/')
        size--;
    return strbuf_print("%.*s%s", (int)size, prefix ? prefix : "", path);
}
