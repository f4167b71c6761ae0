/* All commands, in the order of --help. */
#include "cli/commands.h"

const struct command *const commands[] = {
    &init_command,         &host_add_command, &host_list_command, &host_enable_command,
    &host_disable_command, &run_command,      &stop_command,      NULL,
};
