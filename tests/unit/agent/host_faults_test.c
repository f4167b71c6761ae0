/* Loops that break each call, each message and each moment of a host in turn and look whether all comes out right in
 * the end. */
#include "tests/unit/agent/host_fixture.h"

static struct {
    unsigned at, seen;
    enum fake_fault kind;
    const char *call;
} breaking;

static enum fake_fault break_nth(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    if (breaking.call && strcmp(call, breaking.call) != 0)
        return FAKE_GOOD;
    return ++breaking.seen == breaking.at ? breaking.kind : FAKE_GOOD;
}

static enum fake_fault break_all(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    return strcmp(call, breaking.call) == 0 ? breaking.kind : FAKE_GOOD;
}

TEST("a step that fails for good gives its server a fault, and the next wish is tried")
{
    world_open();
    breaking.call = "create";
    breaking.kind = FAKE_FINAL;
    fake_set_faults(world.fake, break_all, NULL);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    CHECK_CONTAINS(s->error, "final fault");
    CHECK_TEXT(s->state, "building");
    fake_set_faults(world.fake, NULL, NULL);
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_TEXT(s->error, "");
    cloud_want(s, false, "running", NULL);
    WAIT(nothing_left);
    world_close();
}

TEST("a step that keeps failing in passing becomes a fault after some tries, a removal is tried for ever")
{
    world_open();
    breaking.call = "create";
    breaking.kind = FAKE_PASSING;
    fake_set_faults(world.fake, break_all, NULL);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    CHECK_CONTAINS(s->error, "passing fault");
    breaking.call = "remove";
    cloud_want(s, false, "running", NULL);
    for (int i = 0; i < 2000; i++)
        loop_poll(world.loop);
    CHECK(strcmp(s->state, "gone") != 0);
    fake_set_faults(world.fake, NULL, NULL);
    WAIT(nothing_left);
    world_close();
}

static bool second_runs(void)
{
    return strcmp(cloud.servers[1].state, "running") == 0;
}

static enum fake_fault hang_first(void *arg, const char *call, const char *id)
{
    (void)arg;
    return strcmp(call, "create") == 0 && strcmp(id, cloud.servers[0].id) == 0 ? FAKE_HANGS : FAKE_GOOD;
}

TEST("a call that hangs delays no other server")
{
    world_open();
    fake_set_faults(world.fake, hang_first, NULL);
    host_start(world.host);
    cloud_add(1, "running", NETWORK_1);
    cloud_add(2, "running", NETWORK_1);
    int64_t end = clock_mono_us() + PATIENCE_US;
    while (!second_runs() && clock_mono_us() < end)
        loop_poll(world.loop); /* nothing is released */
    CHECK(second_runs());
    CHECK_TEXT(cloud.servers[0].state, "");
    fake_set_faults(world.fake, NULL, NULL);
    WAIT(all_settled);
    CHECK_TEXT(cloud.servers[0].state, "running");
    world_close();
}

/* The same life each time: three servers, all powers, a reboot, the end. Faults may make a wish fail, never the whole.
 */
static void live(void)
{
    for (unsigned i = 1; i <= 3; i++)
        cloud_add(i, i == 3 ? "stopped" : "running", i == 2 ? NETWORK_2 : NETWORK_1);
    WAIT(all_settled);
    cloud_want(&cloud.servers[0], true, "stopped", NULL);
    cloud_want(&cloud.servers[1], true, "running", "reboot-soft");
    cloud_want(&cloud.servers[2], true, "running", NULL);
    WAIT(all_settled);
    cloud_want(&cloud.servers[0], true, "running", NULL);
    cloud_want(&cloud.servers[1], true, "suspended", NULL);
    cloud_want(&cloud.servers[2], true, "paused", NULL);
    WAIT(all_settled);
    for (int i = 0; i < 3; i++)
        cloud_want(&cloud.servers[i], false, "running", NULL);
    WAIT(nothing_left);
}

