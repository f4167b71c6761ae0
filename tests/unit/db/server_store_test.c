/* Servers in rows: the words in SQL are the model's, pages show each server once in every order, history keeps what was
 * deleted. */
#include "tests/unit/db/compute_fixture.h"

struct seen {
    const char *ids[200];
    size_t count;
    int64_t limit;
};

static int see(void *arg, const struct server_row *row, struct error *e)
{
    struct seen *s = arg;
    (void)e;
    s->ids[s->count++] = arena_strdup(&compute_arena, row->id);
    return 0;
}

static bool has(const struct seen *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->ids[i], id))
            return true;
    return false;
}

static struct seen list(struct db_conn *c, struct server_query q)
{
    struct seen s = {0};
    struct error e = {0};
    if (q.limit == 0)
        q.limit = 200;
    CHECK_OK(store_server_list(c, &q, see, &s, &e), &e);
    return s;
}

/* Writes the situation over a row that exists. */
static int move_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_server_move(c, arg, e);
}

static void put(struct db_conn *c, struct server_row *row, const struct server_situation *s)
{
    row->desired_exists = s->exists;
    row->desired_power = s->power;
    row->observed_state = s->state;
    row->placement = s->placement;
    row->operation = s->operation;
    row->fault_code = s->fault ? 500 : 0;
    compute_transact(c, move_run, row);
}

TEST("the store's words are the model's for every situation")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct server_row row = compute_row("one");
    int64_t heard = clock_now_us();
    compute_add_host(c, "host-a");
    compute_add_server(c, &row);
    compute_place(c, row.id, "host-a");
    row = compute_get(c, row.id);
    for (int i = 0; i < 2 * SERVER_STATE_GONE * SERVER_PLACEMENT_COUNT * SERVER_OPERATION_COUNT * 2 * 2; i++) {
        int n = i;
        struct server_situation s = {.power = SERVER_POWER_RUNNING};
        s.exists = n % 2 == 0;
        n /= 2;
        s.state = (enum server_state)(n % SERVER_STATE_GONE); /* the hot table has no other gone one than a lost one */
        n /= SERVER_STATE_GONE;
        s.placement = (enum server_placement)(n % SERVER_PLACEMENT_COUNT);
        n /= SERVER_PLACEMENT_COUNT;
        s.operation = (enum server_operation)(n % SERVER_OPERATION_COUNT);
        n /= SERVER_OPERATION_COUNT;
        s.fault = n % 2 == 1;
        s.silent = n / 2 == 1;
        int64_t now = heard + STORE_HOST_ALIVE_US + s.silent;
        put(c, &row, &s);
        CHECK_INT(store_server_situation_at(&row, now).silent, s.silent);
        struct server_words w = server_words(&s);
        char status[32], vm_state[32];
        snprintf(status, sizeof(status), ",%s,", w.status);
        snprintf(vm_state, sizeof(vm_state), ",%s,", w.vm_state);
        CHECK_INT(list(c, (struct server_query){.statuses = status, .now_us = now}).count, 1);
        CHECK_INT(list(c, (struct server_query){.vm_states = vm_state}).count, 1);
        CHECK_INT(list(c, (struct server_query){.statuses = ",DELETED,"}).count, 0);
    }
    db_conn_close(&c);
    compute_end(&db);
}

TEST("pages show each server once, in every order and direction")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    compute_add_host(c, "host-a");
    for (int i = 0; i < 11; i++) {
        char *name = arena_printf(&compute_arena, "n%d", i % 4); /* equal ones, too */
        struct server_row row = compute_row(name);
        compute_add_server(c, &row);
        if (i % 3 == 0)
            compute_place(c, row.id, "host-a");
        if (i % 2 == 0)
            clock_advance(SECOND);
    }
    struct server_row foreign = compute_row("n1");
    foreign.project_id = OTHER;
    compute_add_server(c, &foreign);
    for (int sort = 0; sort < SERVER_SORT_COUNT; sort++) {
        for (int way = 0; way < 4; way++) {
            struct server_query q = {.sort = (enum server_sort)sort, .ascending = way % 2, .limit = 3};
            struct seen all = {0};
            q.project_id = way / 2 ? PROJECT : NULL;
            for (;;) {
                struct seen page = list(c, q);
                for (size_t i = 0; i < page.count; i++) {
                    CHECK(!has(&all, page.ids[i]));
                    all.ids[all.count++] = page.ids[i];
                }
                if (page.count < 3)
                    break;
                q.marker = page.ids[2];
            }
            CHECK_INT(all.count, way / 2 ? 11 : 12);
            CHECK_INT(has(&all, foreign.id), way / 2 == 0);
        }
    }
    struct error e = {0};
    struct seen none = {0};
    struct server_query q = {.marker = "nothing", .limit = 3};
    CHECK_INT(store_server_list(c, &q, see, &none, &e), ERR_NOT_FOUND);
    db_conn_close(&c);
    compute_end(&db);
}

