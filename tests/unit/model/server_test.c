/* The server's words, permissions and moves, walked over every situation there is. */
#include "common/model/server.h"
#include "tests/unit/check.h"

/* Calls `each` for all situations. */
static size_t each_situation(void (*each)(const struct server_situation *))
{
    size_t count = 0;
    for (int i = 0;
         i < 2 * SERVER_POWER_COUNT * SERVER_STATE_COUNT * SERVER_PLACEMENT_COUNT * SERVER_OPERATION_COUNT * 2; i++) {
        int n = i;
        struct server_situation s = {0};
        s.exists = n % 2 == 0;
        n /= 2;
        s.power = (enum server_power)(n % SERVER_POWER_COUNT);
        n /= SERVER_POWER_COUNT;
        s.state = (enum server_state)(n % SERVER_STATE_COUNT);
        n /= SERVER_STATE_COUNT;
        s.placement = (enum server_placement)(n % SERVER_PLACEMENT_COUNT);
        n /= SERVER_PLACEMENT_COUNT;
        s.operation = (enum server_operation)(n % SERVER_OPERATION_COUNT);
        n /= SERVER_OPERATION_COUNT;
        s.fault = n % 2 == 1;
        each(&s);
        count++;
    }
    return count;
}

/* nova/api/openstack/common.py, _STATE_MAP, as far as these words go. */
static const char *nova_status(const char *vm, const char *task)
{
    static const struct {
        const char *vm, *task, *status;
    } map[] = {
        {"active", "rebooting", "REBOOT"},
        {"active", "rebooting_hard", "HARD_REBOOT"},
        {"active", "migrating", "MIGRATING"},
        {"paused", "migrating", "MIGRATING"},
        {"active", "resize_prep", "RESIZE"},
        {"active", "resize_migrating", "RESIZE"},
        {"active", "resize_finish", "RESIZE"},
        {"active", "rebuild_spawning", "REBUILD"},
        {"stopped", "resize_prep", "RESIZE"},
        {"stopped", "resize_migrating", "RESIZE"},
        {"stopped", "resize_finish", "RESIZE"},
        {"stopped", "rebuild_spawning", "REBUILD"},
        {"resized", "resize_reverting", "REVERT_RESIZE"},
        {"resized", NULL, "VERIFY_RESIZE"},
        {"active", NULL, "ACTIVE"},
        {"building", NULL, "BUILD"},
        {"stopped", NULL, "SHUTOFF"},
        {"paused", NULL, "PAUSED"},
        {"suspended", NULL, "SUSPENDED"},
        {"shelved", NULL, "SHELVED"},
        {"shelved_offloaded", NULL, "SHELVED_OFFLOADED"},
        {"error", NULL, "ERROR"},
        {"deleted", NULL, "DELETED"},
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        if (strcmp(map[i].vm, vm) == 0 && (map[i].task == NULL || (task != NULL && strcmp(map[i].task, task) == 0)))
            return map[i].status;
    }
    return "UNKNOWN";
}

static void words_are_novas(const struct server_situation *s)
{
    static const char *const tasks[] = {"scheduling",
                                        "spawning",
                                        "deleting",
                                        "powering-off",
                                        "powering-on",
                                        "pausing",
                                        "unpausing",
                                        "suspending",
                                        "resuming",
                                        "rebooting",
                                        "rebooting_hard",
                                        "migrating",
                                        "resize_prep",
                                        "resize_migrating",
                                        "resize_finish",
                                        "resize_reverting",
                                        "rebuild_spawning",
                                        "image_snapshot",
                                        "image_backup",
                                        "image_pending_upload",
                                        "image_uploading",
                                        "flattening",
                                        "shelving",
                                        "shelving_image_pending_upload",
                                        "shelving_image_uploading",
                                        "shelving_offloading",
                                        "unshelving"};
    struct server_words w = server_words(s);
    bool known = w.task_state == NULL;
    CHECK_TEXT(w.status, nova_status(w.vm_state, w.task_state));
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]) && !known; i++)
        known = strcmp(tasks[i], w.task_state) == 0;
    CHECK(known);
    if (!s->exists && s->state != SERVER_STATE_GONE)
        CHECK_TEXT(w.task_state, "deleting");
    if (s->fault && s->exists)
        CHECK_TEXT(w.status, "ERROR");
    if (server_settled(s) && s->exists)
        CHECK(w.task_state == NULL);
}

