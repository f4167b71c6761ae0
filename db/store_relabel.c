/* Batches go by the ids of the ports, for which both kinds have an index; a server with two of them is written twice.
 * Servers that are made meanwhile read the new name. */
#include "db/store_relabel.h"
#include "db/store_port.h"
#include <assert.h>
#include <string.h>

/* As the rows say it. */
static const char *const names[] = {[STORE_RELABEL_NETWORK] = "network", [STORE_RELABEL_GROUP] = "group"};

struct batch {
    enum store_relabel_kind kind;
    const char *id, *after;
    const char *ports[STORE_RELABEL_BATCH], *devices[STORE_RELABEL_BATCH];
    size_t count;
};

DB_STATEMENT(relabel_ports_network,
             "SELECT id, device_id FROM port WHERE network_id = $1 AND id > $2 ORDER BY id LIMIT $3");
DB_STATEMENT(relabel_ports_group, "SELECT p.id, p.device_id FROM port_security_group x JOIN port p ON p.id = x.port_id "
                                  "WHERE x.group_id = $1 AND x.port_id > $2 ORDER BY x.port_id LIMIT $3");
static int read_ports(struct db_conn *c, struct batch *b, struct arena *a, struct error *e)
{
    static const struct db_statement *const by_kind[] = {
        [STORE_RELABEL_NETWORK] = &relabel_ports_network, [STORE_RELABEL_GROUP] = &relabel_ports_group};
    struct db_rows rows;
    int rc = db_query(c, by_kind[b->kind], &rows, e,
                      DB_ARGS(db_text(b->id), db_text(b->after), db_int(STORE_RELABEL_BATCH)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        assert(b->count < STORE_RELABEL_BATCH);
        b->ports[b->count] = db_dup_text(&rows, 0, a);
        b->devices[b->count++] = db_dup_text(&rows, 1, a);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(relabel_server,
             "UPDATE server SET addresses = $2, security_groups = $3, revision = revision + 1 WHERE id = $1");
static int write_server(struct db_conn *c, const char *id, struct arena *a, struct error *e)
{
    char *addresses = NULL;
    const char *groups = NULL;
    int rc = store_port_addresses(c, id, a, &addresses, e);
    if (!rc)
        rc = store_port_group_names(c, id, a, &groups, e);
    return rc ? rc : db_exec(c, &relabel_server, NULL, e, DB_ARGS(db_text(id), db_text(addresses), db_text(groups)));
}

DB_STATEMENT(relabel_put, "INSERT INTO relabel (kind, subject_id, after_port) VALUES ($1, $2, $3) "
                          "ON CONFLICT (kind, subject_id) DO UPDATE SET after_port = excluded.after_port");
DB_STATEMENT(relabel_delete, "DELETE FROM relabel WHERE kind = $1 AND subject_id = $2");
static int run_batch(struct db_conn *c, struct batch *b, struct arena *a, struct error *e)
{
    int rc = read_ports(c, b, a, e);
    for (size_t i = 0; i < b->count && !rc; i++)
        if (*b->devices[i])
            rc = write_server(c, b->devices[i], a, e);
    if (rc)
        return rc;
    if (b->count < STORE_RELABEL_BATCH)
        return db_exec(c, &relabel_delete, NULL, e, DB_ARGS(db_text(names[b->kind]), db_text(b->id)));
    return db_exec(c, &relabel_put, NULL, e,
                   DB_ARGS(db_text(names[b->kind]), db_text(b->id), db_text(b->ports[b->count - 1])));
}

int store_relabel_start(struct db_conn *c, enum store_relabel_kind kind, const char *id, struct error *e)
{
    struct batch batch = {.kind = kind, .id = id, .after = ""};
    struct arena arena;
    arena_init(&arena);
    int rc = run_batch(c, &batch, &arena, e);
    arena_done(&arena);
    return rc;
}

DB_STATEMENT(relabel_first, "SELECT kind, subject_id, after_port FROM relabel ORDER BY kind, subject_id LIMIT 1");
static int read_first(struct db_conn *c, struct batch *ret, struct arena *a, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &relabel_first, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    if (db_next(&rows)) {
        ret->kind =
            strcmp(db_get_text(&rows, 0), names[STORE_RELABEL_GROUP]) ? STORE_RELABEL_NETWORK : STORE_RELABEL_GROUP;
        ret->id = db_dup_text(&rows, 1, a);
        ret->after = db_dup_text(&rows, 2, a);
    }
    return db_rows_done(&rows, e);
}

int store_relabel_step(struct db_conn *c, bool *ret_any, struct error *e)
{
    struct batch batch = {.id = NULL};
    struct arena arena;
    arena_init(&arena);
    int rc = read_first(c, &batch, &arena, e);
    if (!rc && batch.id)
        rc = run_batch(c, &batch, &arena, e);
    if (!rc)
        *ret_any = batch.id;
    arena_done(&arena);
    return rc;
}

DB_STATEMENT(relabel_waits, "SELECT count(*) FROM relabel");
int store_relabel_waits(struct db_conn *c, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &relabel_waits, &count, e, DB_NO_ARGS);
    if (!rc)
        *ret = count > 0;
    return rc;
}
