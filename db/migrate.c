/* Migrations. The happy path at every start but the first: one query shows that nothing is missing. Otherwise, under
 * the engine's schema lock, each missing one is looked up again and applied in a transaction of its own together with
 * its row, so that a kill leaves it whole or absent, and two processes that start at once do it once. */
#include "db/migrate.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/engine.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIGRATION_TABLE                                                                                                \
    "CREATE TABLE IF NOT EXISTS schema_migration ("                                                                    \
    " number BIGINT PRIMARY KEY,"  /* of its file */                                                                   \
    " name TEXT NOT NULL,"         /* of its file */                                                                   \
    " checksum TEXT NOT NULL,"     /* SHA-256 of the text that was applied, hex */                                     \
    " applied_us BIGINT NOT NULL," /* when */                                                                          \
    " program TEXT NOT NULL)"      /* by which program and version */

DB_STATEMENT2(migration_table_exists,
              "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'",
              "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migration')");
DB_STATEMENT(migration_list, "SELECT number, name, checksum FROM schema_migration ORDER BY number");
DB_STATEMENT(migration_applied, "SELECT count(*) FROM schema_migration WHERE number = $1");
DB_STATEMENT(migration_record,
             "INSERT INTO schema_migration (number, name, checksum, applied_us, program) VALUES ($1, $2, $3, $4, $5)");

#ifndef VIRGA_VERSION
#define VIRGA_VERSION "0"
#endif

struct plan {
    const struct db_migration *list;
    size_t count, missing;
};

static bool for_engine(const struct db_migration *m, enum db_kind kind)
{
    return !strcmp(m->engine, "both") || !strcmp(m->engine, kind == DB_SQLITE ? "sqlite" : "postgres");
}

static const struct db_migration *plan_find(const struct plan *plan, enum db_kind kind, int64_t number)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->list[i].number == number && for_engine(&plan->list[i], kind))
            return &plan->list[i];
    return NULL;
}

/* One row of what the database has, against what the program knows. */
static int applied_check(const struct plan *plan, const struct db_rows *rows, struct error *e)
{
    int64_t number = db_get_int(rows, 0);
    const struct db_migration *known = plan_find(plan, rows->conn->engine->kind, number);
    if (!known)
        return error_set(e, ERR_DATABASE,
                         "the database is newer than this program (" VIRGA_VERSION "): it has migration %" PRId64
                         " (%s), which this program does not know; install the program that made it, or a later one",
                         number, db_get_text(rows, 1));
    if (strcmp(known->checksum, db_get_text(rows, 2)))
        return error_set(e, ERR_DATABASE,
                         "migration %" PRId64 " (%s) was applied with another text than this program has"
                         " (checksum %.12s there, %.12s here)",
                         number, known->name, db_get_text(rows, 2), known->checksum);
    return 0;
}

static int plan_compare(struct db_conn *c, void *arg, struct error *e)
{
    struct plan *plan = arg;
    int64_t exists;
    plan->missing = 0;
    for (size_t i = 0; i < plan->count; i++)
        plan->missing += for_engine(&plan->list[i], c->engine->kind);
    int rc = db_query_int(c, &migration_table_exists, &exists, e, DB_NO_ARGS);
    if (rc || !exists)
        return rc;
    struct db_rows rows;
    rc = db_query(c, &migration_list, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    int wrong = 0;
    for (; !wrong && db_next(&rows); plan->missing -= !wrong)
        wrong = applied_check(plan, &rows, e);
    rc = db_rows_done(&rows, e);
    return wrong ? wrong : rc;
}

struct application {
    const struct db_migration *migration;
    bool done; /* by us, not by another process meanwhile */
};

static int apply_one(struct db_conn *c, void *arg, struct error *e)
{
    struct application *application = arg;
    const struct db_migration *m = application->migration;
    application->done = false;
    int64_t applied;
    int rc = db_query_int(c, &migration_applied, &applied, e, DB_ARGS(db_int(m->number)));
    if (rc || applied)
        return rc;
    rc = c->engine->script(c, m->sql, e);
    if (rc) {
        error_prefix(e, "migration %d (%s)", m->number, m->name);
        return engine_statement_failed(c, rc);
    }
    char program[64];
    snprintf(program, sizeof program, "%s " VIRGA_VERSION, program_invocation_short_name);
    rc = db_exec(
        c, &migration_record, NULL, e,
        DB_ARGS(db_int(m->number), db_text(m->name), db_text(m->checksum), db_int(clock_now_us()), db_text(program)));
    application->done = !rc;
    return rc;
}

static int make_table(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    int rc = c->engine->script(c, MIGRATION_TABLE, e);
    return rc ? engine_statement_failed(c, rc) : 0;
}

static int apply(struct db_conn *c, const struct db_migration *m, struct error *e)
{
    struct application application = {.migration = m};
    int rc = db_transact(c, apply_one, &application, e);
    if (!rc && application.done)
        log_info("migration applied", "number=%d name=%s", m->number, m->name);
    return rc;
}

static int apply_all(struct db_conn *c, const struct plan *plan, struct error *e)
{
    int rc = db_transact(c, make_table, NULL, e);
    for (size_t i = 0; !rc && i < plan->count; i++)
        if (for_engine(&plan->list[i], c->engine->kind))
            rc = apply(c, &plan->list[i], e);
    return rc;
}

static int bring_up_to_date(struct db_conn *c, struct plan *plan, bool may_apply, struct error *e)
{
    int rc = db_snapshot(c, plan_compare, plan, e);
    if (rc || !plan->missing)
        return rc;
    if (!may_apply)
        return error_set(e, ERR_DATABASE, "the database is older than this program: %zu migrations are missing",
                         plan->missing);
    rc = c->engine->schema_lock(c, e);
    if (rc)
        return rc;
    rc = apply_all(c, plan, e);
    c->engine->schema_unlock(c);
    return rc ? rc : db_snapshot(c, plan_compare, plan, e);
}

int migrate_run(struct db *db, const struct db_migration *list, size_t count, bool apply, struct error *e)
{
    struct plan plan = {.list = list, .count = count};
    struct db_conn *c;
    int rc = db_conn_open(db, &c, e);
    if (rc)
        return rc;
    rc = bring_up_to_date(c, &plan, apply, e);
    db_conn_close(&c);
    return rc;
}