TEST("every situation has Nova's words")
{
    CHECK_INT(each_situation(words_are_novas), 2 * 4 * 9 * 3 * 21 * 2);
}

#define PLACED .exists = true, .placement = SERVER_PLACEMENT_PLACED
TEST("words follow a server through its life")
{
    static const struct {
        struct server_situation s;
        const char *status, *vm, *task;
        int power;
    } rows[] = {
        {{.exists = true}, "BUILD", "building", "scheduling", 0},
        {{PLACED}, "BUILD", "building", "spawning", 0},
        {{PLACED, .state = SERVER_STATE_BUILDING}, "BUILD", "building", "spawning", 0},
        {{PLACED, .state = SERVER_STATE_RUNNING}, "ACTIVE", "active", NULL, 1},
        {{PLACED, .state = SERVER_STATE_RUNNING, .power = SERVER_POWER_STOPPED}, "ACTIVE", "active", "powering-off", 1},
        {{PLACED, .state = SERVER_STATE_STOPPED, .power = SERVER_POWER_STOPPED}, "SHUTOFF", "stopped", NULL, 4},
        {{PLACED, .state = SERVER_STATE_STOPPED}, "SHUTOFF", "stopped", "powering-on", 4},
        {{PLACED, .state = SERVER_STATE_RUNNING, .power = SERVER_POWER_PAUSED}, "ACTIVE", "active", "pausing", 1},
        {{PLACED, .state = SERVER_STATE_PAUSED, .power = SERVER_POWER_PAUSED}, "PAUSED", "paused", NULL, 3},
        {{PLACED, .state = SERVER_STATE_PAUSED}, "PAUSED", "paused", "unpausing", 3},
        {{PLACED, .state = SERVER_STATE_RUNNING, .power = SERVER_POWER_SUSPENDED}, "ACTIVE", "active", "suspending", 1},
        {{PLACED, .state = SERVER_STATE_SUSPENDED, .power = SERVER_POWER_SUSPENDED}, "SUSPENDED", "suspended", NULL, 7},
        {{PLACED, .state = SERVER_STATE_SUSPENDED}, "SUSPENDED", "suspended", "resuming", 7},
        {{PLACED, .state = SERVER_STATE_RUNNING, .operation = SERVER_OPERATION_REBOOT_SOFT},
         "REBOOT",
         "active",
         "rebooting",
         1},
        {{PLACED, .state = SERVER_STATE_RUNNING, .operation = SERVER_OPERATION_REBOOT_HARD},
         "HARD_REBOOT",
         "active",
         "rebooting_hard",
         1},
        {{PLACED, .state = SERVER_STATE_STOPPED, .operation = SERVER_OPERATION_REBOOT_HARD},
         "SHUTOFF",
         "stopped",
         "rebooting_hard",
         4},
        {{PLACED, .state = SERVER_STATE_CRASHED, .power = SERVER_POWER_STOPPED}, "SHUTOFF", "stopped", NULL, 6},
        {{PLACED, .state = SERVER_STATE_BUILDING, .fault = true}, "ERROR", "error", NULL, 0},
        {{.exists = true, .placement = SERVER_PLACEMENT_FAILED}, "ERROR", "error", NULL, 0},
        {{.placement = SERVER_PLACEMENT_PLACED, .state = SERVER_STATE_RUNNING}, "ACTIVE", "active", "deleting", 1},
        {{.placement = SERVER_PLACEMENT_PLACED, .state = SERVER_STATE_GONE}, "DELETED", "deleted", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server_words w = server_words(&rows[i].s);
        CHECK_TEXT(w.status, rows[i].status);
        CHECK_TEXT(w.vm_state, rows[i].vm);
        CHECK_TEXT(w.task_state, rows[i].task);
        CHECK_INT(w.power_state, rows[i].power);
    }
}

/* nova/compute/api.py, check_instance_state of each method, word by word. */
static bool nova_allows(const struct server_situation *s, enum server_action action)
{
    static const char *const from[SERVER_ACTION_COUNT] = {
        [SERVER_ACTION_START] = " stopped ",
        [SERVER_ACTION_STOP] = " active error ",
        [SERVER_ACTION_PAUSE] = " active ",
        [SERVER_ACTION_UNPAUSE] = " paused ",
        [SERVER_ACTION_SUSPEND] = " active ",
        [SERVER_ACTION_RESUME] = " suspended ",
        [SERVER_ACTION_REBOOT_SOFT] = " active ",
        [SERVER_ACTION_REBOOT_HARD] = " active stopped paused suspended error ",
        [SERVER_ACTION_RESIZE] = " active stopped ",
        [SERVER_ACTION_LIVE_MIGRATION] = " active paused ",
        [SERVER_ACTION_CONFIRM_RESIZE] = " resized ",
        [SERVER_ACTION_REVERT_RESIZE] = " resized ",
        [SERVER_ACTION_EVACUATE] = " active stopped error ",
        [SERVER_ACTION_CREATE_IMAGE] = " active stopped paused suspended ",
        [SERVER_ACTION_CREATE_BACKUP] = " active stopped paused suspended ",
        [SERVER_ACTION_CLONE] = " active stopped paused suspended ",
        [SERVER_ACTION_FLATTEN] = " active stopped paused suspended ",
        [SERVER_ACTION_SHELVE] = " active stopped paused suspended ",
        [SERVER_ACTION_SHELVE_OFFLOAD] = " shelved ",
        [SERVER_ACTION_UNSHELVE] = " shelved shelved_offloaded ",
    };
    static const char reboot_from[] = " rebooting rebooting_hard resuming unpausing pausing suspending ";
    struct server_words w = server_words(s);
    char word[64];
    bool launched = s->placement == SERVER_PLACEMENT_PLACED && s->state != SERVER_STATE_NONE &&
                    s->state != SERVER_STATE_BUILDING && s->state != SERVER_STATE_GONE;
    if (action == SERVER_ACTION_DELETE)
        return true;
    snprintf(word, sizeof(word), " %s ", w.vm_state);
    if (strstr(from[action], word) == NULL || !launched)
        return false;
    if (w.task_state == NULL || action == SERVER_ACTION_EVACUATE)
        return true;
    snprintf(word, sizeof(word), " %s ", w.task_state);
    return action == SERVER_ACTION_REBOOT_HARD && strstr(reboot_from, word) != NULL;
}

static void actions_are_novas(const struct server_situation *s)
{
    for (int a = 0; a < SERVER_ACTION_COUNT; a++) {
        enum server_power power = SERVER_POWER_COUNT;
        const char *value = NULL, *what = server_refusal(s, (enum server_action)a, &value);
        bool allowed = server_allows(s, (enum server_action)a, &power);
        CHECK_INT(allowed, nova_allows(s, (enum server_action)a));
        CHECK_INT(allowed, what == NULL);
        CHECK_INT(allowed, power != SERVER_POWER_COUNT);
        if (what != NULL)
            CHECK(value != NULL);
    }
}

TEST("every situation allows what Nova allows")
{
    each_situation(actions_are_novas);
}

TEST("an action leads to its power")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING};
    const char *value;
    enum server_power power;
    CHECK(server_allows(&s, SERVER_ACTION_STOP, &power) && power == SERVER_POWER_STOPPED);
    CHECK(server_allows(&s, SERVER_ACTION_PAUSE, &power) && power == SERVER_POWER_PAUSED);
    CHECK(server_allows(&s, SERVER_ACTION_SUSPEND, &power) && power == SERVER_POWER_SUSPENDED);
    CHECK_TEXT(server_refusal(&s, SERVER_ACTION_START, &value), "vm_state");
    CHECK_TEXT(value, "active");
    s.power = SERVER_POWER_STOPPED;
    CHECK_TEXT(server_refusal(&s, SERVER_ACTION_PAUSE, &value), "task_state");
    CHECK_TEXT(value, "powering-off");
    s = (struct server_situation){PLACED, .state = SERVER_STATE_BUILDING, .fault = true};
    CHECK_TEXT(server_refusal(&s, SERVER_ACTION_STOP, &value), "launched_at");
}

