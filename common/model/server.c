/* The server's words, permissions and moves. The happy path: waiting, placed, building, running, and what its tenant
 * wants next. A host's report goes through server_observe, a passed deadline through server_expire; nothing else
 * changes what is observed. Failures keep the promise that a delete always wins and that no state lasts for ever. */
#include "common/model/server.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const power_names[SERVER_POWER_COUNT] = {
    [SERVER_POWER_RUNNING] = "running",
    [SERVER_POWER_STOPPED] = "stopped",
    [SERVER_POWER_PAUSED] = "paused",
    [SERVER_POWER_SUSPENDED] = "suspended",
};
static const char *const state_names[SERVER_STATE_COUNT] = {
    [SERVER_STATE_NONE] = "none",       [SERVER_STATE_BUILDING] = "building", [SERVER_STATE_RUNNING] = "running",
    [SERVER_STATE_STOPPED] = "stopped", [SERVER_STATE_PAUSED] = "paused",     [SERVER_STATE_SUSPENDED] = "suspended",
    [SERVER_STATE_CRASHED] = "crashed", [SERVER_STATE_SHELVED] = "shelved",   [SERVER_STATE_GONE] = "gone",
};
static const char *const placement_names[SERVER_PLACEMENT_COUNT] = {
    [SERVER_PLACEMENT_WAITING] = "waiting",
    [SERVER_PLACEMENT_PLACED] = "placed",
    [SERVER_PLACEMENT_FAILED] = "failed",
};
static const char *const operation_names[SERVER_OPERATION_COUNT] = {
    [SERVER_OPERATION_NONE] = NULL,
    [SERVER_OPERATION_REBOOT_SOFT] = "reboot-soft",
    [SERVER_OPERATION_REBOOT_HARD] = "reboot-hard",
    [SERVER_OPERATION_IMAGE_SNAPSHOT] = "image-snapshot",
    [SERVER_OPERATION_IMAGE_BACKUP] = "image-backup",
    [SERVER_OPERATION_IMAGE_PENDING] = "image-pending",
    [SERVER_OPERATION_IMAGE_UPLOADING] = "image-uploading",
    [SERVER_OPERATION_FLATTENING] = "flattening",
    [SERVER_OPERATION_SHELVING] = "shelving",
    [SERVER_OPERATION_SHELVING_PENDING] = "shelving-pending",
    [SERVER_OPERATION_SHELVING_UPLOADING] = "shelving-uploading",
    [SERVER_OPERATION_SHELVED] = "shelved",
    [SERVER_OPERATION_OFFLOADING] = "offloading",
    [SERVER_OPERATION_UNSHELVING] = "unshelving",
    [SERVER_OPERATION_RESIZE_PREP] = "resize-prep",
    [SERVER_OPERATION_RESIZE_MIGRATING] = "resize-migrating",
    [SERVER_OPERATION_RESIZE_FINISH] = "resize-finish",
    [SERVER_OPERATION_RESIZED] = "resized",
    [SERVER_OPERATION_RESIZE_REVERTING] = "resize-reverting",
    [SERVER_OPERATION_MIGRATING] = "migrating",
    [SERVER_OPERATION_REBUILDING] = "rebuilding",
};
/* Nova's task, and the status that goes with it: nova/api/openstack/common.py, _STATE_MAP; NULL: its state's.
 * `resized`: the vm_state is "resized", whatever the host says. */
