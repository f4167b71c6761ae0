/* The plans that SQLite makes of the registered statements: none that a request runs looks at every row of a table that
 * grows, and no page of a list is sorted after the fact. What may is named here with its reason. PostgreSQL has the
 * same indexes. */
#include "tests/unit/db/fixture.h"
#include <fnmatch.h>
#include <sqlite3.h>

struct exception {
    const char *statement; /* shell pattern */
    const char *reason;
};

static const struct exception may_scan[] = {
    {"operator_*", "virga status and virga doctor look at everything"},
    {"*_drift", "the drift counters compare everything, now and then"},
    {"host_all", "the list of all hosts"},
    {"host_total", "a figure of /metrics"},
    {"host_alive", "a figure of /metrics"},
    {"server_count_by_status", "a figure of /metrics"},
    {"server_image_lost", "an image on its way is a row, and there are few"},
    {"user_count", "whether anybody is there yet"},
    {"placement_seen", "the scheduler asks when each host was last seen"},
    {"placement_hosts", "the members of aggregates, which operators make"},
    {"placement_host", "the members of aggregates, which operators make"},
    {"placement_names", "a hint that speaks of the names of hosts may mean any of them"},
    {"placement_view_aggregates", "the members of aggregates, which operators make"},
    {"placement_question_open", "an index of the open questions alone"},
    {"host_admin_dedicated", "an index of the dedicated hosts alone"},
    {"queue_*", "an index of the parked servers alone"},
    {"image_unfinished", "an index of the images alone that wait for their conversion"},
    {"placement_queue_depth", "the queue is short"},
    {"placement_waiting", "the queue is short, and in order"},
    {"assignment_all*", "the list of all assignments has no pages"},
    {"life_living", "the lifetime policy looks at every server now and then"},
    {"life_hosts", "likewise at every host"},
    {"cells_resources_all", "the list of all hosts"},
    {"preemption_*", "spot servers that have to go are few"},
    {"resource_*", "operators name resources of hosts"},
    {"aggregate_*", "operators make aggregates"},
    {"endpoint_*", "operators make endpoints"},
    {"region_*", "operators make regions"},
    {"role_*", "operators make roles"},
    {"domain_delete_*", "domains are deleted seldom"},
    {"project_delete_*", "projects are deleted seldom"},
    {"host_token_purge", "tokens for hosts are few"},
    {"host_token_revoke", "tokens for hosts are few"},
    {"token_key_all", "keys are few"},
    {"network_list_visible", "an index of the shared networks alone, and one of the external ones"},
    {"network_auto", "an index of the shared networks alone"},
    {"subnet_list_visible", "an index of the shared networks alone"},
    {"fixture_*", "the fixture's own"},
    {"network_quota_projects", "quotas that operators set"},
    {"migration_*", "migrations are few"},
    {"host_cost_*", "the report by host looks at all hosts and all that was said of their costs"},
    {"host_drain_*", "a row per host at most, and the migrations of one"},
    {"cpu_hosts", "the list of all hosts"},
    {"cpu_mute", "the list of all hosts"},
    {"cpu_baselines", "operators make baselines"},
    {"cpu_baseline_of", "operators make baselines: the few of a kind"},
    {"host_load_each", "the rebalancer looks at all hosts"},
    {"placement_names", "a hint that asks for hosts by name or address is compared with all of them"},
    {"rebalance_*", "plans are few, and go after a week"},
    {"pool_*", "the scheduler looks at the whole pool every few seconds"},
    {"host_power_*", "a row per host at most, looked at every other second"},
    {"host_busy", "hosts are removed seldom"},
    {"host_remove*", "hosts are removed seldom"},
    {"billing_books", "price books are few"},
    {"verify_*", "virga meter verify looks at everything"},
    {"close_waiting", "closes that wait are few, and the index holds these alone"},
    {"budget_all", "the meter compares all budgets"},
    {"counter_batches", "batches go as soon as the meter has them"},
    {"ledger_owner_*", "one subject's own"},
    {"billing_accounts", "the list of all accounts"},
    {"billing_payers", "closing a month looks at all who pay"},
    {"ledger_resources", "what can be metered is a short list"},
    {"usage_missing", "the meter asks once when it takes over"},
    {"relabel_*", "networks and groups that were just renamed are few"},
    {"server_list_all_*", "an administrator's list in an order of her own; the usual one has an index"},
};

