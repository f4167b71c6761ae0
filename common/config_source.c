/* The sources of configuration: the file, the environment, the flags. Each mistake is named with its place, an unknown
 * name with the nearest known one. */
#include "common/config_internal.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE_CEILING ((size_t)1 << 20)

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

const char *config_nearest(const struct config_spec *spec, const char *name)
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
char *config_dashed(const char *name)
{
    char *text = memory_strdup(name);
    for (char *c = text; *c; c++)
        if (*c == '_')
            *c = '-';
    return text;
}

/* The option called by the first `size` bytes of `name`; spec->count when there is none. */
size_t config_find(const struct config_spec *spec, const char *name, size_t size, bool dashes)
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

void config_entries_free(const struct config_spec *spec, struct config_entry *entries)
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
    if (i == spec->count && spec->partial)
        return 0;
    if (i == spec->count)
        return error_set(e, ERR_INVALID, "%s:%d: unknown key \"%s\", did you mean \"%s\"?", path, line, key,
                         config_nearest(spec, key));
    if (entries[i].line)
        return error_set(e, ERR_INVALID, "%s:%d: %s is set already in line %d", path, line, key, entries[i].line);
    config_set(&entries[i], config_unquote(config_trim(equals + 1)), strbuf_print("%s:%d", path, line));
    entries[i].line = line;
    return 0;
}

int config_take_file(const struct config_spec *spec, struct config_entry *entries, const char *path, bool must_exist,
                     struct error *e)
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

void config_take_environment(const struct config_spec *spec, struct config_entry *entries)
{
    for (size_t i = 0; i < spec->count; i++) {
        char *name = strbuf_print("VIRGA_%s", spec->options[i].name);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *text = getenv(name);
        if (text)
            config_set(&entries[i], text, strbuf_print("environment variable %s", name));
        free(name);
    }
}

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
    config_set(entry, text, strbuf_print("flag %.*s", (int)strcspn(name, "="), name));
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
        char *wrong = strbuf_print("%.*s", (int)size, name), *nearest = config_dashed(config_nearest(spec, wrong));
        error_set(e, ERR_INVALID, "unknown flag --%s, did you mean --%s?", wrong, nearest);
        free(wrong);
        free(nearest);
        return ERR_INVALID;
    }
    const char *text = config_flag_value(equals, argc, argv, at);
    if (!text)
        return error_set(e, ERR_INVALID, "flag %s needs a value", flag);
    config_set(&entries[i], text, strbuf_print("flag --%.*s", (int)size, name));
    return 0;
}

/* All flags up to the first positional argument or "--". */
int config_take_flags(const struct config_spec *spec, struct config_entry *entries, int argc, char **argv,
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

struct config_entry *config_defaults(const struct config_spec *spec)
{
    struct config_entry *entries = memory_array(spec->count, sizeof(*entries));
    for (size_t i = 0; i < spec->count; i++)
        entries[i].text = memory_strdup(spec->options[i].fallback);
    return entries;
}
