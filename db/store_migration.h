/* Migrations and the tasks that hosts have in them. Everything runs inside the caller's transaction. */
#pragma once
#include "common/model/migration.h"
#include "common/model/resources.h"
#include "db/db.h"
#include "db/store_resource.h"
#include "db/store_server.h"

struct migration_row {
    int64_t id;
    const char *uuid, *server_id, *operation_id, *project_id, *user_id;
    enum migration_kind kind;
    enum migration_step step;
    enum migration_outcome outcome;
    enum migration_request request;
    const char *source_host, *target_host, *wanted_host, *drain_host; /* host ids; all but the source may be NULL */
    enum server_power power;
    const char *old_flavor, *new_flavor, *options, *progress, *hint; /* JSON objects; hint: the last task's result */
    const char *message;                                             /* NULL for none */
    int64_t created_us, updated_us, deadline_us;                     /* deadline_us: 0 for none */
    const char *source_name, *target_name, *target_address;          /* of the hosts; NULL when they are gone */
};

/* A resize that stays on its host. */
bool store_migration_is_local(const struct migration_row *row);

/* Takes its number from the counter: row->id. step, outcome, request and the like are as in `row`. Wakes "placement".
 */
int store_migration_insert(struct db_conn *c, struct migration_row *row, struct error *e);
/* Text is in the arena. ERR_NOT_FOUND. */
int store_migration_get(struct db_conn *c, int64_t id, struct arena *a, struct migration_row *ret, struct error *e);
/* The server's newest one that has not reached CLEARING, UNDOING or DONE: its owner is not settled. ERR_NOT_FOUND. */
int store_migration_of_server(struct db_conn *c, const char *server_id, struct arena *a, struct migration_row *ret,
                              struct error *e);
/* Whether the host is source or target of one of the server's that have not ended. */
int store_migration_involves(struct db_conn *c, const char *server_id, const char *host_id, bool *ret, struct error *e);

typedef int (*store_migration_fn)(void *arg, const struct migration_row *row, struct error *e);
/* Calls `each` with borrowed texts. Members of the filter that are NULL or 0 filter nothing. Newest first. */
struct migration_filter {
    const char *server_id, *host, *source_host, *kind, *drain_host, *project_id, *user_id; /* host: either, by name */
    int64_t marker, since_us, before_us, limit; /* marker: ids below; limit 0: all */
    bool open, live;                            /* open: not ended; live: only live ones that have not been switched */
};
int store_migration_list(struct db_conn *c, const struct migration_filter *f, store_migration_fn each, void *arg,
                         struct error *e);
/* Ids of all that have not ended, oldest first, into the arena. */
int store_migration_open(struct db_conn *c, struct arena *a, int64_t **ret, size_t *ret_count, struct error *e);

/* Writes step, outcome, request, target_host, message, hint, deadline and updated_us when the row is still at step
 * `from`: else ERR_SERIALIZATION. */
int store_migration_move(struct db_conn *c, const struct migration_row *row, enum migration_step from, struct error *e);
/* Asks something of it, or changes its options; wakes "placement". */
int store_migration_ask(struct db_conn *c, int64_t id, enum migration_request request, struct error *e);
int store_migration_set_options(struct db_conn *c, int64_t id, const char *options, struct error *e);
/* What went wrong on the way, for the open migration of the server; the first one counts. Wakes "placement". */
int store_migration_trouble(struct db_conn *c, const char *server_id, const char *message, struct error *e);

/* The allocation that belongs to the migration, on its target, when that host's allocation_revision is `expected`
 * (ERR_CONFLICT otherwise). */
int store_migration_hold(struct db_conn *c, const struct migration_row *row, const char *host_id, int64_t expected,
                         const char *project_id, const struct store_holding *holding, int64_t now_us, struct error *e);
/* Exchanges the server's allocation with the migration's. */
int store_migration_exchange(struct db_conn *c, const struct migration_row *row, struct error *e);
/* For a resize in place: `more` of the migration's allocation becomes the server's (negative: goes back); both are of
 * one host, whose sums stay. */
int store_migration_shift(struct db_conn *c, const struct migration_row *row, const struct resources *more, int sign,
                          struct error *e);

/* The server becomes `host_id`'s, with that flavor (a JSON object as in the migration); its row's revision is compared.
 * Keeps `row` up to date; texts are in the arena. */
int store_migration_rehome(struct db_conn *c, struct server_row *row, const char *host_id, const char *flavor,
                           struct arena *a, struct error *e);
/* The row as it would be with that flavor; nothing is written. */
int store_migration_wear(struct server_row *row, const char *flavor, struct arena *a, struct error *e);
/* The flavor of a server as such an object. */
char *store_migration_flavor(const struct server_row *row, struct arena *a);
/* What such a flavor needs of a host. */
int store_migration_need(const char *flavor, struct resources *ret, struct error *e);