/* Whatever a host reports and whenever a deadline passes: a server to be deleted stays so until it is gone. */
static void delete_wins(const struct server_situation *s)
{
    struct server_change change;
    if (s->exists)
        return;
    for (int i = 0; i < SERVER_STATE_COUNT * 8; i++) {
        struct server_report report = {
            .state = (enum server_state)(i % SERVER_STATE_COUNT),
            .current = i / SERVER_STATE_COUNT % 2,
            .failed = i / SERVER_STATE_COUNT / 2 % 2,
            .operation = i / SERVER_STATE_COUNT / 4 % 2,
        };
        server_observe(s, &report, &change);
        CHECK(!change.after.exists);
        CHECK_INT(change.gone, report.state == SERVER_STATE_GONE);
        CHECK(!change.redesire);
    }
    server_expire(s, &change);
    CHECK(!change.after.exists && !change.gone && !change.rest);
}

TEST("a delete always wins")
{
    each_situation(delete_wins);
}

/* After a deadline nothing is under way: at rest, or a fault. */
static void expiry_rests(const struct server_situation *s)
{
    struct server_change change;
    if (!s->exists)
        return;
    server_expire(s, &change);
    CHECK(change.rest);
    CHECK(change.after.exists);
    if (server_operation_moves(s->operation) ||
        (server_operation_images(s->operation) && s->operation != SERVER_OPERATION_FLATTENING) ||
        s->operation == SERVER_OPERATION_SHELVED || s->operation == SERVER_OPERATION_OFFLOADING) { /* have their own */
        CHECK_INT(change.after.operation, s->operation);
        return;
    }
    if (s->operation == SERVER_OPERATION_UNSHELVING && change.after.operation != SERVER_OPERATION_NONE) {
        CHECK_INT(change.after.power, SERVER_POWER_STOPPED); /* on the shelf again, or on the way there */
        return;
    }
    CHECK(server_settled(&change.after) || server_words(&change.after).vm_state[0] == 'e');
    CHECK(server_words(&change.after).task_state == NULL);
}

