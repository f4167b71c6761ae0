/* All commands, in the order of --help. */
#include "cli/commands.h"

const struct command *const commands[] = {
    &init_command,
    &run_command,
    &stop_command,
    NULL,
};
