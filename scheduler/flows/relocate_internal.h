/* The parts of the migrations' flow: relocate.c (what is next), relocate_place.c (where to), relocate_step.c (writing
 * it).
 */
#pragma once
#include "db/store_host_task.h"
#include "db/store_migration.h"
#include "scheduler/flows/relocate.h"

struct relocate {
    struct dispatch *dispatch;
    const struct relocate_settings *settings;
    struct arena *arena;
    int64_t now_us;
    struct migration_row row;
    struct server_row server; /* only when !gone */
    bool gone;
};

/* ---- relocate_place.c ---- */
/* Looks for a target and holds room on it. *ret_reason: why there is none (in the arena), NULL when it was found or a
 * race was lost (then *ret_placed is false and the next round tries again). */
int relocate_place(struct relocate *m, bool *ret_placed, const char **ret_reason, struct error *e);

/* ---- relocate_step.c ---- */
/* The options with "force": true, in the arena. */
char *relocate_force(const char *options, struct arena *a);
/* Inside a transaction: writes what `move` says. */
int relocate_step(struct db_conn *c, struct relocate *m, const struct migration_move *move, struct error *e);

/* ---- relocate_lost.c ---- */
/* Of a migration's options, once it is decided: the target of an evacuation reaches the source's storage. */
#define RELOCATE_SHARED_OPTIONS "{\"shared_storage\":true}"
bool relocate_shares(const struct migration_row *row);
/* The target of an evacuation has the server's disks. */
bool relocate_keeps_disks(const struct migration_row *row);
/* Inside a transaction: the server's metadata says what was lost with its host; nothing when nothing was. */
int relocate_mark_lost(struct db_conn *c, struct relocate *m, struct error *e);