TEST("no transition lasts for ever")
{
    each_situation(expiry_rests);
}

static struct server_change observe(struct server_situation s, struct server_report r)
{
    struct server_change change;
    server_observe(&s, &r, &change);
    return change;
}

TEST("reports move a server")
{
    struct server_situation s = {PLACED};
    struct server_change c = observe(s, (struct server_report){.state = SERVER_STATE_BUILDING});
    CHECK_INT(c.after.state, SERVER_STATE_BUILDING);
    CHECK_INT(c.outcome, SERVER_OUTCOME_OPEN);
    c = observe(c.after, (struct server_report){.state = SERVER_STATE_RUNNING, .current = true});
    CHECK_INT(c.after.state, SERVER_STATE_RUNNING);
    CHECK_INT(c.outcome, SERVER_OUTCOME_DONE);
    CHECK(c.rest && !c.redesire);
    c.after.power = SERVER_POWER_STOPPED;
    /* A late word about the time before the stop ends nothing. */
    c = observe(c.after, (struct server_report){.state = SERVER_STATE_RUNNING, .current = false});
    CHECK_INT(c.outcome, SERVER_OUTCOME_OPEN);
    CHECK(!c.rest);
    c = observe(c.after, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true});
    CHECK_INT(c.outcome, SERVER_OUTCOME_DONE);
}

TEST("a guest that stops or pauses by itself is desired so")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING};
    struct server_change c =
        observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true, .idle = true});
    CHECK_INT(c.after.power, SERVER_POWER_STOPPED);
    CHECK(c.redesire && c.rest);
    CHECK_TEXT(server_words(&c.after).status, "SHUTOFF");
    c = observe(s, (struct server_report){.state = SERVER_STATE_CRASHED, .current = true, .idle = true});
    CHECK_INT(c.after.power, SERVER_POWER_STOPPED);
    CHECK_INT(server_words(&c.after).power_state, 6);
    c = observe(s, (struct server_report){.state = SERVER_STATE_PAUSED, .current = true, .idle = true});
    CHECK_INT(c.after.power, SERVER_POWER_PAUSED);
    CHECK(server_words(&c.after).task_state == NULL);
    /* Not while a newer wish is on its way, */
    c = observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .idle = true});
    CHECK_INT(c.after.power, SERVER_POWER_RUNNING);
    /* nor while it starts or reboots. */
    s.operation = SERVER_OPERATION_REBOOT_HARD;
    c = observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true});
    CHECK_INT(c.after.power, SERVER_POWER_RUNNING);
    s = (struct server_situation){PLACED, .state = SERVER_STATE_STOPPED};
    c = observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true});
    CHECK_INT(c.after.power, SERVER_POWER_RUNNING);
    CHECK(!c.rest);
    /* A faulty one shows what it does and stays faulty. */
    s.fault = true;
    c = observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true, .idle = true});
    CHECK(c.after.fault);
    CHECK(server_words(&c.after).task_state == NULL);
}