static const struct exception may_sort[] = {
    {"preemption_due", "spot servers that have to go are few"},
    {"server_list_*", "an order that the client chose; the usual one has an index"},
    {"operation_by_server", "a server's own operations"},
    {"image_list_visible", "pages of each branch, cut by an index before they are merged"},
    {"application_credential_of_user", "one user's own"},
    {"credential_of_user", "one user's own"},
    {"*_all_by_name", "one name, once per domain"},
    {"role_all", "operators make roles"},
    {"queue_*", "fair by project: an order of the whole queue"},
    {"agent_query_open", "one host's open questions"},
    {"port_list_device", "one server's ports"},
};

static bool is_named(const struct exception *list, size_t count, const char *statement)
{
    for (size_t i = 0; i < count; i++)
        if (!fnmatch(list[i].statement, statement, 0))
            return true;
    return false;
}

/* Whether the plan makes the rows called `name` itself: a subquery or a recursion, not a table. */
static bool is_made(sqlite3_stmt *plan, const char *name)
{
    bool made = false;
    sqlite3_reset(plan);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        const char *made_name = !strncmp(detail, "CO-ROUTINE ", 11)    ? detail + 11
                                : !strncmp(detail, "MATERIALIZE ", 12) ? detail + 12
                                                                       : "";
        made = made || !strcmp(made_name, name);
    }
    return made;
}

/* Prints and counts what is wrong with the plan of one statement. The plan is walked by number: is_made walks it too.
 */
static int judge(const struct db_statement *s, sqlite3_stmt *plan)
{
    int wrong = 0;
    for (int row = 0;; row++) {
        char detail[400], table[200] = "";
        sqlite3_reset(plan);
        int status = SQLITE_ROW;
        for (int i = 0; i <= row && status == SQLITE_ROW; i++)
            status = sqlite3_step(plan);
        if (status != SQLITE_ROW)
            return wrong;
        snprintf(detail, sizeof detail, "%s", (const char *)sqlite3_column_text(plan, 3));
        bool scans = sscanf(detail, "SCAN %199s", table) == 1 && strcmp(table, "CONSTANT") && !is_made(plan, table);
        bool sorts = strstr(detail, "TEMP B-TREE FOR") && strstr(detail, "ORDER BY") && strstr(s->sql, "LIMIT $");
        if ((scans && !is_named(may_scan, sizeof(may_scan) / sizeof(may_scan[0]), s->name)) ||
            (sorts && !is_named(may_sort, sizeof(may_sort) / sizeof(may_sort[0]), s->name))) {
            fprintf(stderr, "%s: %s\n", s->name, detail);
            wrong++;
        }
    }
}

TEST("no statement looks at a whole table or sorts a page, but for those that are named with their reason")
{
    struct error e = {0};
    struct db *db;
    sqlite3 *sqlite;
    int wrong = 0;
    if (on_postgres())
        return;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    fixture_script(db, FIXTURE_SQL); /* its statements are registered too */
    CHECK(sqlite3_open(db_path(db), &sqlite) == SQLITE_OK);
    for (size_t i = 0; i < db_statement_count(); i++) {
        const struct db_statement *s = db_statement_at(i);
        char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", s->sql);
        sqlite3_stmt *plan;
        CHECK(sqlite3_prepare_v2(sqlite, text, -1, &plan, NULL) == SQLITE_OK);
        wrong += judge(s, plan);
        sqlite3_finalize(plan);
        sqlite3_free(text);
    }
    sqlite3_close(sqlite);
    db_close(&db);
    CHECK(wrong == 0);
}