struct operation_word {
    const char *task, *status;
    bool resized;
};
static const struct operation_word operation_words[SERVER_OPERATION_COUNT] = {
    [SERVER_OPERATION_REBOOT_SOFT] = {"rebooting", "REBOOT", false},
    [SERVER_OPERATION_REBOOT_HARD] = {"rebooting_hard", "HARD_REBOOT", false},
    [SERVER_OPERATION_IMAGE_SNAPSHOT] = {"image_snapshot", NULL, false},
    [SERVER_OPERATION_IMAGE_BACKUP] = {"image_backup", NULL, false},
    [SERVER_OPERATION_IMAGE_PENDING] = {"image_pending_upload", NULL, false},
    [SERVER_OPERATION_IMAGE_UPLOADING] = {"image_uploading", NULL, false},
    [SERVER_OPERATION_FLATTENING] = {"flattening", NULL, false}, /* ours */
    [SERVER_OPERATION_SHELVING] = {"shelving", NULL, false},
    [SERVER_OPERATION_SHELVING_PENDING] = {"shelving_image_pending_upload", NULL, false},
    [SERVER_OPERATION_SHELVING_UPLOADING] = {"shelving_image_uploading", NULL, false},
    [SERVER_OPERATION_SHELVED] = {NULL, NULL, false}, /* for these three see shelf_words */
    [SERVER_OPERATION_OFFLOADING] = {"shelving_offloading", NULL, false},
    [SERVER_OPERATION_UNSHELVING] = {"unshelving", NULL, false},
    [SERVER_OPERATION_RESIZE_PREP] = {"resize_prep", "RESIZE", false},
    [SERVER_OPERATION_RESIZE_MIGRATING] = {"resize_migrating", "RESIZE", false},
    [SERVER_OPERATION_RESIZE_FINISH] = {"resize_finish", "RESIZE", false},
    [SERVER_OPERATION_RESIZED] = {NULL, "VERIFY_RESIZE", true},
    [SERVER_OPERATION_RESIZE_REVERTING] = {"resize_reverting", "REVERT_RESIZE", true},
    [SERVER_OPERATION_MIGRATING] = {"migrating", "MIGRATING", false},
    [SERVER_OPERATION_REBUILDING] = {"rebuild_spawning", "REBUILD", false},
};

/* A placed server without a fault, by what its host last said. */
struct state_row {
    const char *vm_state, *status;
    int power_state;
    bool launched;
    enum server_power rest; /* when launched */
};
static const struct state_row state_rows[SERVER_STATE_COUNT] = {
    [SERVER_STATE_NONE] = {"building", "BUILD", 0, false, SERVER_POWER_RUNNING},
    [SERVER_STATE_BUILDING] = {"building", "BUILD", 0, false, SERVER_POWER_RUNNING},
    [SERVER_STATE_RUNNING] = {"active", "ACTIVE", 1, true, SERVER_POWER_RUNNING},
    [SERVER_STATE_STOPPED] = {"stopped", "SHUTOFF", 4, true, SERVER_POWER_STOPPED},
    [SERVER_STATE_PAUSED] = {"paused", "PAUSED", 3, true, SERVER_POWER_PAUSED},
    [SERVER_STATE_SUSPENDED] = {"suspended", "SUSPENDED", 7, true, SERVER_POWER_SUSPENDED},
    [SERVER_STATE_CRASHED] = {"stopped", "SHUTOFF", 6, true, SERVER_POWER_STOPPED},
    [SERVER_STATE_SHELVED] = {"shelved_offloaded", "SHELVED_OFFLOADED", 4, true, SERVER_POWER_STOPPED},
    [SERVER_STATE_GONE] = {"deleted", "DELETED", 0, false, SERVER_POWER_STOPPED},
};

/* What is under way when the host has one power at rest (row) and another is desired (column). */
static const char *const task_words[SERVER_POWER_COUNT][SERVER_POWER_COUNT] = {
    [SERVER_POWER_RUNNING] = {NULL, "powering-off", "pausing", "suspending"},
    [SERVER_POWER_STOPPED] = {"powering-on", NULL, "powering-on", "powering-on"},
    [SERVER_POWER_PAUSED] = {"unpausing", "powering-off", NULL, "suspending"},
    [SERVER_POWER_SUSPENDED] = {"resuming", "powering-off", "resuming", NULL},
};

