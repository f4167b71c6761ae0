/* All commands, in the order of --help. */
#include "cli/commands.h"

const struct command *const commands[] = {
    &init_command,
    &status_command,
    &doctor_command,
    &host_add_command,
    &host_list_command,
    &host_enable_command,
    &host_disable_command,
    &user_list_command,
    &user_password_command,
    &explain_command,
    &bill_command,
    &bill_close_command,
    &bill_show_command,
    &bill_verify_command,
    &meter_verify_command,
    &db_migrate_command,
    &run_command,
    &stop_command,
    NULL,
};
