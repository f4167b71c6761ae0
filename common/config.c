/* Configuration by one table. Every option's text is gathered first, source after source, together with the place where
 * it came from; only then is each text turned into its value, so that an error names the place that won and nothing is
 * half applied.
 *
 * What config_reload needs (the path, the arguments) is kept beside the target until config_done. Text that a reload
 * replaces stays allocated until then too: other threads may still look at it. */
#include "common/config.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONFIG_FILE_CEILING ((size_t)1 << 20)

struct config_entry {
    char *text;  /* NULL: unset */
    char *place; /* "file:line", "environment variable X", "flag --x"; NULL for the default */
    int line;    /* in the file, to name duplicates */
};

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

/* ---- names ---- */

/* Levenshtein's distance, dashes and underscores being the same. */
static size_t config_distance(const char *a, const char *b)
{
    size_t width = strlen(b) + 1;
    size_t *row = memory_array(width, sizeof(*row));
    for (size_t j = 0; j < width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j < width; j++) {
            char x = a[i] == '-' ? '_' : a[i], y = b[j - 1] == '-' ? '_' : b[j - 1];
            size_t change = diagonal + (tolower((unsigned char)x) != tolower((unsigned char)y));
            diagonal = row[j];
            size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < shift ? change : shift;
        }
    }
    size_t distance = row[width - 1];
    free(row);
    return distance;
}

static const char *config_nearest(const struct config_spec *spec, const char *name)
{
    const char *best = "config";
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < spec->count; i++) {
        size_t distance = config_distance(name, spec->options[i].name);
        if (distance < least) {
            least = distance;
            best = spec->options[i].name;
        }
    }
    return best;
}

/* The name with dashes, as a flag has it. Freed by the caller. */
static char *config_dashed(const char *name)
{
    char *text = memory_strdup(name);
    for (char *c = text; *c; c++)
        if (*c == '_')
            *c = '-';
    return text;
}

/* The option called by the first `size` bytes of `name`; spec->count when there is none. */
static size_t config_find(const struct config_spec *spec, const char *name, size_t size, bool dashes)
{
    for (size_t i = 0; i < spec->count; i++) {
        const char *known = spec->options[i].name;
        if (strlen(known) != size)
            continue;
        size_t j = 0;
        while (j < size && (known[j] == name[j] || (dashes && known[j] == '_' && name[j] == '-')))
            j++;
        if (j == size)
            return i;
    }
    return spec->count;
}

/* ---- text to value ---- */

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

static bool config_read_bool(const char *text, bool *ret)
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

/* A value of any type, before it is written into a target. */
struct config_value {
    int64_t integer;
    bool truth;
    const char *text;
};

static int config_read(const struct config_option *o, const struct config_entry *entry, struct config_value *ret,
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

static bool config_is_text(const struct config_option *o)
{
    return o->type == CONFIG_TEXT || o->type == CONFIG_CHOICE;
}

/* Writes one value; gives back the text that was there before, if any. */
static char *config_store(const struct config_option *o, const struct config_value *value, void *target)
{
    char *at = (char *)target + o->offset, *old = NULL;
    if (config_is_text(o)) {
        old = *(char **)(void *)at;
        *(char **)(void *)at = memory_strdup(value->text);
    } else if (o->type == CONFIG_BOOL) {
        *(bool *)at = value->truth;
    } else {
        *(int64_t *)(void *)at = value->integer;
    }
    return old;
}

/* ---- sources ---- */

static void config_entries_free(const struct config_spec *spec, struct config_entry *entries)
{
    for (size_t i = 0; entries && i < spec->count; i++) {
        free(entries[i].text);
        free(entries[i].place);
    }
    free(entries);
}

static void config_set(struct config_entry *entry, const char *text, char *place)
{
    free(entry->text);
    free(entry->place);
    entry->text = memory_strdup(text);
    entry->place = place;
}

static char *config_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *config_printf(const char *format, ...)
{
    struct strbuf s;
    va_list args;
    strbuf_init(&s, 0);
    va_start(args, format);
    strbuf_appendv(&s, format, args);
    va_end(args);
    return strbuf_take(&s);
}

static char *config_trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size && isspace((unsigned char)text[size - 1]))
        text[--size] = 0;
    return text;
}