/* Bits of vm_state for the table of actions. */
enum vm_bit {
    VM_ACTIVE = 1,
    VM_STOPPED = 2,
    VM_PAUSED = 4,
    VM_SUSPENDED = 8,
    VM_ERROR = 16,
    VM_RESIZED = 32,
    VM_SHELVED = 64,
    VM_OFFLOADED = 128,
    VM_ANY = 0xff
};
struct action_row {
    const char *name;
    unsigned from;
    enum server_power power;
    bool any_task, reboot_tasks, keeps_power;
};
/* nova/compute/api.py, the check_instance_state of each method. */
static const struct action_row action_rows[SERVER_ACTION_COUNT] = {
    [SERVER_ACTION_START] = {"start", VM_STOPPED, SERVER_POWER_RUNNING, false, false, false},
    [SERVER_ACTION_STOP] = {"stop", VM_ACTIVE | VM_ERROR, SERVER_POWER_STOPPED, false, false, false},
    [SERVER_ACTION_PAUSE] = {"pause", VM_ACTIVE, SERVER_POWER_PAUSED, false, false, false},
    [SERVER_ACTION_UNPAUSE] = {"unpause", VM_PAUSED, SERVER_POWER_RUNNING, false, false, false},
    [SERVER_ACTION_SUSPEND] = {"suspend", VM_ACTIVE, SERVER_POWER_SUSPENDED, false, false, false},
    [SERVER_ACTION_RESUME] = {"resume", VM_SUSPENDED, SERVER_POWER_RUNNING, false, false, false},
    [SERVER_ACTION_REBOOT_SOFT] = {"reboot", VM_ACTIVE, SERVER_POWER_RUNNING, false, false, false},
    [SERVER_ACTION_REBOOT_HARD] = {"reboot", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED | VM_ERROR,
                                   SERVER_POWER_RUNNING, false, true, false},
    [SERVER_ACTION_RESIZE] = {"resize", VM_ACTIVE | VM_STOPPED, SERVER_POWER_RUNNING, false, false, true},
    [SERVER_ACTION_LIVE_MIGRATION] = {"live-migration", VM_ACTIVE | VM_PAUSED, SERVER_POWER_RUNNING, false, false,
                                      true},
    [SERVER_ACTION_CONFIRM_RESIZE] = {"confirmResize", VM_RESIZED, SERVER_POWER_RUNNING, false, false, true},
    [SERVER_ACTION_REVERT_RESIZE] = {"revertResize", VM_RESIZED, SERVER_POWER_RUNNING, false, false, true},
    [SERVER_ACTION_EVACUATE] = {"evacuate", VM_ACTIVE | VM_STOPPED | VM_ERROR, SERVER_POWER_RUNNING, true, false, true},
    [SERVER_ACTION_CREATE_IMAGE] = {"createImage", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED,
                                    SERVER_POWER_RUNNING, false, false, true},
    [SERVER_ACTION_CREATE_BACKUP] = {"createBackup", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED,
                                     SERVER_POWER_RUNNING, false, false, true},
    [SERVER_ACTION_CLONE] = {"clone", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED, SERVER_POWER_RUNNING, false,
                             false, true},
    [SERVER_ACTION_FLATTEN] = {"flatten", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED, SERVER_POWER_RUNNING,
                               false, false, true},
    [SERVER_ACTION_SHELVE] = {"shelve", VM_ACTIVE | VM_STOPPED | VM_PAUSED | VM_SUSPENDED, SERVER_POWER_STOPPED, false,
                              false, false},
    [SERVER_ACTION_SHELVE_OFFLOAD] = {"shelveOffload", VM_SHELVED, SERVER_POWER_STOPPED, false, false, true},
    [SERVER_ACTION_UNSHELVE] = {"unshelve", VM_SHELVED | VM_OFFLOADED, SERVER_POWER_RUNNING, false, false, false},
    [SERVER_ACTION_DELETE] = {"delete", VM_ANY, SERVER_POWER_STOPPED, true, false, false},
};
/* nova/compute/task_states.py, ALLOW_REBOOT. */
static const char *const reboot_tasks[] = {"rebooting", "rebooting_hard", "resuming",
                                           "unpausing", "pausing",        "suspending"};

