/* A host that restarts, an agent that dies amid it, and one that lost its journal: what ran runs again, and each event
 * is counted once. */
#include "tests/unit/agent/host_fixture.h"

/* The host goes down with everything on it at this time, and comes back later. */
static void world_reboot(const char *boot_id, int64_t down_us)
{
    struct timespec at = {.tv_sec = (time_t)(down_us / CLOCK_SECOND_US),
                          .tv_nsec = (long)(down_us % CLOCK_SECOND_US) * 1000};
    char *alive;
    CHECK(asprintf(&alive, "%s/alive", world.dir) > 0);
    for (size_t i = 0; i < cloud.server_count; i++) {
        if (domain_of(&cloud.servers[i]) != HYPERVISOR_ABSENT)
            fake_change(world.fake, cloud.servers[i].id, HYPERVISOR_SHUTOFF, true);
    }
    host_free(&world.host);
    CHECK_INT(utimensat(AT_FDCWD, alive, (struct timespec[2]){at, at}, 0), 0);
    free(alive);
    world.boot_id = boot_id;
    world_host();
    host_start(world.host);
}

static bool first_is_resumed(void)
{
    return cloud.servers[0].resumed > 0 && strcmp(cloud.servers[0].state, "running") == 0;
}

static bool second_is_stopped(void)
{
    return strcmp(cloud.servers[1].state, "stopped") == 0;
}

TEST("after a reboot of the host what was running is started again, and was off since the host was last alive")
{
    world_open();
    host_start(world.host);
    struct cloud_server *on = cloud_add(1, "running", NULL), *paused = cloud_add(2, "paused", NULL),
                        *off = cloud_add(3, "running", NULL);
    WAIT(all_settled);
    fake_change(world.fake, off->id, HYPERVISOR_SHUTOFF, false); /* by itself, before */
    WAIT(third_is_stopped);
    int64_t down_us = clock_now_us();
    world_reboot("22222222-0000-4000-8000-000000000001", down_us);
    WAIT(first_is_resumed);
    WAIT(second_is_stopped);
    CHECK_INT(on->off_at_us, down_us);
    CHECK(on->state_at_us > down_us);
    CHECK_INT(on->state_revision, on->revision);
    CHECK_INT(paused->resumed, 0);
    CHECK_INT(paused->state_at_us, down_us);
    CHECK_INT(off->resumed, 0);
    CHECK_INT(domain_of(off), HYPERVISOR_SHUTOFF);
    world_kill(); /* no reboot: nothing is started a second time */
    CHECK_INT(on->resumed, 1);
    world_close();
}

static bool first_is_off_again(void)
{
    return cloud.servers[0].resumed > 0;
}

static enum fake_fault break_start(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    return strcmp(call, "start") == 0 ? FAKE_PASSING : FAKE_GOOD;
}

static size_t reports_first;

static enum cloud_loss lose_early_polls(const char *path)
{
    return strncmp(path, "/agent/v1/desired", 17) == 0 && cloud.reports < reports_first ? CLOUD_UNREACHABLE
                                                                                        : CLOUD_GOOD;
}

static enum fake_fault break_early_lists(void *arg, const char *call, const char *id)
{
    (void)arg;
    (void)id;
    return strcmp(call, "list") == 0 && cloud.reports < reports_first ? FAKE_PASSING : FAKE_GOOD;
}

TEST("a report that is answered before anything else takes no memory of what was running")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    int64_t down_us = clock_now_us();
    reports_first = cloud.reports + 2;
    cloud.loss = lose_early_polls;
    world_reboot("22222222-0000-4000-8000-000000000001", down_us);
    fake_set_faults(world.fake, break_early_lists, NULL);
    WAIT(first_is_resumed);
    CHECK_INT(s->off_at_us, down_us);
    world_close();
}

TEST("an agent that dies while it starts servers again goes on with that")
{
    world_open();
    world.settings.retries = 100;
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    world_reboot("22222222-0000-4000-8000-000000000001", clock_now_us());
    fake_set_faults(world.fake, break_start, NULL);
    WAIT(first_is_off_again);
    CHECK_TEXT(s->state, "stopped");
    world_kill();
    WAIT(first_is_resumed);
    CHECK_INT(domain_of(s), HYPERVISOR_RUNNING);
    world_close();
}

TEST("where servers are not to be started again they are reported stopped since the host was last alive")
{
    world_open();
    world.settings.resume_guests = false;
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    WAIT(all_settled);
    int64_t down_us = clock_now_us();
    world_reboot("22222222-0000-4000-8000-000000000001", down_us);
    WAIT(first_is_stopped);
    CHECK_INT(s->resumed, 0);
    CHECK_INT(s->state_at_us, down_us);
    CHECK_INT(domain_of(s), HYPERVISOR_SHUTOFF);
    world_close();
}

static int lost_reports;

static enum cloud_loss lose_first_reports(const char *path)
{
    return strcmp(path, "/agent/v1/report") == 0 && lost_reports > 0 && lost_reports-- ? CLOUD_UNREACHABLE : CLOUD_GOOD;
}

TEST("an agent whose journal was lost is heard at once, and each of its events is counted once")
{
    world_open();
    host_start(world.host);
    struct cloud_server *s = cloud_add(1, "running", NULL);
    char *journal;
    WAIT(all_settled);
    CHECK(asprintf(&journal, "%s/journal", world.dir) > 0);
    cloud.event_seq = 500; /* of a long life */
    host_free(&world.host);
    CHECK_INT(unlink(journal), 0);
    lost_reports = 5; /* events are noted before the API's first answer */
    cloud.loss = lose_first_reports;
    world_host();
    host_start(world.host);
    fake_change(world.fake, s->id, HYPERVISOR_SHUTOFF, true);
    cloud_want(s, true, "paused", NULL);
    WAIT(all_settled);
    CHECK_TEXT(s->state, "paused");
    CHECK_INT(cloud.event_seq, 501);
    fake_change(world.fake, s->id, HYPERVISOR_SHUTOFF, false);
    WAIT(first_is_stopped);
    CHECK_INT(cloud.event_seq, 502);
    free(journal);
    world_close();
}