/* "..." keeps blanks at the ends. */
static char *config_unquote(char *text)
{
    size_t size = strlen(text);
    if (size < 2 || text[0] != '"' || text[size - 1] != '"')
        return text;
    text[size - 1] = 0;
    return text + 1;
}

static int config_take_line(const struct config_spec *spec, struct config_entry *entries, const char *path, int line,
                            char *text, struct error *e)
{
    text = config_trim(text);
    if (!*text || *text == '#')
        return 0;
    if (*text == '[')
        return error_set(e, ERR_INVALID, "%s:%d: sections are not used here, write key = value", path, line);
    char *equals = strchr(text, '=');
    if (!equals)
        return error_set(e, ERR_INVALID, "%s:%d: expected key = value, found \"%s\"", path, line, text);
    *equals = 0;
    const char *key = config_trim(text);
    size_t i = config_find(spec, key, strlen(key), false);
    if (i == spec->count)
        return error_set(e, ERR_INVALID, "%s:%d: unknown key \"%s\", did you mean \"%s\"?", path, line, key,
                         config_nearest(spec, key));
    if (entries[i].line)
        return error_set(e, ERR_INVALID, "%s:%d: %s is set already in line %d", path, line, key, entries[i].line);
    config_set(&entries[i], config_unquote(config_trim(equals + 1)), config_printf("%s:%d", path, line));
    entries[i].line = line;
    return 0;
}

static int config_take_file(const struct config_spec *spec, struct config_entry *entries, const char *path,
                            bool must_exist, struct error *e)
{
    struct strbuf text;
    struct error detail = {0};
    strbuf_init(&text, CONFIG_FILE_CEILING);
    int rc = file_read(path, &text, &detail);
    if (rc == ERR_NOT_FOUND && !must_exist)
        rc = 0;
    else if (rc)
        rc = error_set(e, ERR_INVALID, "configuration: %s", error_text(&detail));
    else if (memchr(text.data, 0, text.size))
        rc = error_set(e, ERR_INVALID, "configuration: %s is not a text file", path);
    int line = 1;
    for (char *at = text.data; !rc && at; line++) {
        char *end = strchr(at, '\n');
        if (end)
            *end++ = 0;
        rc = config_take_line(spec, entries, path, line, at, e);
        at = end;
    }
    strbuf_done(&text);
    return rc;
}

static void config_take_environment(const struct config_spec *spec, struct config_entry *entries)
{
    for (size_t i = 0; i < spec->count; i++) {
        char *name = config_printf("VIRGA_%s", spec->options[i].name);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *text = getenv(name);
        if (text)
            config_set(&entries[i], text, config_printf("environment variable %s", name));
        free(name);
    }
}

/* What the flags say beside the options. */
struct config_flags {
    const char *file;   /* --config */
    const char *action; /* "help", "version", "man", "example" */
    int rest;           /* index of the first positional argument */
};

static bool config_is_action(const char *name)
{
    return strcmp(name, "help") == 0 || strcmp(name, "version") == 0 || strcmp(name, "man") == 0 ||
           strcmp(name, "example") == 0;
}

/* The value of the flag argv[*at], after its equals sign or in the next argument; NULL when there is none. */
static const char *config_flag_value(const char *equals, int argc, char **argv, int *at)
{
    if (equals)
        return equals + 1;
    return *at + 1 < argc ? argv[++*at] : NULL;
}

static int config_take_bool_flag(struct config_entry *entry, const char *equals, bool truth, int argc, char **argv,
                                 int *at)
{
    bool word;
    const char *name = argv[*at], *text = truth ? "true" : "false";
    if (equals)
        text = equals + 1;
    else if (truth && *at + 1 < argc && config_read_bool(argv[*at + 1], &word))
        text = argv[++*at];
    config_set(entry, text, config_printf("flag %.*s", (int)strcspn(name, "="), name));
    return 0;
}

