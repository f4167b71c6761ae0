/* The scheduler's daemon without its loop, on SQLite with synchronous=FULL: how long a cold start takes until the first
 * decision is committed, and how many waiting servers it claims, places and commits per second.
 *
 *     daemon_bench cold HOSTS SERVERS [FOLDER, default /tmp]     prints seconds
 *     daemon_bench rate HOSTS WAITING [FOLDER]                   prints servers/s and the shares of it
 *     daemon_bench capacity HOSTS FLAVORS [FOLDER]               counts room: a fifth of the flavors ask for a trait, a
 *                                                                tenth for processors of their own */
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/engine.h"
#include "scheduler/dispatch.h"
#include "scheduler/reading/capacity.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char hosts_sql[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld) "
    "INSERT INTO host (id, name, zone, enabled, hypervisor, hypervisor_version, agent_version, architecture, address, "
    "vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib, ratio_vcpus, ratio_memory, "
    "ratio_disk, used_vcpus, used_memory_mib, used_disk_gib, server_count, traits, cpu, enrolled_us, seen_us, "
    "desired_revision, allocation_revision, feed, event_seq) SELECT printf('%%08x-0000-4000-8000-%%012x', i, i), "
    "'host-' || i, 'nova', 1, 'QEMU', 8000000, '1', 'x86_64', '10.0.0.1', 64, 262144, 4000, 0, 512, 0, 4000, 1000, "
    "1000, %ld, %ld, %ld, %ld, '[\"HW_CPU_X86_AVX2\",\"CUSTOM_SSD\"]', '{}', 1, %lld, 1, 1, i, 0 FROM n;"
    "INSERT INTO counter (name, value) VALUES ('host_feed', %ld) ON CONFLICT (name) DO UPDATE SET value = "
    "excluded.value;";

static const char servers_sql[] =
    "WITH RECURSIVE n(i) AS (SELECT %ld UNION ALL SELECT i + 1 FROM n WHERE i < %ld) "
    "INSERT INTO server (id, project_id, user_id, name, hostname, flavor_id, flavor_name, vcpus, memory_mib, root_gib, "
    "ephemeral_gib, swap_mib, flavor_extra, config_drive, hints, metadata, tags, security_groups, addresses, "
    "access_ipv4, access_ipv6, disk_config, reservation_id, launch_index, desired_exists, desired_power, "
    "desired_revision, host_id, placement, observed_state, observed_revision, locked, created_us, updated_us, "
    "revision) "
    "SELECT printf('%%08x-1111-4000-8000-%%012x', i, i), 'p' || i %% 100, 'u', 'server-' || i, 'server', 'f', 'f', 1, "
    "1024, 5, 0, 0, '{}', 0, '{}', '{}', '[]', '[]', '{}', '', '', 'MANUAL', 'r-1', 0, 1, 'running', 1, %s, '%s', "
    "'building', 0, 0, %lld + i, %lld, 1 FROM n;";

static const char allocations_sql[] =
    "INSERT INTO allocation (server_id, host_id, project_id, vcpus, memory_mib, disk_gib, created_us) "
    "SELECT id, host_id, project_id, vcpus, memory_mib, root_gib, created_us FROM server WHERE host_id IS NOT NULL;";

static const char queue_sql[] = "INSERT INTO placement_queue (server_id, created_us, attempts) "
                                "SELECT id, created_us, 0 FROM server WHERE placement = 'waiting';";

DB_STATEMENT(server_count, "SELECT count(*) FROM server");

static char path[300];

static void must(int rc, const struct error *e)
{
    if (rc) {
        fprintf(stderr, "daemon_bench: %s\n", error_text(e));
        exit(1);
    }
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char file[320];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
        unlink(file);
    }
    snprintf(file, sizeof(file), "%s.wake", path);
    rmdir(file);
}

static void run_script(struct db_conn *c, const char *sql)
{
    struct error e = {0};
    must(c->engine->script(c, sql, &e), &e);
}

/* Hosts with `placed` servers spread over them, and `waiting` ones in the queue. */
static void make_cloud(long hosts, long placed, long waiting)
{
    struct error e = {0};
    struct db *db;
    struct db_conn *c;
    char sql[4096];
    char host[160];
    long each = placed / hosts;
    long long now = clock_now_us();
    remove_files();
    must(db_open(path, 0, &db, &e), &e);
    must(db_conn_open(db, &c, &e), &e);
    snprintf(sql, sizeof(sql), hosts_sql, hosts, each, each * 1024, each * 5, each, now, hosts);
    run_script(c, sql);
    if (placed > 0) {
        snprintf(host, sizeof(host), "printf('%%08x-0000-4000-8000-%%012x', i %% %ld + 1, i %% %ld + 1)", hosts, hosts);
        snprintf(sql, sizeof(sql), servers_sql, 1L, placed, host, "placed", now, now);
        run_script(c, sql);
        run_script(c, allocations_sql);
    }
    snprintf(sql, sizeof(sql), servers_sql, placed + 1, placed + waiting, "NULL", "waiting", now, now);
    run_script(c, sql);
    run_script(c, queue_sql);
    int64_t count = 0;
    must(db_query_int(c, &server_count, &count, &e, DB_NO_ARGS), &e);
    if (count != placed + waiting) {
        fprintf(stderr, "daemon_bench: %lld servers made\n", (long long)count);
        exit(1);
    }
    run_script(c, "PRAGMA wal_checkpoint(TRUNCATE);");
    db_conn_close(&c);
    db_close(&db);
}

