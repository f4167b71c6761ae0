/* The operator's commands: one file each, in one table. A command declares its options; the parser, --help and the man
 * page read the same rows. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include "common/json_out.h"
#include "db/db.h"
#include <stdbool.h>
#include <stddef.h>

struct command_option {
    const char *name;  /* without dashes */
    const char *value; /* placeholder of its value, e.g. "NAME"; NULL: a plain flag */
    const char *doc;   /* a sentence */
};

struct cli;
struct command {
    const char *name;      /* "host add" */
    const char *arguments; /* placeholders of positional ones: "NAME", "" for none; "[X]" may be left out, "..." repeats
                              the last */
    const char *summary;   /* a line */
    const char *help;      /* paragraphs, or NULL */
    const struct command_option *options;
    size_t option_count;
    /* 0, or an error code with the sentence in `e`: exit status 1 (2 for ERR_INVALID). A command that only has
     * something to report, such as doctor, sets cli->status instead. */
    int (*run)(struct cli *cli, struct error *e);
};
/* Of commands.c: NULL-terminated. */
extern const struct command *const commands[];
#define COMMAND_OPTIONS(array) .options = (array), .option_count = sizeof(array) / sizeof((array)[0])

#define COMMAND_VALUES_MAX 64
struct cli {
    const struct command *command;
    const char *prefix;   /* "" for none */
    const char *database; /* path or URL */
    bool json;            /* --json */
    int status;           /* exit status when `run` returns 0 */
    struct arena arena;
    const char **arguments; /* positional ones */
    size_t argument_count;
    struct command_value {
        const char *name, *value;
    } values[COMMAND_VALUES_MAX];
    size_t value_count;
    struct db *db; /* opened by command_open */
};

/* The option's value as given last, or NULL. / Whether the flag was given. / The index-th value of a repeated option,
 * or NULL. */
const char *command_value(const struct cli *cli, const char *name);
bool command_flag(const struct cli *cli, const char *name);
const char *command_value_at(const struct cli *cli, const char *name, size_t index);
/* A whole number of min..max, or `fallback` when it was not given. */
int command_number(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *ret,
                   struct error *e);
/* `path` below the prefix, in the arena. */
const char *command_place(struct cli *cli, const char *path);
/* Opens the database, which must be there; `migrate` brings it up to date first. Closed by main. */
int command_open(struct cli *cli, bool migrate, struct error *e);
/* The server that the first argument names by id or name, in the arena; opens the database. ERR_NOT_FOUND, ERR_INVALID
 * when several have that name. */
int command_server(struct cli *cli, const char **ret_id, struct error *e);
/* Fills `cli` from the words behind the command's name. ERR_INVALID with the sentence. `ret_help`: --help was given. */
int command_parse(struct cli *cli, int argc, char **argv, bool *ret_help, struct error *e);
/* An amount with two decimals, half to even: "-12.50"; in the arena. */
const char *command_money(struct cli *cli, int64_t nano);
/* Prints JSON text (a finished document) or a table; see table.h for the latter. */
void command_print_json(struct json_out *o);