static bool faulty(const struct server_situation *s)
{
    return s->fault || s->placement == SERVER_PLACEMENT_FAILED;
}

static const char *task_word(const struct server_situation *s)
{
    const struct state_row *row = &state_rows[s->state];
    if (!s->exists)
        return s->state == SERVER_STATE_GONE ? NULL : "deleting";
    if (s->operation != SERVER_OPERATION_NONE)
        return operation_words[s->operation].task;
    if (s->placement == SERVER_PLACEMENT_WAITING)
        return faulty(s) ? NULL : "scheduling";
    if (s->state == SERVER_STATE_GONE || s->placement == SERVER_PLACEMENT_FAILED)
        return NULL;
    if (!row->launched)
        return faulty(s) ? NULL : "spawning";
    return task_words[row->rest][s->power];
}

/* The rows of _STATE_MAP in which that task has a status of its own. */
static bool status_applies(const struct server_situation *s, const struct state_row *row)
{
    bool running = row == &state_rows[SERVER_STATE_RUNNING];
    bool stopped = row->rest == SERVER_POWER_STOPPED && row->launched && row != &state_rows[SERVER_STATE_SHELVED];
    if (operation_words[s->operation].status == NULL)
        return false;
    switch (s->operation) {
    case SERVER_OPERATION_REBOOT_SOFT:
    case SERVER_OPERATION_REBOOT_HARD:
        return running;
    case SERVER_OPERATION_MIGRATING:
        return running || row == &state_rows[SERVER_STATE_PAUSED];
    case SERVER_OPERATION_RESIZED:
    case SERVER_OPERATION_RESIZE_REVERTING:
        return true;
    default:
        return running || stopped;
    }
}

bool server_operation_moves(enum server_operation o)
{
    return o >= SERVER_OPERATION_RESIZE_PREP;
}

bool server_operation_images(enum server_operation o)
{
    return (o >= SERVER_OPERATION_IMAGE_SNAPSHOT && o <= SERVER_OPERATION_FLATTENING) ||
           o == SERVER_OPERATION_SHELVING_PENDING || o == SERVER_OPERATION_SHELVING_UPLOADING;
}

bool server_operation_shelves(enum server_operation o)
{
    return o >= SERVER_OPERATION_SHELVING && o <= SERVER_OPERATION_UNSHELVING;
}

/* It has something on its host, or had when that was heard last. */
static bool on_host(const struct server_situation *s)
{
    return s->placement == SERVER_PLACEMENT_PLACED && state_rows[s->state].launched && s->state != SERVER_STATE_SHELVED;
}

static void shelf_words(const struct server_situation *s, struct server_words *words)
{
    if (!s->exists || faulty(s) || s->operation < SERVER_OPERATION_SHELVED ||
        s->operation > SERVER_OPERATION_UNSHELVING)
        return;
    bool offloaded = s->operation == SERVER_OPERATION_UNSHELVING && !on_host(s);
    words->status = offloaded ? "SHELVED_OFFLOADED" : "SHELVED";
    words->vm_state = offloaded ? "shelved_offloaded" : "shelved";
}

/* What is shown is what its host said last, and nobody knows whether it is so. */
static bool is_unknown(const struct server_situation *s)
{
    return s->silent && s->placement == SERVER_PLACEMENT_PLACED && state_rows[s->state].launched && !s->fault &&
           s->state != SERVER_STATE_SHELVED &&
           (!s->exists || !(server_operation_moves(s->operation) || server_operation_shelves(s->operation)));
}

