/* Configuration text to values: numbers with units, booleans, choices. */
#include "common/config_internal.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct config_unit {
    const char *name;
    int64_t factor;
};
static const struct config_unit config_durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                                      {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct config_unit config_sizes[] = {
    {"", 1},  {"k", (int64_t)1 << 10}, {"m", (int64_t)1 << 20}, {"g", (int64_t)1 << 30}, {"t", (int64_t)1 << 40},
    {NULL, 0}};
static const struct config_unit config_plain[] = {{"", 1}, {NULL, 0}};

static bool config_read_number(const char *text, const struct config_unit *units, int64_t *ret)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno || isspace((unsigned char)*text) || *text == '+')
        return false;
    if (!*end && number == 0) {
        *ret = 0;
        return true;
    }
    for (; units->name; units++)
        if (strcasecmp(end, units->name) == 0)
            return !__builtin_mul_overflow((int64_t)number, units->factor, ret);
    return false;
}

bool config_read_bool(const char *text, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret = i & 1;
            return true;
        }
    }
    return false;
}

static int config_refuse(struct error *e, const struct config_option *o, const struct config_entry *entry,
                         const char *wanted)
{
    return error_set(e, ERR_INVALID, "%s: %s: \"%s\" is not %s", entry->place ? entry->place : "default", o->name,
                     entry->text, wanted);
}

static int config_read_choice(const struct config_option *o, const struct config_entry *entry, struct error *e)
{
    struct strbuf s;
    strbuf_init(&s, 400);
    strbuf_append_text(&s, "one of");
    for (size_t i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], entry->text) == 0) {
            strbuf_done(&s);
            return 0;
        }
        strbuf_appendf(&s, "%s %s", i ? "," : "", o->choices[i]);
    }
    int rc = config_refuse(e, o, entry, s.data);
    strbuf_done(&s);
    return rc;
}

static int config_read_integer(const struct config_option *o, const struct config_entry *entry, int64_t *ret,
                               struct error *e)
{
    static const struct {
        const struct config_unit *units;
        const char *wanted;
    } kinds[] = {
        [CONFIG_INT] = {config_plain, "a whole number"},
        [CONFIG_DURATION] = {config_durations, "a duration such as 250ms, 10s, 5m, 2h or 1d"},
        [CONFIG_SIZE] = {config_sizes, "a size in bytes such as 512, 64k, 10m, 2g or 1t"},
    };
    if (!config_read_number(entry->text, kinds[o->type].units, ret))
        return config_refuse(e, o, entry, kinds[o->type].wanted);
    if ((o->min || o->max) && (*ret < o->min || *ret > o->max))
        return error_set(e, ERR_INVALID, "%s: %s: %s is not within %" PRId64 " and %" PRId64 "%s",
                         entry->place ? entry->place : "default", o->name, entry->text, o->min, o->max,
                         o->type == CONFIG_DURATION ? " ms" : "");
    return 0;
}

int config_read(const struct config_option *o, const struct config_entry *entry, struct config_value *ret,
                struct error *e)
{
    *ret = (struct config_value){0};
    if (!entry->text || (!entry->text[0] && !o->fallback && (o->type == CONFIG_TEXT || o->type == CONFIG_CHOICE)))
        return 0;
    ret->text = entry->text;
    switch (o->type) {
    case CONFIG_TEXT:
        return 0;
    case CONFIG_CHOICE:
        return config_read_choice(o, entry, e);
    case CONFIG_BOOL:
        return config_read_bool(entry->text, &ret->truth) ? 0 : config_refuse(e, o, entry, "true or false");
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return config_read_integer(o, entry, &ret->integer, e);
    }
    abort();
}

bool config_is_text(const struct config_option *o)
{
    return o->type == CONFIG_TEXT || o->type == CONFIG_CHOICE;
}

/* Writes one value, which other threads may be reading (config_now); gives back the text that was there before, if any.
 */
char *config_store(const struct config_option *o, const struct config_value *value, void *target)
{
    char *at = (char *)target + o->offset, *old = NULL;
    if (config_is_text(o)) {
        old = __atomic_exchange_n((char **)(void *)at, memory_strdup(value->text), __ATOMIC_ACQ_REL);
    } else if (o->type == CONFIG_BOOL) {
        __atomic_store_n((bool *)at, value->truth, __ATOMIC_RELEASE);
    } else {
        __atomic_store_n((int64_t *)(void *)at, value->integer, __ATOMIC_RELEASE);
    }
    return old;
}
