/* All commands, in the order of --help. */
#include "cli/commands.h"

const struct command *const commands[] = {
    &init_command,        &status_command,      &doctor_command,        &host_add_command,
    &host_list_command,   &host_enable_command, &host_disable_command,  &host_show_command,
    &host_set_command,    &host_drain_command,  &host_maintain_command, &host_fence_command,
    &host_remove_command, &capacity_command,    &user_list_command,     &user_password_command,
    &explain_command,     &bill_command,        &bill_close_command,    &bill_invoice_command,
    &bill_verify_command, &bill_hosts_command,  &bill_cost_command,     &meter_verify_command,
    &db_migrate_command,  &run_command,         &stop_command,          NULL,
};
