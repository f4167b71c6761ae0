/* What the store_server_*.c files share: the columns in one order, and the mapper of a row. */
#pragma once
#include "db/store_server.h"

#define SERVER_COLUMNS                                                                                                 \
    "s.id, s.project_id, s.user_id, s.name, s.hostname, s.description, s.flavor_id, s.flavor_name, s.vcpus, "          \
    "s.memory_mib, s.root_gib, s.ephemeral_gib, s.swap_mib, s.flavor_extra, s.image_id, s.key_name, s.key_public, "    \
    "s.user_data, s.config_drive, s.zone, s.group_id, s.hints, s.metadata, s.tags, s.security_groups, s.addresses, "   \
    "s.access_ipv4, s.access_ipv6, s.disk_config, s.reservation_id, s.launch_index, s.desired_exists, "                \
    "s.desired_power, s.desired_revision, s.host_id, s.placement, s.observed_state, s.observed_revision, "             \
    "s.operation, s.operation_id, s.deadline_us, s.fault_code, s.fault_message, s.fault_details, s.fault_us, "         \
    "s.locked, s.locked_reason, s.created_us, s.updated_us, s.launched_us, s.revision, h.name, h.zone, h.seen_us, "    \
    "h.enabled"
#define SERVER_FROM " FROM server s LEFT JOIN host h ON h.id = s.host_id "

/* server_words' vm_state and status in SQL; tests/unit/db proves that they agree for every situation. */
#define SERVER_RESIZED                                                                                                 \
    "s.desired_exists = 1 AND s.placement = 'placed' AND s.operation IN ('resized', 'resize-reverting')"
#define SERVER_ON_HOST                                                                                                 \
    "s.placement = 'placed' AND s.observed_state IN ('running', 'stopped', 'crashed', 'paused', 'suspended')"
#define SERVER_SHELVED                                                                                                 \
    "s.desired_exists = 1 AND (s.operation IN ('shelved', 'offloading') OR s.operation = 'unshelving' "                \
    "AND " SERVER_ON_HOST ")"
#define SERVER_UNSHELVING "s.desired_exists = 1 AND s.operation = 'unshelving'"
#define SERVER_VM_STATE                                                                                                \
    "CASE WHEN s.fault_code IS NOT NULL OR s.placement = 'failed' OR s.observed_state = 'gone' THEN 'error' "          \
    "WHEN " SERVER_SHELVED " THEN 'shelved' WHEN " SERVER_UNSHELVING " THEN 'shelved_offloaded' "                      \
    "WHEN s.placement = 'waiting' THEN 'building' WHEN " SERVER_RESIZED " THEN 'resized' "                             \
    "WHEN s.observed_state = 'running' THEN 'active' "                                                                 \
    "WHEN s.observed_state IN ('stopped', 'crashed') THEN 'stopped' "                                                  \
    "WHEN s.observed_state IN ('paused', 'suspended') THEN s.observed_state "                                          \
    "WHEN s.observed_state = 'shelved' THEN 'shelved_offloaded' ELSE 'building' END"
/* The status of a placed server that exists, by its operation; NULL when that changes nothing. */
#define SERVER_OPERATION_STATUS                                                                                        \
    "CASE WHEN s.desired_exists = 0 OR s.placement <> 'placed' THEN NULL "                                             \
    "WHEN s.operation = 'resized' THEN 'VERIFY_RESIZE' WHEN s.operation = 'resize-reverting' THEN 'REVERT_RESIZE' "    \
    "WHEN s.operation = 'migrating' AND s.observed_state IN ('running', 'paused') THEN 'MIGRATING' "                   \
    "WHEN s.operation IN ('resize-prep', 'resize-migrating', 'resize-finish') "                                        \
    "AND s.observed_state IN ('running', 'stopped', 'crashed') THEN 'RESIZE' "                                         \
    "WHEN s.operation = 'rebuilding' AND s.observed_state IN ('running', 'stopped', 'crashed') THEN 'REBUILD' "        \
    "WHEN s.observed_state <> 'running' THEN NULL WHEN s.operation = 'reboot-soft' THEN 'REBOOT' "                     \
    "WHEN s.operation = 'reboot-hard' THEN 'HARD_REBOOT' END"
#define SERVER_STATUS                                                                                                  \
    "CASE WHEN " SERVER_VM_STATE " = 'error' THEN 'ERROR' ELSE COALESCE(" SERVER_OPERATION_STATUS                      \
    ", CASE " SERVER_VM_STATE " WHEN 'building' THEN 'BUILD' WHEN 'stopped' THEN 'SHUTOFF' "                           \
    "WHEN 'paused' THEN 'PAUSED' WHEN 'suspended' THEN 'SUSPENDED' "                                                   \
    "WHEN 'shelved' THEN 'SHELVED' WHEN 'shelved_offloaded' THEN 'SHELVED_OFFLOADED' ELSE 'ACTIVE' END) END"

/* The same, but for servers of hosts that were heard before `limit` last (NULL: of none). */
#define SERVER_STATUS_SINCE(limit)                                                                                     \
    "CASE WHEN h.seen_us < " limit " AND s.placement = 'placed' AND s.fault_code IS NULL "                             \
    "AND s.observed_state IN ('running', 'stopped', 'crashed', 'paused', 'suspended') AND (s.desired_exists = 0 "      \
    "OR s.operation IS NULL OR s.operation LIKE 'reboot-%' OR s.operation LIKE 'image-%' OR s.operation = "            \
    "'flattening') THEN 'UNKNOWN' "                                                                                    \
    "ELSE " SERVER_STATUS " END"

/* Fills `ret` from a row of SERVER_COLUMNS; texts are copied into `a`, or borrowed when it is NULL. ERR_CORRUPT for an
 * unknown word. */
int store_server_map(const struct db_rows *rows, struct arena *a, struct server_row *ret, struct error *e);
/* Walks `rows`, which db_query has just opened, and ends them. */
int store_server_walk(struct db_rows *rows, store_server_fn each, void *arg, struct error *e);