TEST("filters of a list narrow it, one by one")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct server_row a = compute_row("web%1"), b = compute_row("web_2");
    a.key_name = "k";
    a.key_public = "ssh";
    a.zone = "z1";
    b.image_id = NULL;
    b.flavor_id = "f2";
    b.user_id = OTHER;
    b.reservation_id = "r-2";
    compute_add_host(c, "host-a");
    compute_add_server(c, &a);
    clock_advance(SECOND);
    b.created_us = b.updated_us = clock_now_us();
    compute_add_server(c, &b);
    compute_place(c, b.id, "host-a");
    const struct {
        struct server_query q;
        const char *only; /* NULL: both */
    } rows[] = {
        {{.id = a.id}, a.id},
        {{.user_id = OTHER}, b.id},
        {{.image_id = "i1"}, a.id},
        {{.flavor_id = "f2"}, b.id},
        {{.key_name = "k"}, a.id},
        {{.reservation_id = "r-2"}, b.id},
        {{.host = "host-a"}, b.id},
        {{.zone = "z1"}, a.id},
        {{.zone = "nova"}, b.id},
        {{.name_part = "%\\%1"}, a.id},
        {{.name_part = "%b\\_2%"}, b.id},
        {{.name_part = "web%"}, NULL},
        {{.changed_since_us = clock_now_us()}, b.id},
        {{.changed_before_us = clock_now_us() - 1}, a.id},
        {{.by_lock = true}, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen s = list(c, rows[i].q);
        CHECK_INT(s.count, rows[i].only ? 1 : 2);
        if (rows[i].only)
            CHECK_TEXT(s.ids[0], rows[i].only);
    }
    CHECK_INT(list(c, (struct server_query){.by_lock = true, .locked = true}).count, 0);
    db_conn_close(&c);
    compute_end(&db);
}

static int archive_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_server_archive(c, arg, clock_now_us(), e);
}

TEST("a deleted server leaves the hot table for the history, which is listed apart")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct error e = {0};
    const char *ids[5];
    bool deleted = true;
    for (int i = 0; i < 5; i++) {
        struct server_row row = compute_row("gone");
        ids[i] = row.id;
        compute_add_server(c, &row);
        row = compute_get(c, row.id);
        clock_advance(SECOND);
        CHECK_OK(store_server_was_deleted(c, row.id, &deleted, &e), &e);
        CHECK(!deleted);
        compute_transact(c, archive_run, &row);
        CHECK_OK(store_server_was_deleted(c, row.id, &deleted, &e), &e);
        CHECK(deleted);
    }
    CHECK_INT(list(c, (struct server_query){.limit = 10}).count, 0);
    struct seen first = {0}, second = {0}, since = {0};
    CHECK_OK(store_server_list_deleted(c, &(struct server_query){.limit = 3}, see, &first, &e), &e);
    CHECK_INT(first.count, 3);
    CHECK_TEXT(first.ids[0], ids[4]);
    struct server_query next = {.limit = 3, .marker = first.ids[2], .project_id = PROJECT};
    CHECK_OK(store_server_list_deleted(c, &next, see, &second, &e), &e);
    CHECK_INT(second.count, 2);
    CHECK_TEXT(second.ids[1], ids[0]);
    struct server_query late = {.limit = 10, .changed_since_us = clock_now_us()};
    CHECK_OK(store_server_list_deleted(c, &late, see, &since, &e), &e);
    CHECK_INT(since.count, 1);
    db_conn_close(&c);
    compute_end(&db);
}

TEST("who decided on an older row loses")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct error e = {0};
    struct server_row row = compute_row("one"), old;
    compute_add_server(c, &row);
    row = old = compute_get(c, row.id);
    compute_transact(c, move_run, &row);
    CHECK_INT(row.revision, old.revision + 1);
    old.desired_exists = false;
    CHECK_INT(store_server_edit(c, &old, &e), ERR_SERIALIZATION);
    CHECK(compute_get(c, row.id).desired_exists);
    db_conn_close(&c);
    compute_end(&db);
}

static int count_status(void *arg, const char *status, int64_t count, struct error *e)
{
    (void)e;
    CHECK_TEXT(status, "BUILD");
    *(int64_t *)arg += count;
    return 0;
}

TEST("servers are counted by status")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct error e = {0};
    int64_t count = 0;
    for (int i = 0; i < 3; i++) {
        struct server_row row = compute_row("one");
        compute_add_server(c, &row);
    }
    CHECK_OK(store_server_count(c, clock_now_us(), count_status, &count, &e), &e);
    CHECK_INT(count, 3);
    compute_check_invariants(c);
    db_conn_close(&c);
    compute_end(&db);
}
