/* The ways of a server on its host, and what a host does with what is not wanted there. */
#include "tests/unit/agent/host_fixture.h"

TEST("a server is made, stopped, started, paused, suspended and removed, and each state is reported once")
{
    static const struct {
        const char *power, *state;
        enum hypervisor_domain domain;
    } ways[] = {{"running", "running", HYPERVISOR_RUNNING},   {"stopped", "stopped", HYPERVISOR_SHUTOFF},
                {"running", "running", HYPERVISOR_RUNNING},   {"paused", "paused", HYPERVISOR_PAUSED},
                {"suspended", "suspended", HYPERVISOR_SAVED}, {"paused", "paused", HYPERVISOR_PAUSED},
                {"stopped", "stopped", HYPERVISOR_SHUTOFF},   {"suspended", "suspended", HYPERVISOR_SAVED},
                {"stopped", "stopped", HYPERVISOR_SHUTOFF}};
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (i)
            cloud_want(s, true, ways[i].power, NULL);
        WAIT(all_settled);
        CHECK_TEXT(s->state, ways[i].state);
        CHECK_TEXT(s->error, "");
        CHECK_INT(domain_of(s), ways[i].domain);
        CHECK_INT(cloud.event_count, i + 1);
    }
    CHECK_INT(fake_figures(world.fake).reservations, 1);
    cloud_want(s, false, "running", NULL);
    WAIT(all_settled);
    WAIT(nothing_left);
    CHECK_CONTAINS(cloud.inventory, "\"hypervisor\":\"fake\"");
    world_close();
}

TEST("what a running server may send is changed when its specification says so, and only then")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).adjustments, 0);
    s->pair = "10.0.0.77";
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).adjustments, 1);
    cloud_want(s, true, "paused", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).adjustments, 1);
    s->pair = NULL;
    cloud_want(s, true, "paused", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).adjustments, 2);
    s->network = NETWORK_2;
    cloud_want(s, true, "paused", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).adjustments, 3);
    WAIT(one_network);
    CHECK_INT(fake_figures(world.fake).starts, 1);
    CHECK_TEXT(s->error, "");
    world_close();
}

static enum fake_fault adjust_fails(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    return strcmp(call, "adjust") == 0 ? FAKE_FINAL : FAKE_GOOD;
}

TEST("a hypervisor that cannot change what a running server may send is no fault of the server")
{
    world_open();
    fake_set_faults(world.fake, adjust_fails, NULL);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    s->pair = "10.0.0.77";
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_TEXT(s->error, "");
    CHECK_INT(fake_figures(world.fake).adjustments, 0);
    world_close();
}

static enum fake_fault adjust_needs_restart(void *arg, const char *call, const char *id)
{
    int *left = arg;
    (void)id;
    return strcmp(call, "adjust") == 0 && (*left)-- > 0 ? FAKE_NEEDS_RESTART : FAKE_GOOD;
}

TEST("what a running server cannot be given comes with a restart")
{
    int left = 1;
    world_open();
    fake_set_faults(world.fake, adjust_needs_restart, &left);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    s->pair = "10.0.0.77";
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_TEXT(s->error, "");
    CHECK_INT(fake_figures(world.fake).starts, 2);
    CHECK_INT(fake_figures(world.fake).adjustments, 1);
    world_close();
}

static enum fake_fault adjust_clings(void *arg, const char *call, const char *id)
{
    int *left = arg;
    (void)id;
    return strcmp(call, "adjust") == 0 && (*left)-- > 0 ? FAKE_CLINGS : FAKE_GOOD;
}