TEST("a failed build is a fault until it runs")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_BUILDING};
    struct server_change c =
        observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true, .failed = true});
    CHECK(c.after.fault && c.rest);
    CHECK_INT(c.outcome, SERVER_OUTCOME_FAILED);
    CHECK_TEXT(server_words(&c.after).status, "ERROR");
    c = observe(c.after, (struct server_report){.state = SERVER_STATE_RUNNING, .current = true});
    CHECK(!c.after.fault);
    CHECK_TEXT(server_words(&c.after).status, "ACTIVE");
}

TEST("a failed action goes back to what is there")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_STOPPED};
    struct server_change c =
        observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true, .failed = true});
    CHECK_INT(c.outcome, SERVER_OUTCOME_FAILED);
    CHECK_INT(c.after.power, SERVER_POWER_STOPPED);
    CHECK(c.redesire && c.rest && !c.after.fault);
    s = (struct server_situation){PLACED, .state = SERVER_STATE_RUNNING, .operation = SERVER_OPERATION_REBOOT_SOFT};
    c = observe(s, (struct server_report){.state = SERVER_STATE_RUNNING, .operation = true, .failed = true});
    CHECK_INT(c.after.operation, SERVER_OPERATION_NONE);
    CHECK_TEXT(server_words(&c.after).status, "ACTIVE");
    CHECK(!c.redesire);
}

TEST("a reboot ends when the host names it")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING, .operation = SERVER_OPERATION_REBOOT_HARD};
    struct server_change c = observe(s, (struct server_report){.state = SERVER_STATE_RUNNING, .current = true});
    CHECK_INT(c.outcome, SERVER_OUTCOME_OPEN);
    c = observe(s, (struct server_report){.state = SERVER_STATE_RUNNING, .current = true, .operation = true});
    CHECK_INT(c.outcome, SERVER_OUTCOME_DONE);
    CHECK_INT(c.after.operation, SERVER_OPERATION_NONE);
}

TEST("while an image is made of a server only what is there changes; afterwards it is wanted as it is")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING, .operation = SERVER_OPERATION_IMAGE_SNAPSHOT};
    enum server_power power;
    CHECK_TEXT(server_words(&s).status, "ACTIVE");
    CHECK_TEXT(server_words(&s).task_state, "image_snapshot");
    CHECK(!server_allows(&s, SERVER_ACTION_STOP, &power) && !server_allows(&s, SERVER_ACTION_CREATE_IMAGE, &power));
    s.operation = SERVER_OPERATION_IMAGE_UPLOADING;
    struct server_change change =
        observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .current = true, .idle = true});
    CHECK_INT(change.after.state, SERVER_STATE_STOPPED);
    CHECK_INT(change.after.power, SERVER_POWER_RUNNING);
    CHECK_INT(change.after.operation, SERVER_OPERATION_IMAGE_UPLOADING);
    CHECK_INT(change.outcome, SERVER_OUTCOME_OPEN);
    server_end_image(&change.after, true, &change);
    CHECK_INT(change.outcome, SERVER_OUTCOME_DONE);
    CHECK_INT(change.after.power, SERVER_POWER_STOPPED);
    CHECK(change.redesire && server_settled(&change.after));
    server_end_image(&s, false, &change);
    CHECK_INT(change.outcome, SERVER_OUTCOME_FAILED);
    CHECK(!change.redesire && !change.after.fault && server_settled(&change.after));
    change = observe(s, (struct server_report){.state = SERVER_STATE_GONE});
    CHECK_INT(change.after.operation, SERVER_OPERATION_NONE);
    CHECK(change.after.fault);
}

