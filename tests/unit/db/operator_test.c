/* What status and doctor ask, on a whole schema: every figure is there, a clean cloud has no contradictions, and each
 * that is made is found. */
#include "db/store_operator.h"
#include "tests/unit/db/fixture.h"

#define NOW_US (1700000000 * CLOCK_SECOND_US)

static struct db *begin(void)
{
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    return db;
}

TEST("every figure of an empty cloud is 0, and its schema has a level")
{
    struct error e = {0};
    struct db *db = begin();
    int64_t value = -1;
    for (size_t i = 0; i < store_operator_figure_count(); i++) {
        CHECK_OK(store_operator_figure(db_reader(db), i, NOW_US, &value, &e), &e);
        CHECK_INT(value, 0);
    }
    CHECK_OK(store_operator_level(db_reader(db), &value, &e), &e);
    CHECK(value >= 9);
    db_close(&db);
}

struct finding {
    size_t count;
    char subject[100], detail[200];
};

static int keep(void *arg, const char *subject, const char *detail, struct error *e)
{
    (void)e;
    struct finding *f = arg;
    f->count++;
    snprintf(f->subject, sizeof(f->subject), "%s", subject);
    snprintf(f->detail, sizeof(f->detail), "%s", detail);
    return 0;
}

/* The sentence of the only check that finds something; it is said what. */
static const char *diagnose(struct db *db, struct finding *ret)
{
    struct error e = {0};
    const char *sentence = NULL;
    for (size_t i = 0; i < store_operator_check_count(); i++) {
        struct finding found = {0};
        CHECK_OK(store_operator_check(db_reader(db), i, NOW_US, keep, &found, &e), &e);
        if (found.count == 0)
            continue;
        if (sentence)
            check_fail(__FILE__, __LINE__, "both \"%s\" and \"%s\"", sentence, store_operator_check_sentence(i));
        sentence = store_operator_check_sentence(i);
        *ret = found;
    }
    return sentence;
}

static const struct {
    const char *sql, *sentence, *subject, *detail;
} wrongs[] = {
    {"INSERT INTO allocation (server_id, host_id, project_id, vcpus, memory_mib, disk_gib, created_us) VALUES ('s', "
     "'h', 'p', 1, 2, 3, 4)",
     "the allocation has no server", "s", "on host h"},
    {"INSERT INTO placement_queue (server_id, created_us, attempts) VALUES ('s', 1, 0)",
     "the queue names a server that does not wait", "s", "no such server"},
    {"INSERT INTO project_usage (project_id, instances, cores, ram) VALUES ('p', 1, 2, 512)",
     "the project's figures are not the sum of its servers", "p", "recorded 1 servers 2 VCPU 512 MiB, really 0 0 0"},
    {"INSERT INTO port_address (subnet_id, ip, port_id, network_id) VALUES ('s', '10.0.0.9', 'gone', 'n')",
     "the address belongs to a port that is gone", "10.0.0.9", "held by port gone"},
    {"INSERT INTO operation (id, server_id, project_id, user_id, request_id, action, state, started_us, updated_us) "
     "VALUES ('o', 's', 'p', 'u', 'r', 'reboot', 'running', 1, 1)",
     "the operation runs for a server that is gone", "o", "reboot of s"},
    {"INSERT INTO role_assignment (actor_kind, actor_id, target_kind, target_id, role_id, inherited) VALUES ('user', "
     "'u', 'system', 'all', 'r', 0)",
     "the role assignment names something that is gone", "u", "role r on system all"},
};

TEST("a clean cloud has no contradictions, and each one that is made is found by its own check")
{
    struct finding found = {0};
    struct db *db = begin();
    CHECK_TEXT(diagnose(db, &found), NULL);
    db_close(&db);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        db = begin();
        fixture_script(db, wrongs[i].sql);
        CHECK_TEXT(diagnose(db, &found), wrongs[i].sentence);
        CHECK_INT(found.count, 1);
        CHECK_TEXT(found.subject, wrongs[i].subject);
        CHECK_TEXT(found.detail, wrongs[i].detail);
        db_close(&db);
    }
}

TEST("a server is found by id or name, at most two of them")
{
    struct error e = {0};
    struct arena a;
    const char *ids[2];
    size_t count = 9;
    struct store_operator_waiting waiting;
    struct db *db = begin();
    arena_init(&a);
    CHECK_OK(store_operator_find_server(db_reader(db), "x", &a, ids, &count, &e), &e);
    CHECK_INT(count, 0);
    CHECK_INT(store_operator_waiting(db_reader(db), "x", &a, &waiting, &e), ERR_NOT_FOUND);
    fixture_script(db, "INSERT INTO placement_queue (server_id, created_us, attempts) VALUES ('x', 7, 3)");
    CHECK_OK(store_operator_waiting(db_reader(db), "x", &a, &waiting, &e), &e);
    CHECK_INT(waiting.since_us, 7);
    CHECK_INT(waiting.attempts, 3);
    CHECK(waiting.reason == NULL);
    fixture_script(db, "UPDATE placement_queue SET parked_us = 8, until_us = 9, reason = 'No valid host: 0 hosts'");
    CHECK_OK(store_operator_waiting(db_reader(db), "x", &a, &waiting, &e), &e);
    CHECK_INT(waiting.until_us, 9);
    CHECK_TEXT(waiting.reason, "No valid host: 0 hosts");
    arena_done(&a);
    db_close(&db);
}