struct server_words server_words(const struct server_situation *s)
{
    const struct state_row *row = &state_rows[s->placement == SERVER_PLACEMENT_PLACED ? s->state : SERVER_STATE_NONE];
    struct server_words words = {
        .status = row->status, .vm_state = row->vm_state, .power_state = row->power_state, .task_state = task_word(s)};
    if (s->state == SERVER_STATE_GONE && !s->exists)
        return (struct server_words){.status = "DELETED", .vm_state = "deleted"};
    if (faulty(s) || s->state == SERVER_STATE_GONE) {
        words.status = "ERROR";
        words.vm_state = "error";
    } else if (s->placement == SERVER_PLACEMENT_PLACED && s->exists && status_applies(s, row)) {
        words.status = operation_words[s->operation].status;
        if (operation_words[s->operation].resized)
            words.vm_state = "resized";
    }
    if (s->state != SERVER_STATE_GONE)
        shelf_words(s, &words);
    if (is_unknown(s))
        words.status = "UNKNOWN";
    if (s->silent)
        words.power_state = 0;
    return words;
}

static unsigned vm_bit(const struct server_words *words)
{
    static const struct {
        const char *word;
        enum vm_bit bit;
    } bits[] = {
        {"active", VM_ACTIVE},   {"stopped", VM_STOPPED}, {"paused", VM_PAUSED},   {"suspended", VM_SUSPENDED},
        {"resized", VM_RESIZED}, {"error", VM_ERROR},     {"shelved", VM_SHELVED}, {"shelved_offloaded", VM_OFFLOADED}};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        if (strcmp(words->vm_state, bits[i].word) == 0)
            return bits[i].bit;
    }
    return 0;
}

static bool task_allowed(const struct action_row *row, const char *task)
{
    if (task == NULL || row->any_task)
        return true;
    for (size_t i = 0; row->reboot_tasks && i < sizeof(reboot_tasks) / sizeof(reboot_tasks[0]); i++) {
        if (strcmp(task, reboot_tasks[i]) == 0)
            return true;
    }
    return false;
}

const char *server_refusal(const struct server_situation *s, enum server_action action, const char **ret_value)
{
    const struct action_row *row = &action_rows[action];
    struct server_words words = server_words(s);
    if (row->from != VM_ANY && (row->from & vm_bit(&words)) == 0) {
        *ret_value = words.vm_state;
        return "vm_state";
    }
    if (!task_allowed(row, words.task_state)) {
        *ret_value = words.task_state;
        return "task_state";
    }
    if (row->from != VM_ANY && (s->placement != SERVER_PLACEMENT_PLACED || !state_rows[s->state].launched)) {
        *ret_value = "None";
        return "launched_at";
    }
    return NULL;
}

bool server_allows(const struct server_situation *s, enum server_action action, enum server_power *ret_power)
{
    const char *value;
    assert(action < SERVER_ACTION_COUNT);
    if (server_refusal(s, action, &value) != NULL)
        return false;
    *ret_power = action_rows[action].keeps_power ? s->power : action_rows[action].power;
    return true;
}

bool server_power_of(enum server_state state, enum server_power *ret_power)
{
    if (!state_rows[state].launched)
        return false;
    *ret_power = state_rows[state].rest;
    return true;
}

bool server_settled(const struct server_situation *s)
{
    enum server_power rest;
    if (!s->exists)
        return s->state == SERVER_STATE_GONE;
    return s->placement == SERVER_PLACEMENT_PLACED && s->operation == SERVER_OPERATION_NONE &&
           server_power_of(s->state, &rest) && rest == s->power;
}

/* What was wanted is given up: the server is wanted as it is. Without a usable state it is a fault. */
static void give_up(struct server_change *change)
{
    struct server_situation *after = &change->after;
    enum server_power rest;
    change->outcome = SERVER_OUTCOME_FAILED;
    change->rest = true;
    after->operation = SERVER_OPERATION_NONE;
    bool at_rest = server_power_of(after->state, &rest);
    if (!at_rest || after->state == SERVER_STATE_CRASHED)
        after->fault = true;
    if (at_rest && rest != after->power) {
        after->power = rest;
        change->redesire = true;
    }
}

