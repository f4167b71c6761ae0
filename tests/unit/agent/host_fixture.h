/* A whole host with the fake hypervisor against the fake cloud, and its death at any moment. Included once by a test.
 */
#pragma once
#include "common/clock.h"
#include "compute-agent/fake.h"
#include "compute-agent/host.h"
#include "compute-agent/worker.h"
#include "tests/unit/agent/fake_cloud.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>

#define NETWORK_1   "01890000-0000-7000-8000-00000000aaaa"
#define NETWORK_2   "01890000-0000-7000-8000-00000000bbbb"
#define PATIENCE_US (120 * CLOCK_SECOND_US)

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

__attribute__((unused)) static void world_host(void)
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
    setup.durable = world.number <= 12; /* loops would wait for the disk most of the time */
    CHECK_OK(host_new(&setup, &world.host, &e), &e);
}

static void world_close(void);

__attribute__((unused)) static void world_open(void)
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

__attribute__((unused)) static void world_close(void)
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
__attribute__((unused)) static void world_kill(void)
{
    host_free(&world.host);
    world_host();
    host_start(world.host);
}

__attribute__((unused)) static bool wait_until(bool (*so)(void))
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

__attribute__((unused)) static bool all_settled(void)
{
    for (size_t i = 0; i < cloud.server_count; i++) {
        if (!cloud_settled(&cloud.servers[i]))
            return false;
    }
    return true;
}

__attribute__((unused)) static bool nothing_left(void)
{
    struct fake_figures f = fake_figures(world.fake);
    struct host_figures h = host_figures(world.host);
    return !f.domains && !f.traces && !f.networks && !f.reservations && !h.servers && !h.unreported;
}

__attribute__((unused)) static bool one_network(void)
{
    return fake_figures(world.fake).networks == 1;
}

__attribute__((unused)) static enum hypervisor_domain domain_of(const struct cloud_server *s)
{
    return fake_domain(world.fake, s->id);
}

__attribute__((unused)) static bool first_is_stopped(void)
{
    return strcmp(cloud.servers[0].state, "stopped") == 0;
}

__attribute__((unused)) static bool third_is_stopped(void)
{
    return strcmp(cloud.servers[2].state, "stopped") == 0;
}
