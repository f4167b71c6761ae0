/* Words of the command line into struct cli. */
#include "cli/command.h"
#include "common/config.h"
#include "common/model/money.h"
#include "db/store_operator.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct command_option common_options[] = {
    {"prefix", "DIR", "Folder under which all places of this cloud lie."},
    {"database", "URL", "Path of the SQLite file or postgres:// URL."},
    {"json", NULL, "Print JSON instead of a table."},
};

const char *command_value_at(const struct cli *cli, const char *name, size_t index)
{
    for (size_t i = 0; i < cli->value_count; i++)
        if (strcmp(cli->values[i].name, name) == 0 && index-- == 0)
            return cli->values[i].value;
    return NULL;
}

const char *command_value(const struct cli *cli, const char *name)
{
    const char *found = NULL, *value;
    for (size_t i = 0; (value = command_value_at(cli, name, i)); i++)
        found = value;
    return found;
}

bool command_flag(const struct cli *cli, const char *name)
{
    return command_value(cli, name);
}

int command_number(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *ret,
                   struct error *e)
{
    const char *text = command_value(cli, name);
    char *end;
    if (!text) {
        *ret = fallback;
        return 0;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return error_set(e, ERR_INVALID, "--%s: \"%s\" is not a whole number of %lld to %lld", name, text,
                         (long long)min, (long long)max);
    *ret = value;
    return 0;
}

const char *command_place(struct cli *cli, const char *path)
{
    char *place = config_place(cli->prefix, path);
    char *copy = arena_strdup(&cli->arena, place);
    free(place);
    return copy;
}

int command_open(struct cli *cli, bool migrate, struct error *e)
{
    struct stat st;
    bool is_url = strncmp(cli->database, "postgres", 8) == 0;
    const char *path = strncmp(cli->database, "sqlite:", 7) == 0 ? cli->database + 7 : cli->database;
    if (cli->db)
        return 0;
    if (!migrate && !is_url && stat(path, &st))
        return error_set(e, ERR_NOT_FOUND,
                         "there is no database %s: has \"virga init\" been run, and is --prefix right?", path);
    return db_open(cli->database, migrate ? 0 : DB_OPEN_NO_MIGRATE, &cli->db, e);
}

int command_server(struct cli *cli, const char **ret_id, struct error *e)
{
    const char *ids[2], *named = cli->arguments[0];
    size_t count = 0;
    int rc = command_open(cli, false, e);
    rc = rc ? rc : store_operator_find_server(db_reader(cli->db), named, &cli->arena, ids, &count, e);
    if (rc)
        return rc;
    if (count == 0)
        return error_set(e, ERR_NOT_FOUND, "there is no server with the id or name \"%s\"", named);
    if (count > 1)
        return error_set(e, ERR_INVALID, "several servers have the name \"%s\": say the id, for example %s", named,
                         ids[0]);
    *ret_id = ids[0];
    return 0;
}

static const struct command_option *find_in(const struct command_option *options, size_t count, const char *name,
                                            size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == size && strncmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

static const struct command_option *find_option(const struct cli *cli, const char *name, size_t size)
{
    const struct command_option *option = find_in(cli->command->options, cli->command->option_count, name, size);
    return option ? option : find_in(common_options, sizeof(common_options) / sizeof(common_options[0]), name, size);
}

/* Takes argv[i], an option, and its value; returns how many words that were, or 0 with the error. */
static int take_option(struct cli *cli, int argc, char **argv, int i, struct error *e)
{
    const char *word = argv[i] + 2, *equals = strchr(word, '=');
    const struct command_option *option = find_option(cli, word, equals ? (size_t)(equals - word) : strlen(word));
    int words = 1;
    if (!option) {
        error_set(e, ERR_INVALID, "unknown option %s (see virga %s --help)", argv[i], cli->command->name);
        return 0;
    }
    if (cli->value_count == COMMAND_VALUES_MAX) {
        error_set(e, ERR_INVALID, "too many options");
        return 0;
    }
    const char *value = equals ? equals + 1 : option->value && i + 1 < argc ? argv[i + (words++)] : NULL;
    if ((option->value != NULL) != (value != NULL)) {
        error_set(e, ERR_INVALID, option->value ? "--%s wants a value" : "--%s takes no value", option->name);
        return 0;
    }
    cli->values[cli->value_count++] = (struct command_value){option->name, value ? value : ""};
    return words;
}

/* "HOST [MACHINE] ...": the dots stand for as many more as one likes. */
static void count_arguments(const char *text, size_t *ret_least, size_t *ret_most)
{
    *ret_least = *ret_most = 0;
    while (*text) {
        bool more = strncmp(text, "...", 3) == 0;
        *ret_least += !more && *text != '[';
        *ret_most = more ? SIZE_MAX : *ret_most + 1;
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
}

int command_parse(struct cli *cli, int argc, char **argv, bool *ret_help, struct error *e)
{
    size_t least, most;
    bool options = true;
    cli->arguments = arena_array(&cli->arena, (size_t)argc + 1, sizeof(*cli->arguments));
    for (int i = 0; i < argc;) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            i++;
        } else if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            *ret_help = true;
            return 0;
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            int words = take_option(cli, argc, argv, i, e);
            if (!words)
                return ERR_INVALID;
            i += words;
        } else {
            cli->arguments[cli->argument_count++] = argv[i++];
        }
    }
    count_arguments(cli->command->arguments, &least, &most);
    if (cli->argument_count < least || cli->argument_count > most)
        return error_set(e, ERR_INVALID, "usage: virga %s%s%s [options] (see --help)", cli->command->name,
                         *cli->command->arguments ? " " : "", cli->command->arguments);
    cli->json = command_flag(cli, "json");
    return 0;
}

void command_print_json(struct json_out *o)
{
    if (json_out_error(o))
        fprintf(stderr, "virga: the answer is too large\n");
    else
        printf("%s\n", o->buf->data);
}

const char *command_money(struct cli *cli, int64_t nano)
{
    int64_t cents = money_divide(nano, MONEY_UNIT / 100), size = cents < 0 ? -cents : cents;
    return arena_printf(&cli->arena, "%s%" PRId64 ".%02d", cents < 0 ? "-" : "", size / 100, (int)(size % 100));
}