static void observe_deleted(const struct server_report *report, struct server_change *ret)
{
    ret->after.state = report->state;
    ret->gone = report->state == SERVER_STATE_GONE;
    if (ret->gone) {
        ret->outcome = SERVER_OUTCOME_DONE;
        ret->rest = true;
    }
}

static void observe_failure(const struct server_situation *before, const struct server_report *report,
                            struct server_change *ret)
{
    bool building = !state_rows[before->state].launched;
    /* A build that failed stays a build: what the host has of it was never usable. */
    ret->after.state = building ? SERVER_STATE_BUILDING : report->state;
    if (building || report->current || report->operation)
        give_up(ret);
}

static void observe_state(const struct server_report *report, struct server_change *ret)
{
    struct server_situation *after = &ret->after;
    enum server_power rest;
    after->state = report->state;
    if (report->operation)
        after->operation = SERVER_OPERATION_NONE;
    if (!report->current || !server_power_of(after->state, &rest) || after->operation != SERVER_OPERATION_NONE)
        return;
    if (rest == after->power) {
        after->fault = false;
        ret->outcome = SERVER_OUTCOME_DONE;
        ret->rest = true;
    } else if (report->resuming && report->idle) {
        ret->resuming = true;
    } else if (report->idle || report->operation) {
        after->power = rest;
        ret->redesire = true;
        ret->rest = true;
        ret->outcome = report->operation ? SERVER_OUTCOME_DONE : SERVER_OUTCOME_OPEN;
    }
}

/* Whoever moves the server decides what becomes of it. A domain that is missing meanwhile is on its way. */
static void observe_moving(const struct server_report *report, struct server_change *ret)
{
    enum server_power rest;
    bool off = report->state == SERVER_STATE_CRASHED;
    if (report->failed || !server_power_of(report->state, &rest))
        return;
    if (!off)
        ret->after.state = report->state;
    else if (ret->after.power == SERVER_POWER_STOPPED)
        ret->after.state = SERVER_STATE_STOPPED;
}

/* It is wanted as it is: switched off on its host, or on the shelf again. */
static void shelf_ends(struct server_change *ret)
{
    struct server_situation *after = &ret->after;
    if (after->operation == SERVER_OPERATION_SHELVING) {
        give_up(ret);
        return;
    }
    ret->outcome = SERVER_OUTCOME_FAILED;
    ret->rest = true;
    ret->redesire = after->power != SERVER_POWER_STOPPED && on_host(after);
    after->power = SERVER_POWER_STOPPED;
    if (after->placement == SERVER_PLACEMENT_WAITING) { /* no host has anything of it */
        after->placement = SERVER_PLACEMENT_PLACED;
        after->state = SERVER_STATE_SHELVED;
        after->operation = SERVER_OPERATION_NONE;
    } else {
        after->operation = on_host(after) ? SERVER_OPERATION_SHELVED : SERVER_OPERATION_OFFLOADING;
    }
}

static void observe_shelf(const struct server_report *report, struct server_change *ret)
{
    struct server_situation *after = &ret->after;
    enum server_power rest;
    if (report->failed) {
        if (state_rows[report->state].launched && on_host(after))
            after->state = report->state;
        if (report->current && after->operation != SERVER_OPERATION_SHELVED)
            shelf_ends(ret);
        return;
    }
    if (after->state != SERVER_STATE_SHELVED || report->state != SERVER_STATE_BUILDING)
        after->state = report->state;
    if (after->operation != SERVER_OPERATION_UNSHELVING || !report->current || !server_power_of(after->state, &rest) ||
        rest != after->power)
        return;
    after->operation = SERVER_OPERATION_NONE;
    after->fault = false;
    ret->outcome = SERVER_OUTCOME_DONE;
    ret->rest = true;
}