/* One flag at argv[*at]; moves *at to its last argument. */
static int config_take_flag(const struct config_spec *spec, struct config_entry *entries, int argc, char **argv,
                            int *at, struct config_flags *flags, struct error *e)
{
    const char *flag = argv[*at], *name = flag + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    if (size == 6 && strncmp(name, "config", 6) == 0) {
        flags->file = config_flag_value(equals, argc, argv, at);
        return flags->file ? 0 : error_set(e, ERR_INVALID, "flag --config needs a file");
    }
    if (config_is_action(name)) {
        flags->action = name;
        return 0;
    }
    size_t i = config_find(spec, name, size, true);
    if (i < spec->count && spec->options[i].type == CONFIG_BOOL)
        return config_take_bool_flag(&entries[i], equals, true, argc, argv, at);
    if (i == spec->count && !equals && strncmp(name, "no-", 3) == 0) {
        size_t positive = config_find(spec, name + 3, size - 3, true);
        if (positive < spec->count && spec->options[positive].type == CONFIG_BOOL)
            return config_take_bool_flag(&entries[positive], NULL, false, argc, argv, at);
    }
    if (i == spec->count) {
        char *wrong = config_printf("%.*s", (int)size, name), *nearest = config_dashed(config_nearest(spec, wrong));
        error_set(e, ERR_INVALID, "unknown flag --%s, did you mean --%s?", wrong, nearest);
        free(wrong);
        free(nearest);
        return ERR_INVALID;
    }
    const char *text = config_flag_value(equals, argc, argv, at);
    if (!text)
        return error_set(e, ERR_INVALID, "flag %s needs a value", flag);
    config_set(&entries[i], text, config_printf("flag --%.*s", (int)size, name));
    return 0;
}

/* All flags up to the first positional argument or "--". */
static int config_take_flags(const struct config_spec *spec, struct config_entry *entries, int argc, char **argv,
                             struct config_flags *ret, struct error *e)
{
    int at = 1;
    for (; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(argv[at], "-h") == 0) {
            ret->action = "help";
            continue;
        }
        if (argv[at][0] != '-' || !argv[at][1])
            break;
        if (argv[at][1] != '-')
            return error_set(e, ERR_INVALID, "unknown flag %s; flags are written --name value", argv[at]);
        int rc = config_take_flag(spec, entries, argc, argv, &at, ret, e);
        if (rc)
            return rc;
    }
    ret->rest = at;
    return 0;
}

static struct config_entry *config_defaults(const struct config_spec *spec)
{
    struct config_entry *entries = memory_array(spec->count, sizeof(*entries));
    for (size_t i = 0; i < spec->count; i++)
        entries[i].text = memory_strdup(spec->options[i].fallback);
    return entries;
}

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

/* ---- printing ---- */

static const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {"text", "number", "yes|no", "duration", "size", "choice"};
    return names[type];
}

static char *config_usage(const struct config_option *o)
{
    if (o->type != CONFIG_CHOICE)
        return memory_strdup(config_type_name(o->type));
    struct strbuf s;
    strbuf_init(&s, 0);
    for (size_t i = 0; o->choices[i]; i++)
        strbuf_appendf(&s, "%s%s", i ? "|" : "", o->choices[i]);
    return strbuf_take(&s);
}

static void config_print_help(const struct config_spec *spec, const char *default_path)
{
    printf("%s: %s\n\nUsage: %s [--name value ...]\n\nEvery option is also a line \"name = value\" in the file%s%s and "
           "an environment variable VIRGA_NAME;\nflags win over the environment, the environment over the file.\n\n",
           spec->program, spec->summary, spec->program, default_path ? " " : "", default_path ? default_path : "");
    for (size_t i = 0; i < spec->count; i++) {
        const struct config_option *o = &spec->options[i];
        char *name = config_dashed(o->name), *usage = config_usage(o);
        printf("  --%s %s\n        %s", name, usage, o->doc);
        if (o->fallback)
            printf(" (default %s)", o->fallback[0] ? o->fallback : "empty");
        printf("\n");
        free(name);
        free(usage);
    }
    printf("  --config FILE\n        Read this file instead.\n  --example\n        Print a commented example file.\n"
           "  --man\n        Print the manual page.\n  --version\n        Print the version.\n");
}