TEST("a guest that keeps what it is to give up is asked again, and restarted only in the end")
{
    static const struct {
        int times; /* that it keeps it */
        size_t starts;
    } rows[] = {{2, 1}, {4, 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int left = rows[i].times;
        world_open();
        CHECK_INT(world.settings.retries, 3);
        fake_set_faults(world.fake, adjust_clings, &left);
        host_start(world.host);
        struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
        s->swap_mib = 64;
        WAIT(all_settled);
        s->swap_mib = 0;
        cloud_want(s, true, "running", NULL);
        WAIT(all_settled);
        CHECK_TEXT(s->state, "running");
        CHECK_TEXT(s->error, "");
        CHECK_INT(fake_figures(world.fake).starts, rows[i].starts);
        CHECK_INT(left, -1);
        world_close();
    }
}

static enum fake_fault adjust_lacks(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    return strcmp(call, "adjust") == 0 ? FAKE_LACKS : FAKE_GOOD;
}

TEST("a running server whose new disk cannot be made says why and runs on")
{
    world_open();
    fake_set_faults(world.fake, adjust_lacks, NULL);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NETWORK_1);
    WAIT(all_settled);
    s->swap_mib = 64;
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_CONTAINS(s->error, "final fault in adjust");
    CHECK_INT(domain_of(s), HYPERVISOR_RUNNING);
    CHECK_INT(fake_figures(world.fake).starts, 1);
    world_close();
}

TEST("a server that is to be off from the start is defined and not started")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "stopped", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "stopped");
    CHECK_INT(fake_figures(world.fake).starts, 0);
    world_close();
}

TEST("reboots are carried out once and name their operation")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    static const char *const actions[] = {"reboot-soft", "reboot-hard"};
    for (size_t i = 0; i < 2; i++) {
        cloud_want(s, true, "running", actions[i]);
        WAIT(all_settled);
        CHECK_TEXT(s->done_operation, s->operation_id);
        CHECK_INT(fake_figures(world.fake).reboots, i + 1);
    }
    world_kill(); /* the operation is still in the list, but it is done */
    cloud_add(2, "running", NULL);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).reboots, 0);
    world_close();
}

TEST("a deaf guest is switched off and reset when its grace is over")
{
    world_open();
    fake_set_deaf(world.fake, true);
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    cloud_want(s, true, "running", "reboot-soft");
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).reboots, 1);
    CHECK_TEXT(s->done_operation, s->operation_id);
    cloud_want(s, true, "stopped", NULL);
    WAIT(all_settled);
    CHECK_INT(domain_of(s), HYPERVISOR_SHUTOFF);
    world_close();
}

static bool first_is_crashed(void)
{
    return strcmp(cloud.servers[0].state, "crashed") == 0;
}

TEST("a guest that powers itself off is reported and left off until a higher revision")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    int64_t before = clock_now_us();
    fake_change(world.fake, s->id, HYPERVISOR_SHUTOFF, false);
    WAIT(first_is_stopped);
    CHECK_INT(s->state_revision, s->revision);
    CHECK(s->state_at_us >= before && s->state_at_us <= clock_now_us());
    CHECK_INT(fake_figures(world.fake).starts, 1);
    cloud_want(s, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    world_close();
}

TEST("an event that tells late of what a restart went through changes nothing")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    cloud_want(s, true, "running", "reboot-hard");
    WAIT(all_settled);
    fake_change(world.fake, s->id, HYPERVISOR_SHUTOFF, false);
    fake_change(world.fake, s->id, HYPERVISOR_RUNNING, true);
    cloud_add(2, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_INT(s->state_revision, s->revision);
    world_close();
}

static bool third_is_crashed(void)
{
    return strcmp(cloud.servers[2].state, "crashed") == 0;
}

TEST("what happened to guests while the agent was away is reported when it is back")
{
    world_open();
    host_start(world.host);
    struct cloud_server *off = cloud_add(1, "running", NULL), *on = cloud_add(2, "running", NULL),
                        *dead = cloud_add(3, "running", NULL);
    WAIT(all_settled);
    fake_change(world.fake, off->id, HYPERVISOR_SHUTOFF, true);
    fake_change(world.fake, dead->id, HYPERVISOR_CRASHED, true);
    world_kill();
    WAIT(first_is_stopped);
    WAIT(third_is_crashed);
    CHECK_TEXT(on->state, "running");
    CHECK_INT(fake_figures(world.fake).starts, 0);
    world_close();
}

