/* Operations: every action on a server as os-instance-actions shows it, from asked for to done or failed. Pure. */
#pragma once
#include "common/fsm.h"
#include "common/model/server.h"
#include <stdbool.h>
#include <stdint.h>

enum operation_kind {
    OPERATION_CREATE,
    OPERATION_DELETE,
    OPERATION_START,
    OPERATION_STOP,
    OPERATION_REBOOT,
    OPERATION_PAUSE,
    OPERATION_UNPAUSE,
    OPERATION_SUSPEND,
    OPERATION_RESUME,
    OPERATION_LOCK,
    OPERATION_UNLOCK,
    OPERATION_RESET_STATE,
    OPERATION_CHANGE_PASSWORD,
    OPERATION_ATTACH_INTERFACE,
    OPERATION_DETACH_INTERFACE,
    OPERATION_ADD_FIXED_IP,
    OPERATION_REMOVE_FIXED_IP,
    OPERATION_PREEMPT,
    OPERATION_CREATE_IMAGE,
    OPERATION_CREATE_BACKUP,
    OPERATION_CLONE,
    OPERATION_FLATTEN,
    OPERATION_SHELVE,
    OPERATION_SHELVE_OFFLOAD,
    OPERATION_UNSHELVE,
    OPERATION_RESIZE,
    OPERATION_MIGRATE,
    OPERATION_LIVE_MIGRATION,
    OPERATION_EVACUATE,
    OPERATION_CONFIRM_RESIZE,
    OPERATION_REVERT_RESIZE,
    OPERATION_COUNT
};
/* Stored and shown: "create", "reboot", "resetState" ... (nova/compute/instance_actions.py). */
const char *operation_name(enum operation_kind kind);
int operation_parse(const char *text); /* -1 when unknown */
/* The name of the event that Nova shows within the action ("compute_stop_instance"); NULL for actions that end at once
 * and have none. */
const char *operation_event(enum operation_kind kind);
/* How long the transition may take before it goes back, forward or to ERROR, in microseconds; 0: it ends at once, or it
 * is a migration, whose steps have limits of their own. */
int64_t operation_deadline_us(enum operation_kind kind);
/* It is a migration: steps of common/model/migration.h. */
bool operation_moves(enum operation_kind kind);
/* The operation that an action of a tenant starts. */
enum operation_kind operation_of_action(enum server_action action);

enum operation_state { OPERATION_RUNNING, OPERATION_DONE, OPERATION_FAILED, OPERATION_STATE_COUNT };
enum operation_step { OPERATION_FINISH, OPERATION_FAIL, OPERATION_STEP_COUNT };
/* running -finish-> done, running -fail-> failed; an ended operation never moves again. States have the names that rows
 * carry. */
extern const struct fsm operation_fsm;