TEST("a server goes to the shelf and comes back")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING};
    struct server_report off = {.state = SERVER_STATE_STOPPED, .current = true},
                         on = {.state = SERVER_STATE_RUNNING, .current = true};
    enum server_power power;
    CHECK(server_allows(&s, SERVER_ACTION_SHELVE, &power) && power == SERVER_POWER_STOPPED);
    s.power = power;
    s.operation = SERVER_OPERATION_SHELVING;
    struct server_change change = observe(s, off);
    CHECK_INT(change.after.operation, SERVER_OPERATION_SHELVING); /* now the image */
    CHECK_TEXT(server_words(&change.after).status, "SHUTOFF");
    s = change.after;
    s.operation = SERVER_OPERATION_SHELVING_UPLOADING;
    server_end_image(&s, true, &change);
    CHECK_TEXT(server_words(&change.after).status, "SHELVED");
    CHECK(server_words(&change.after).task_state == NULL);
    CHECK(!server_allows(&change.after, SERVER_ACTION_START, &power));
    CHECK(server_allows(&change.after, SERVER_ACTION_SHELVE_OFFLOAD, &power) && power == SERVER_POWER_STOPPED);
    s = change.after;
    s.operation = SERVER_OPERATION_OFFLOADING;
    change = observe(s, (struct server_report){.state = SERVER_STATE_GONE, .current = true});
    CHECK(!change.gone && !change.after.fault);
    s = (struct server_situation){PLACED, .state = SERVER_STATE_SHELVED, .power = SERVER_POWER_STOPPED};
    CHECK_TEXT(server_words(&s).vm_state, "shelved_offloaded");
    CHECK(server_settled(&s) && server_allows(&s, SERVER_ACTION_UNSHELVE, &power) && power == SERVER_POWER_RUNNING);
    CHECK(!server_allows(&s, SERVER_ACTION_SHELVE_OFFLOAD, &power));
    s.power = power;
    s.operation = SERVER_OPERATION_UNSHELVING;
    change = observe(s, (struct server_report){.state = SERVER_STATE_BUILDING});
    CHECK_TEXT(server_words(&change.after).status, "SHELVED_OFFLOADED");
    change = observe(s, on);
    CHECK_INT(change.after.operation, SERVER_OPERATION_NONE);
    CHECK_TEXT(server_words(&change.after).status, "ACTIVE");
}

TEST("a server that cannot be shelved is off, one that cannot be unshelved is on the shelf")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING, .power = SERVER_POWER_STOPPED};
    s.operation = SERVER_OPERATION_SHELVING;
    struct server_change change =
        observe(s, (struct server_report){.state = SERVER_STATE_RUNNING, .failed = true, .current = true});
    CHECK(change.outcome == SERVER_OUTCOME_FAILED && server_settled(&change.after) && change.redesire);
    s.state = SERVER_STATE_STOPPED;
    s.operation = SERVER_OPERATION_SHELVING_PENDING;
    server_end_image(&s, false, &change);
    CHECK(change.outcome == SERVER_OUTCOME_FAILED && server_settled(&change.after));
    s = (struct server_situation){.exists = true, .placement = SERVER_PLACEMENT_WAITING, .state = SERVER_STATE_SHELVED};
    s.operation = SERVER_OPERATION_UNSHELVING;
    server_expire(&s, &change);
    CHECK(change.outcome == SERVER_OUTCOME_FAILED && server_settled(&change.after));
    CHECK_INT(change.after.state, SERVER_STATE_SHELVED);
    s.placement = SERVER_PLACEMENT_PLACED;
    change = observe(s, (struct server_report){.state = SERVER_STATE_BUILDING, .failed = true, .current = true});
    CHECK_INT(change.after.operation, SERVER_OPERATION_OFFLOADING); /* its host has half of it */
    CHECK_INT(change.after.power, SERVER_POWER_STOPPED);
    s.state = SERVER_STATE_STOPPED; /* where it was all the time */
    change = observe(s, (struct server_report){.state = SERVER_STATE_STOPPED, .failed = true, .current = true});
    CHECK_INT(change.after.operation, SERVER_OPERATION_SHELVED);
    CHECK(change.redesire);
}

TEST("a server that its host lost is a fault")
{
    struct server_situation s = {PLACED, .state = SERVER_STATE_RUNNING};
    struct server_change c = observe(s, (struct server_report){.state = SERVER_STATE_GONE, .current = true});
    CHECK(!c.gone && c.after.fault);
    CHECK_TEXT(server_words(&c.after).status, "ERROR");
}

TEST("names are read back")
{
    for (int i = 0; i < SERVER_POWER_COUNT; i++)
        CHECK_INT(server_power_parse(server_power_name((enum server_power)i)), i);
    for (int i = 0; i < SERVER_STATE_COUNT; i++)
        CHECK_INT(server_state_parse(server_state_name((enum server_state)i)), i);
    for (int i = 0; i < SERVER_PLACEMENT_COUNT; i++)
        CHECK_INT(server_placement_parse(server_placement_name((enum server_placement)i)), i);
    for (int i = 0; i < SERVER_OPERATION_COUNT; i++)
        CHECK_INT(server_operation_parse(server_operation_name((enum server_operation)i)), i);
    CHECK_INT(server_state_parse("Running"), -1);
    CHECK_INT(server_power_parse(NULL), -1);
    CHECK_INT(server_operation_parse("reboot"), -1);
    CHECK_TEXT(server_action_name(SERVER_ACTION_REBOOT_HARD), "reboot");
}
