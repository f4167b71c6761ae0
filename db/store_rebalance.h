/* Plans of moves and how far they are. Everything runs inside the caller's transaction. */
#pragma once
#include "db/db.h"

struct rebalance_row {
    int64_t id;
    const char *goal;  /* "relieve", "consolidate" */
    const char *state; /* "asked", "planned", "applying", "done", "cancelled" */
    bool automatic;
    const char *user_id, *project_id;
    int64_t emptied;
    const char *message; /* NULL until it is planned */
    int64_t created_us, updated_us;
};
struct rebalance_move_row {
    int64_t rebalance_id, number;
    const char *server_id, *source_host, *target_host;
    int64_t before_permille, after_permille, target_permille;
    const char *state;    /* "planned", "moving", "moved", "failed", "left" */
    int64_t migration_id; /* 0 before */
    const char *message;  /* NULL for none */
    int64_t updated_us;
    const char *server_name, *source_name, *target_name; /* NULL when they are gone */
};
/* Takes its number: row->id. Plans that ended a week ago go. Wakes "placement". */
int store_rebalance_insert(struct db_conn *c, struct rebalance_row *row, struct error *e);
int store_rebalance_add(struct db_conn *c, const struct rebalance_move_row *move, struct error *e);
/* The newest when id is 0. ERR_NOT_FOUND. Text is in the arena. */
int store_rebalance_get(struct db_conn *c, int64_t id, struct arena *a, struct rebalance_row *ret, struct error *e);
/* The oldest that is asked for or applied; *ret_found. */
int store_rebalance_open(struct db_conn *c, struct arena *a, struct rebalance_row *ret, bool *ret_found,
                         struct error *e);
/* Its moves in order, in the arena. */
int store_rebalance_moves(struct db_conn *c, int64_t id, struct arena *a, struct rebalance_move_row **ret,
                          size_t *ret_count, struct error *e);
/* Writes state, emptied and message when its state is `from` still: else ERR_PRECONDITION. Wakes "placement". */
int store_rebalance_set(struct db_conn *c, const struct rebalance_row *row, const char *from, struct error *e);
int store_rebalance_set_move(struct db_conn *c, const struct rebalance_move_row *move, struct error *e);
/* Its migrations that have not been switched are aborted. */
int store_rebalance_abort(struct db_conn *c, int64_t id, struct error *e);
/* Whether a plan moved the server since then; how many moves of automatic plans began since then. */
int store_rebalance_moved(struct db_conn *c, const char *server_id, int64_t since_us, bool *ret, struct error *e);
int store_rebalance_begun(struct db_conn *c, int64_t since_us, int64_t *ret, struct error *e);
