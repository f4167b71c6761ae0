/* Operations as a table: names, Nova's event names and deadlines; and the three states that one goes through. */
#include "common/model/operation.h"
#include <assert.h>
#include <string.h>

#define SECOND_US ((int64_t)1000000)

struct operation_row {
    const char *name, *event;
    int64_t deadline_us;
};
static const struct operation_row rows[OPERATION_COUNT] = {
    /* A build downloads its image: generous. */
    [OPERATION_CREATE] = {"create", "compute__do_build_and_run_instance", 900 * SECOND_US},
    [OPERATION_DELETE] = {"delete", "compute_terminate_instance", 120 * SECOND_US},
    [OPERATION_START] = {"start", "compute_start_instance", 180 * SECOND_US},
    /* A guest gets a minute to shut down by itself. */
    [OPERATION_STOP] = {"stop", "compute_stop_instance", 180 * SECOND_US},
    [OPERATION_REBOOT] = {"reboot", "compute_reboot_instance", 240 * SECOND_US},
    [OPERATION_PAUSE] = {"pause", "compute_pause_instance", 60 * SECOND_US},
    [OPERATION_UNPAUSE] = {"unpause", "compute_unpause_instance", 60 * SECOND_US},
    /* These write or read the guest's whole memory. */
    [OPERATION_SUSPEND] = {"suspend", "compute_suspend_instance", 600 * SECOND_US},
    [OPERATION_RESUME] = {"resume", "compute_resume_instance", 600 * SECOND_US},
    [OPERATION_LOCK] = {"lock", NULL, 0},
    [OPERATION_UNLOCK] = {"unlock", NULL, 0},
    [OPERATION_RESET_STATE] = {"resetState", NULL, 0},
    [OPERATION_CHANGE_PASSWORD] = {"changePassword", NULL, 0},
    [OPERATION_ATTACH_INTERFACE] = {"attach_interface", NULL, 0},
    [OPERATION_DETACH_INTERFACE] = {"detach_interface", NULL, 0},
    [OPERATION_ADD_FIXED_IP] = {"addFixedIp", NULL, 0},
    [OPERATION_REMOVE_FIXED_IP] = {"removeFixedIp", NULL, 0},
    [OPERATION_PREEMPT] = {"preempt", NULL, 0},
    /* Since its host last said how far it is. */
    [OPERATION_CREATE_IMAGE] = {"createImage", "compute_snapshot_instance", 600 * SECOND_US},
    [OPERATION_CREATE_BACKUP] = {"createBackup", "compute_backup_instance", 600 * SECOND_US},
    /* Of the server that is cloned; the clone's own is a create. */
    [OPERATION_CLONE] = {"clone", NULL, 0},
    [OPERATION_FLATTEN] = {"flatten", "compute_flatten_instance", 600 * SECOND_US},
    /* Until it is off; then as an image. */
    [OPERATION_SHELVE] = {"shelve", "compute_shelve_instance", 180 * SECOND_US},
    /* A host that is away removes it when it is back. */
    [OPERATION_SHELVE_OFFLOAD] = {"shelveOffload", "compute_shelve_offload_instance", 0},
    [OPERATION_UNSHELVE] = {"unshelve", "compute_unshelve_instance", 900 * SECOND_US},
    [OPERATION_RESIZE] = {"resize", "compute_prep_resize", 0},
    [OPERATION_MIGRATE] = {"migrate", "compute_prep_resize", 0},
    [OPERATION_LIVE_MIGRATION] = {"live-migration", "compute_live_migration", 0},
    [OPERATION_EVACUATE] = {"evacuate", "compute_rebuild_instance", 0},
    [OPERATION_CONFIRM_RESIZE] = {"confirmResize", "compute_confirm_resize", 0},
    [OPERATION_REVERT_RESIZE] = {"revertResize", "compute_revert_resize", 0},
};

static const enum operation_kind action_operations[SERVER_ACTION_COUNT] = {
    [SERVER_ACTION_START] = OPERATION_START,
    [SERVER_ACTION_STOP] = OPERATION_STOP,
    [SERVER_ACTION_PAUSE] = OPERATION_PAUSE,
    [SERVER_ACTION_UNPAUSE] = OPERATION_UNPAUSE,
    [SERVER_ACTION_SUSPEND] = OPERATION_SUSPEND,
    [SERVER_ACTION_RESUME] = OPERATION_RESUME,
    [SERVER_ACTION_REBOOT_SOFT] = OPERATION_REBOOT,
    [SERVER_ACTION_REBOOT_HARD] = OPERATION_REBOOT,
    [SERVER_ACTION_RESIZE] = OPERATION_RESIZE,
    [SERVER_ACTION_LIVE_MIGRATION] = OPERATION_LIVE_MIGRATION,
    [SERVER_ACTION_CONFIRM_RESIZE] = OPERATION_CONFIRM_RESIZE,
    [SERVER_ACTION_REVERT_RESIZE] = OPERATION_REVERT_RESIZE,
    [SERVER_ACTION_EVACUATE] = OPERATION_EVACUATE,
    [SERVER_ACTION_CREATE_IMAGE] = OPERATION_CREATE_IMAGE,
    [SERVER_ACTION_CREATE_BACKUP] = OPERATION_CREATE_BACKUP,
    [SERVER_ACTION_CLONE] = OPERATION_CLONE,
    [SERVER_ACTION_FLATTEN] = OPERATION_FLATTEN,
    [SERVER_ACTION_SHELVE] = OPERATION_SHELVE,
    [SERVER_ACTION_SHELVE_OFFLOAD] = OPERATION_SHELVE_OFFLOAD,
    [SERVER_ACTION_UNSHELVE] = OPERATION_UNSHELVE,
    [SERVER_ACTION_DELETE] = OPERATION_DELETE,
};

static const char *const state_names[OPERATION_STATE_COUNT] = {"running", "done", "failed"};
static const char *const step_names[OPERATION_STEP_COUNT] = {"finish", "fail"};
static const struct fsm_row moves[] = {
    {OPERATION_RUNNING, OPERATION_FINISH, OPERATION_DONE},
    {OPERATION_RUNNING, OPERATION_FAIL, OPERATION_FAILED},
};
const struct fsm operation_fsm = {
    .name = "operation",
    .states = state_names,
    .state_count = OPERATION_STATE_COUNT,
    .events = step_names,
    .event_count = OPERATION_STEP_COUNT,
    .rows = moves,
    .row_count = sizeof(moves) / sizeof(moves[0]),
};

const char *operation_name(enum operation_kind kind)
{
    assert(kind < OPERATION_COUNT);
    return rows[kind].name;
}

int operation_parse(const char *text)
{
    for (int i = 0; i < OPERATION_COUNT; i++) {
        if (text != NULL && strcmp(rows[i].name, text) == 0)
            return i;
    }
    return -1;
}

const char *operation_event(enum operation_kind kind)
{
    assert(kind < OPERATION_COUNT);
    return rows[kind].event;
}

bool operation_moves(enum operation_kind kind)
{
    assert(kind < OPERATION_COUNT);
    return kind >= OPERATION_RESIZE;
}

int64_t operation_deadline_us(enum operation_kind kind)
{
    assert(kind < OPERATION_COUNT);
    return rows[kind].deadline_us;
}

enum operation_kind operation_of_action(enum server_action action)
{
    assert(action < SERVER_ACTION_COUNT);
    return action_operations[action];
}