TEST("a crash is reported as one")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    fake_change(world.fake, s->id, HYPERVISOR_CRASHED, false);
    WAIT(first_is_crashed);
    cloud_want(s, true, "running", "reboot-hard");
    WAIT(all_settled);
    CHECK_TEXT(s->state, "running");
    CHECK_TEXT(s->done_operation, s->operation_id);
    world_close();
}

static bool verdict_given(void)
{
    return cloud.verdicts > 0;
}

TEST("a domain that the API does not know is left alone, one that is deleted or for certain elsewhere goes")
{
    static const struct {
        const char *verdict;
        bool removable, goes;
    } rows[] = {{"unknown", false, false}, {"here", false, false},   {"elsewhere", false, false},
                {"elsewhere", true, true}, {"deleted", false, true}, {"deleted", true, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_open();
        cloud.verdict = rows[i].verdict;
        cloud.removable = rows[i].removable;
        fake_change(world.fake, "01890000-0000-7000-8000-000000000077", HYPERVISOR_RUNNING, true);
        host_start(world.host);
        cloud_add(1, "running", NULL);
        WAIT(all_settled);
        WAIT(verdict_given);
        if (rows[i].goes)
            cloud_want(&cloud.servers[0], false, "running", NULL);
        if (rows[i].goes)
            WAIT(nothing_left);
        else
            CHECK_INT(fake_figures(world.fake).domains, 2);
        world_close();
    }
}

TEST("a list that comes in pages is complete before anything is found unknown")
{
    world_open();
    cloud.page = 1;
    cloud.verdict = "deleted"; /* would be the end of any server that is asked about */
    for (unsigned i = 1; i <= 5; i++)
        cloud_add(i, "running", NETWORK_1);
    host_start(world.host);
    WAIT(all_settled);
    world_kill();
    cloud_add(6, "running", NETWORK_1);
    WAIT(all_settled);
    CHECK_INT(cloud.verdicts, 0);
    CHECK_INT(fake_figures(world.fake).running, 6);
    world_close();
}

TEST("networks live as long as a server needs them, with one reservation for each")
{
    world_open();
    host_start(world.host);
    struct cloud_server *a = cloud_add(1, "running", NETWORK_1), *b = cloud_add(2, "running", NETWORK_1);
    cloud_add(3, "running", NETWORK_2);
    WAIT(all_settled);
    CHECK_INT(fake_figures(world.fake).networks, 2);
    CHECK_INT(fake_figures(world.fake).reservations, 3);
    cloud_want(a, false, "running", NULL);
    cloud_want(b, false, "running", NULL);
    WAIT(all_settled);
    cloud_want(&cloud.servers[2], false, "running", NULL);
    WAIT(nothing_left);
    world_close();
}

static bool answered(void)
{
    return cloud.answer[0] != '\0';
}

TEST("questions are answered")
{
    world_open();
    host_start(world.host);
    cloud_add(1, "running", NULL);
    WAIT(all_settled);
    cloud.query = "console_log";
    cloud_changed();
    WAIT(answered);
    CHECK_CONTAINS(cloud.answer, "BOOT OK h");
    cloud.answer[0] = '\0';
    cloud.query = "tea";
    cloud_changed();
    WAIT(answered);
    CHECK_CONTAINS(cloud.answer, "\"error\"");
    world_close();
}

TEST("a specification that cannot be read fails that revision alone")
{
    world_open();
    host_start(world.host);
    struct cloud_server *bad = cloud_add(1, "dancing", NULL), *good = cloud_add(2, "running", NULL);
    WAIT(all_settled);
    CHECK_CONTAINS(bad->error, "power");
    CHECK_TEXT(bad->state, "building");
    CHECK_TEXT(good->state, "running");
    cloud_want(bad, true, "running", NULL);
    WAIT(all_settled);
    CHECK_TEXT(bad->state, "running");
    CHECK_TEXT(bad->error, "");
    world_close();
}
