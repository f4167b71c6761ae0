/* The commands that commands.c gathers: each is defined in the file of its name. */
#pragma once
#include "cli/command.h"

extern const struct command init_command;
extern const struct command run_command;
extern const struct command stop_command;
extern const struct command host_add_command;
extern const struct command host_list_command;
extern const struct command host_enable_command;
extern const struct command host_disable_command;
extern const struct command host_show_command;
extern const struct command host_set_command;
extern const struct command host_drain_command;
extern const struct command host_maintain_command;
extern const struct command host_fence_command;
extern const struct command host_remove_command;
extern const struct command host_power_command;
extern const struct command host_baseline_command;
extern const struct command capacity_command;
extern const struct command rebalance_plan_command;
extern const struct command rebalance_apply_command;
extern const struct command rebalance_status_command;
extern const struct command rebalance_cancel_command;
extern const struct command user_list_command;
extern const struct command user_password_command;
extern const struct command status_command;
extern const struct command db_migrate_command;
extern const struct command doctor_command;
extern const struct command explain_command;
extern const struct command server_give_command;
extern const struct command server_clone_command;
extern const struct command server_flatten_command;
extern const struct command server_show_command;
extern const struct command import_host_command;
extern const struct command release_command;
extern const struct command bill_close_command;
extern const struct command bill_verify_command;
extern const struct command bill_invoice_command;
extern const struct command bill_hosts_command;
extern const struct command bill_cost_command;
extern const struct command bill_command;
extern const struct command meter_verify_command;
