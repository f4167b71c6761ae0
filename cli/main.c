/* virga: the operator's command. Finds the command by its one or two words, reads its options and runs it.
 *
 * Exit status: 0; 1 when it failed, or found something wrong (doctor); 2 when it was called wrongly. */
#include "cli/command.h"
#include "cli/help.h"
#include "common/config.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char *prefix, *database;
};
static const struct config_option options[] = {
    {.name = "prefix",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct settings, prefix),
     .fallback = NULL,
     .doc = "Folder under which all places of this cloud lie."},
    {.name = "database",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct settings, database),
     .fallback = NULL,
     .doc = "Path of the SQLite file or postgres:// URL."},
};
static const struct config_spec spec = {.program = "virga",
                                        .summary = "operate a Virga cloud",
                                        .options = options,
                                        .count = sizeof(options) / sizeof(options[0])};

/* The command whose name is the first words, the longest one; *ret_words tells how many. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
    for (int words = 2; words > 0; words--) {
        char name[64];
        if (argc < words)
            continue;
        snprintf(name, sizeof(name), words == 2 ? "%s %s" : "%s", argv[0], words == 2 ? argv[1] : "");
        for (size_t i = 0; commands[i]; i++)
            if (strcmp(commands[i]->name, name) == 0) {
                *ret_words = words;
                return commands[i];
            }
    }
    return NULL;
}

/* Prefix and database: flags, then the environment, then <prefix>/etc/virga/virga.conf, then the usual place. */
static int settle(struct cli *cli, struct settings *settings, char *program, struct error *e)
{
    enum config_outcome outcome;
    const char *prefix = command_value(cli, "prefix") ? command_value(cli, "prefix") : getenv("VIRGA_PREFIX");
    char *argv[] = {program, NULL};
    cli->prefix = prefix ? prefix : "";
    int rc = config_load(&spec, settings, command_place(cli, "/etc/virga/virga.conf"), 1, argv, NULL, &outcome, e);
    if (rc)
        return rc;
    cli->database = command_value(cli, "database") ? command_value(cli, "database") : settings->database;
    if (!cli->database)
        cli->database = command_place(cli, "/var/lib/virga/virga.db");
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    struct settings settings = {0};
    struct error err = {0};
    bool help = false;
    arena_init(&cli.arena);
    int rc = command_parse(&cli, argc, argv, &help, &err);
    if (!rc && help)
        help_command(command);
    else if (!rc && !(rc = settle(&cli, &settings, argv[-1], &err)))
        rc = command->run(&cli, &err);
    if (rc)
        fprintf(stderr, "virga %s: %s\n", command->name, error_text(&err));
    db_close(&cli.db);
    config_done(&spec, &settings);
    arena_done(&cli.arena);
    return rc == ERR_INVALID ? 2 : rc ? 1 : cli.status;
}

int main(int argc, char **argv)
{
    int words = 0;
    log_init("virga", NULL, LOG_LEVEL_WARN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help_all();
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("virga %s\n", VIRGA_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--man") == 0) {
        help_man();
        return 0;
    }
    const struct command *command = find_command(argc - 1, argv + 1, &words);
    if (!command) {
        fprintf(stderr, "virga: no such command: %s%s%s (see virga --help)\n", argv[1], argc > 2 ? " " : "",
                argc > 2 ? argv[2] : "");
        return 2;
    }
    return run(command, argc - 1 - words, argv + 1 + words);
}