void server_observe(const struct server_situation *before, const struct server_report *report,
                    struct server_change *ret)
{
    *ret = (struct server_change){.after = *before};
    if (!before->exists) {
        observe_deleted(report, ret);
    } else if (server_operation_moves(before->operation)) {
        observe_moving(report, ret);
    } else if (before->operation == SERVER_OPERATION_OFFLOADING) {
        return; /* it goes, and its host says so as the end of its task */
    } else if (report->state == SERVER_STATE_GONE) {
        ret->after.state = SERVER_STATE_GONE;
        give_up(ret);
    } else if (server_operation_images(before->operation)) {
        ret->after.state = report->state;
    } else if (server_operation_shelves(before->operation)) {
        observe_shelf(report, ret);
    } else if (report->failed) {
        observe_failure(before, report, ret);
    } else {
        observe_state(report, ret);
    }
}

void server_end_image(const struct server_situation *before, bool made, struct server_change *ret)
{
    enum server_power rest;
    *ret = (struct server_change){.after = *before, .rest = true};
    ret->outcome = made ? SERVER_OUTCOME_DONE : SERVER_OUTCOME_FAILED;
    bool shelved = made && server_operation_shelves(before->operation);
    ret->after.operation = shelved ? SERVER_OPERATION_SHELVED : SERVER_OPERATION_NONE;
    if (shelved)
        return;
    if (before->exists && server_power_of(before->state, &rest) && rest != before->power) {
        ret->after.power = rest;
        ret->redesire = true;
    }
}

void server_expire(const struct server_situation *before, struct server_change *ret)
{
    *ret = (struct server_change){.after = *before};
    if (!before->exists)
        return;
    bool flattening = before->operation == SERVER_OPERATION_FLATTENING;
    if (flattening && on_host(before)) {
        server_end_image(before, false, ret);
        return;
    }
    if (server_operation_moves(before->operation) || (server_operation_images(before->operation) && !flattening)) {
        ret->rest = true;
        return;
    }
    if (server_operation_shelves(before->operation) && before->operation != SERVER_OPERATION_SHELVING) {
        ret->rest = true;
        if (before->operation == SERVER_OPERATION_UNSHELVING)
            shelf_ends(ret);
        return;
    }
    if (before->placement == SERVER_PLACEMENT_WAITING)
        ret->after.placement = SERVER_PLACEMENT_FAILED;
    if (server_settled(before)) {
        ret->rest = true;
        return;
    }
    give_up(ret);
}

static int parse(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (names[i] != NULL && text != NULL && strcmp(names[i], text) == 0)
            return i;
    }
    return -1;
}

const char *server_power_name(enum server_power p)
{
    assert(p < SERVER_POWER_COUNT);
    return power_names[p];
}

int server_power_parse(const char *text)
{
    return parse(power_names, SERVER_POWER_COUNT, text);
}

const char *server_state_name(enum server_state s)
{
    assert(s < SERVER_STATE_COUNT);
    return state_names[s];
}

int server_state_parse(const char *text)
{
    return parse(state_names, SERVER_STATE_COUNT, text);
}

const char *server_placement_name(enum server_placement p)
{
    assert(p < SERVER_PLACEMENT_COUNT);
    return placement_names[p];
}

int server_placement_parse(const char *text)
{
    return parse(placement_names, SERVER_PLACEMENT_COUNT, text);
}

const char *server_action_name(enum server_action a)
{
    assert(a < SERVER_ACTION_COUNT);
    return action_rows[a].name;
}

const char *server_operation_name(enum server_operation o)
{
    assert(o < SERVER_OPERATION_COUNT);
    return operation_names[o];
}

int server_operation_parse(const char *text)
{
    return text == NULL ? SERVER_OPERATION_NONE : parse(operation_names, SERVER_OPERATION_COUNT, text);
}