static void config_roff_text(struct strbuf *s, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            strbuf_append_text(s, "\\e");
        else if (*c == '-')
            strbuf_append_text(s, "\\-");
        else if ((*c == '.' || *c == '\'') && c == text) {
            strbuf_append_text(s, "\\&");
            strbuf_append_char(s, *c);
        } else
            strbuf_append_char(s, *c);
    }
}

static void config_man_option(struct strbuf *s, const struct config_option *o)
{
    char *name = config_dashed(o->name), *usage = config_usage(o);
    strbuf_append_text(s, ".TP\n.BI \\-\\-");
    config_roff_text(s, name);
    strbuf_append_text(s, " \" ");
    config_roff_text(s, usage);
    strbuf_append_text(s, "\"\n");
    config_roff_text(s, o->doc);
    if (o->fallback && o->fallback[0]) {
        strbuf_append_text(s, "\nDefault: ");
        config_roff_text(s, o->fallback);
        strbuf_append_char(s, '.');
    }
    strbuf_append_text(s, o->reload ? "\nTakes effect on SIGHUP.\n" : "\n");
    free(name);
    free(usage);
}

char *config_man(const struct config_spec *spec)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    const char *section = strcmp(spec->program, "virga") == 0 ? "1" : "8";
    strbuf_appendf(&s, ".TH %s %s \"\" \"Virga %s\" \"Virga\"\n.SH NAME\n%s \\- ", spec->program, section,
                   VIRGA_VERSION, spec->program);
    config_roff_text(&s, spec->summary);
    strbuf_appendf(&s, "\n.SH SYNOPSIS\n.B %s\n[\\-\\-name value ...]\n.SH DESCRIPTION\n", spec->program);
    strbuf_append_text(
        &s, "Each option below is a flag, a line \"name = value\" (with underscores) of the configuration file, "
            "and an environment\nvariable VIRGA_NAME. Flags win over the environment, the environment over "
            "the file.\nAn unknown name is an error.\n.SH OPTIONS\n");
    for (size_t i = 0; i < spec->count; i++)
        config_man_option(&s, &spec->options[i]);
    strbuf_append_text(&s, ".TP\n.BI \\-\\-config \" FILE\"\nRead this configuration file.\n"
                           ".TP\n.B \\-\\-example\nPrint a commented example file.\n"
                           ".TP\n.B \\-\\-man\nPrint this page.\n.TP\n.B \\-\\-version\nPrint the version.\n");
    return strbuf_take(&s);
}

char *config_example(const struct config_spec *spec)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_appendf(&s, "# %s: %s.\n# Lines \"name = value\"; what is commented out shows the default.\n", spec->program,
                   spec->summary);
    for (size_t i = 0; i < spec->count; i++) {
        const struct config_option *o = &spec->options[i];
        char *usage = config_usage(o);
        strbuf_appendf(&s, "\n# %s (%s%s)\n#%s =%s%s\n", o->doc, usage,
                       o->reload ? "; taken over on SIGHUP" : "; needs a restart", o->name,
                       o->fallback && o->fallback[0] ? " " : "", o->fallback ? o->fallback : "");
        free(usage);
    }
    return strbuf_take(&s);
}

static void config_act(const struct config_spec *spec, const char *action, const char *default_path)
{
    char *text = NULL;
    if (strcmp(action, "help") == 0)
        config_print_help(spec, default_path);
    else if (strcmp(action, "version") == 0)
        printf("%s %s\n", spec->program, VIRGA_VERSION);
    else
        text = strcmp(action, "man") == 0 ? config_man(spec) : config_example(spec);
    if (text)
        fputs(text, stdout);
    free(text);
    fflush(stdout);
}

/* ---- loading ---- */

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
    return config_printf("%.*s%s", (int)size, prefix ? prefix : "", path);
}
