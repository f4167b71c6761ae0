/* A whole host with the fake hypervisor against the fake cloud: the ways of a server, and loops that break each call,
 * each message and each moment in turn and look whether all comes out right in the end. */
#include "common/clock.h"
#include "compute-agent/fake.h"
#include "compute-agent/host.h"
#include "compute-agent/worker.h"
#include "tests/unit/agent/fake_cloud.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>

#define NETWORK_1   "01890000-0000-7000-8000-00000000aaaa"
#define NETWORK_2   "01890000-0000-7000-8000-00000000bbbb"
#define PATIENCE_US (20 * CLOCK_SECOND_US)

static struct {
    struct loop *loop;
    struct worker_pool *files;
    struct settings settings;
    struct identity identity;
    struct hypervisor *fake; /* the host's */
    struct host *host;
    char *dir, *domains;
    unsigned number;
    const char *boot_id;
} world;

static void world_host(void)
{
    struct fake_setup fake = {
        .loop = world.loop, .vcpus = 8, .memory_mib = 1024, .disk_gib = 100, .file = world.domains};
    struct host_setup setup = {
        .settings = &world.settings, .loop = world.loop, .files = world.files, .identity = &world.identity};
    struct error e = {0};
    CHECK_OK(fake_new(&fake, &world.fake, &e), &e);
    setup.hypervisor = world.fake;
    setup.url = "https://127.0.0.1:1";
    setup.boot_id = world.boot_id;
    setup.durable = world.number <= 12; /* the loops below would wait for the disk most of the time */
    CHECK_OK(host_new(&setup, &world.host, &e), &e);
}

static void world_close(void);

static void world_open(void)
{
    char name[32];
    if (world.loop) /* the test before ended early */
        world_close();
    memset(&cloud, 0, sizeof(cloud));
    world.boot_id = "11111111-0000-4000-8000-000000000001";
    snprintf(name, sizeof(name), "host-%u", world.number++);
    world.dir = scratch_file(name);
    CHECK_INT(mkdir(world.dir, 0700), 0);
    CHECK(asprintf(&world.domains, "%s/domains", world.dir) > 0);
    settings_defaults(&world.settings);
    world.settings.retry_pause_ms = 1;
    world.settings.retries = 3;
    world.settings.stop_grace_ms = world.settings.reboot_grace_ms = 2;
    world.identity = (struct identity){
        .dir = world.dir, .joined = true, .not_after_us = INT64_MAX, .cloud_id = (char *)(uintptr_t) "c"};
    snprintf(world.identity.host_id, sizeof(world.identity.host_id), "01890000-0000-7000-8000-000000000fff");
    world.loop = loop_new();
    world.files = worker_pool_new(world.loop, "files", 1, 0);
    world_host();
}

static void world_close(void)
{
    host_free(&world.host);
    world.fake = NULL;
    worker_pool_free(&world.files);
    for (int i = 0; i < 3; i++) /* ends of journal syncs that are on their way */
        loop_poll(world.loop);
    loop_free(&world.loop);
    settings_done(&world.settings);
    scratch_clear(world.dir);
    free(world.dir);
    free(world.domains);
}

/* As kill -9 and a new start. */
static void world_kill(void)
{
    host_free(&world.host);
    world_host();
    host_start(world.host);
}

static bool wait_until(bool (*so)(void))
{
    int64_t end = clock_mono_us() + PATIENCE_US;
    while (!so()) {
        if (clock_mono_us() > end)
            return false;
        fake_release(world.fake); /* lets calls that hang fail */
        loop_poll(world.loop);
    }
    return true;
}
#define WAIT(so)                                                                                                       \
    do {                                                                                                               \
        if (!wait_until(so))                                                                                           \
            check_fail(__FILE__, __LINE__, "never so: %s", #so);                                                       \
    } while (0)

static bool all_settled(void)
{
    for (size_t i = 0; i < cloud.server_count; i++) {
        if (!cloud_settled(&cloud.servers[i]))
            return false;
    }
    return true;
}

static bool nothing_left(void)
{
    struct fake_figures f = fake_figures(world.fake);
    struct host_figures h = host_figures(world.host);
    return !f.domains && !f.traces && !f.networks && !f.reservations && !h.servers && !h.unreported;
}

static bool one_network(void)
{
    return fake_figures(world.fake).networks == 1;
}

static enum hypervisor_domain domain_of(const struct cloud_server *s)
{
    return fake_domain(world.fake, s->id);
}

/* ---- the ways of a server ---- */

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

static bool first_is_stopped(void)
{
    return strcmp(cloud.servers[0].state, "stopped") == 0;
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

static bool third_is_stopped(void)
{
    return strcmp(cloud.servers[2].state, "stopped") == 0;
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

/* ---- the host itself ---- */

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

/* ---- what is not wanted ---- */

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

/* ---- breaking things ---- */

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