static void start(struct dispatch *d)
{
    struct error e = {0};
    *d = (struct dispatch){.batch = 512};
    must(db_open(path, 0, &d->db, &e), &e);
    must(db_conn_open(d->db, &d->conn, &e), &e);
    d->feed.placement = placement_new(NULL);
    d->feed.alive_limit_us = 3600 * CLOCK_SECOND_US;
    uuid_random(d->holder);
    must(dispatch_lead(d, 600 * CLOCK_SECOND_US, &e), &e);
}

static void stop(struct dispatch *d)
{
    placement_free(&d->feed.placement);
    db_conn_close(&d->conn);
    db_close(&d->db);
    remove_files();
}

static const char cells_sql[] =
    "UPDATE host SET topology = '{\"cells\":["
    "{\"id\":0,\"memory_mib\":131072,\"dedicated\":\"4-31\",\"shared\":\"0-3\",\"cores\":[],\"pages\":[]},"
    "{\"id\":1,\"memory_mib\":131072,\"dedicated\":\"36-63\",\"shared\":\"32-35\",\"cores\":[],\"pages\":[]}]}'";

static void measure_capacity(long hosts, long flavors)
{
    struct dispatch d = {.batch = 1};
    struct error e = {0};
    struct arena a;
    struct capacity *capacity;
    int64_t fits = 0;
    make_cloud(hosts, hosts * 4, 1);
    must(db_open(path, 0, &d.db, &e), &e);
    must(db_conn_open(d.db, &d.conn, &e), &e);
    run_script(d.conn, cells_sql);
    arena_init(&a);
    int64_t began = clock_mono_us();
    must(capacity_open(d.conn, clock_now_us(), &a, &capacity, &e), &e);
    int64_t ready = clock_mono_us();
    for (long i = 0; i < flavors; i++) {
        struct placement_waiting_row wish = {
            .project_id = "p", .hints = "{}", .need = {{1 + i % 8, 512 * (1 + i % 17), 1 + i % 40}}};
        wish.flavor_extra = i % 10 == 0  ? "{\"hw:cpu_policy\":\"dedicated\"}"
                            : i % 5 == 1 ? "{\"trait:CUSTOM_SSD\":\"required\"}"
                                         : "{}";
        struct capacity_answer answer;
        must(capacity_count(capacity, d.conn, &wish, &answer, &e), &e);
        fits += answer.fits;
    }
    printf("reading %.3f s\n", (double)(ready - began) / CLOCK_SECOND_US);
    printf("counting %.3f s\n", (double)(clock_mono_us() - ready) / CLOCK_SECOND_US);
    printf("fits %lld\n", (long long)fits);
    capacity_free(&capacity);
    arena_done(&a);
    db_conn_close(&d.conn);
    db_close(&d.db);
    remove_files();
}

static void expect(const struct dispatch *d, long hosts, long placed)
{
    if (placement_host_count(d->feed.placement) != hosts || d->placed != (uint64_t)placed) {
        fprintf(stderr, "daemon_bench: %lld hosts and %llu servers placed instead of %ld and %ld\n",
                (long long)placement_host_count(d->feed.placement), (unsigned long long)d->placed, hosts, placed);
        exit(1);
    }
}

static void measure(long hosts, long placed, long waiting)
{
    struct dispatch d;
    struct error e = {0};
    make_cloud(hosts, placed, waiting);
    int64_t began = clock_mono_us();
    start(&d);
    int64_t ready = clock_mono_us();
    must(dispatch_run(&d, &e), &e);
    double seconds = (double)(clock_mono_us() - ready) / CLOCK_SECOND_US;
    expect(&d, hosts, waiting);
    printf("cold_start %.3f s\n", (double)(clock_mono_us() - began) / CLOCK_SECOND_US);
    printf("reading_hosts %.3f s\n", (double)(ready - began) / CLOCK_SECOND_US);
    printf("placed %.0f /s\n", (double)waiting / seconds);
    printf("commits %.1f %%\n", (double)d.commit_us / CLOCK_SECOND_US / seconds * 100);
    printf("library %.1f %%\n", (double)d.placing_us / CLOCK_SECOND_US / seconds * 100);
    stop(&d);
}

int main(int argc, char **argv)
{
    if (argc < 4 ||
        (strcmp(argv[1], "cold") != 0 && strcmp(argv[1], "rate") != 0 && strcmp(argv[1], "capacity") != 0)) {
        fprintf(stderr,
                "usage: daemon_bench cold HOSTS SERVERS [FOLDER]\n       daemon_bench rate HOSTS WAITING [FOLDER]\n"
                "       daemon_bench capacity HOSTS FLAVORS [FOLDER]\n");
        return 2;
    }
    long hosts = strtol(argv[2], NULL, 10), servers = strtol(argv[3], NULL, 10);
    if (hosts <= 0 || servers <= 0) {
        fprintf(stderr, "daemon_bench: HOSTS and the servers are numbers above 0\n");
        return 2;
    }
    log_init("daemon_bench", NULL, LOG_LEVEL_ERROR);
    snprintf(path, sizeof(path), "%s/daemon_bench.%d.db", argc > 4 ? argv[4] : "/tmp", (int)getpid());
    if (strcmp(argv[1], "cold") == 0) {
        measure(hosts, servers, 1);
    } else if (strcmp(argv[1], "capacity") == 0) {
        measure_capacity(hosts, servers);
    } else {
        measure(hosts, 0, servers);
    }
    return 0;
}