static void no_faults_but(bool expected)
{
    bool any = false;
    for (size_t i = 0; i < cloud.server_count; i++)
        any = any || cloud.servers[i].error[0];
    CHECK(expected || !any);
}

TEST("each call of the hypervisor may fail in each way, and all comes out right")
{
    static const enum fake_fault kinds[] = {FAKE_PASSING, FAKE_FINAL, FAKE_DONE_BUT_FAILED, FAKE_HANGS};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (unsigned n = 1;; n++) {
            world_open();
            breaking.at = n;
            breaking.seen = 0;
            breaking.kind = kinds[k];
            breaking.call = NULL;
            fake_set_faults(world.fake, break_nth, NULL);
            host_start(world.host);
            live();
            no_faults_but(kinds[k] == FAKE_FINAL);
            bool over = breaking.seen < n;
            world_close();
            if (over)
                break;
        }
    }
}

static struct {
    unsigned at, seen;
    enum cloud_loss kind;
} losing;

static enum cloud_loss lose_nth(const char *path)
{
    if (strncmp(path, "/agent/v1/desired", 17) == 0 && losing.kind == CLOUD_LOSE_ANSWER)
        return CLOUD_GOOD; /* the same as unreachable there */
    return ++losing.seen == losing.at ? losing.kind : CLOUD_GOOD;
}

TEST("each message may be lost, refused or answered into the void, and each event arrives once")
{
    static const enum cloud_loss kinds[] = {CLOUD_UNREACHABLE, CLOUD_LOSE_ANSWER, CLOUD_REFUSE};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (unsigned n = 1;; n++) {
            world_open();
            losing.at = n;
            losing.seen = 0;
            losing.kind = kinds[k];
            cloud.loss = lose_nth;
            host_start(world.host);
            live();
            no_faults_but(false);
            bool over = losing.seen < n || n > 40;
            world_close();
            if (over)
                break;
        }
    }
}

static struct {
    unsigned at, steps;
    bool done;
} killing;

static bool settled_or_killed(bool (*so)(void))
{
    int64_t end = clock_mono_us() + PATIENCE_US;
    while (!so()) {
        CHECK(clock_mono_us() < end);
        fake_release(world.fake);
        loop_poll(world.loop);
        if (++killing.steps == killing.at) {
            world_kill();
            killing.done = true;
        }
    }
    return true;
}

TEST("the agent may be killed at any moment, and all comes out right")
{
    for (unsigned n = 1;; n++) {
        world_open();
        killing.at = n;
        killing.steps = 0;
        killing.done = false;
        host_start(world.host);
        cloud_add(1, "running", NETWORK_1);
        cloud_add(2, "running", NETWORK_1);
        settled_or_killed(all_settled);
        cloud_want(&cloud.servers[0], true, "stopped", NULL);
        cloud_want(&cloud.servers[1], true, "running", "reboot-hard");
        settled_or_killed(all_settled);
        CHECK_TEXT(cloud.servers[0].state, "stopped");
        CHECK_TEXT(cloud.servers[1].done_operation, cloud.servers[1].operation_id);
        no_faults_but(false);
        cloud_want(&cloud.servers[0], false, "running", NULL);
        cloud_want(&cloud.servers[1], false, "running", NULL);
        settled_or_killed(all_settled);
        settled_or_killed(nothing_left);
        bool over = !killing.done;
        world_close();
        if (over)
            break;
    }
}

TEST("a connection to the hypervisor that breaks and comes back costs no server anything")
{
    world_open();
    host_start(world.host);
    struct cloud_server *a = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    fake_connect(world.fake, false);
    cloud_add(2, "running", NETWORK_1);
    cloud_want(a, true, "stopped", NULL);
    for (int i = 0; i < 50; i++)
        loop_poll(world.loop);
    CHECK_TEXT(a->state, "running");
    fake_connect(world.fake, true);
    WAIT(all_settled);
    CHECK_TEXT(a->state, "stopped");
    CHECK_TEXT(cloud.servers[1].state, "running");
    no_faults_but(false);
    world_close();
}
