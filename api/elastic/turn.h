/* One turn of an elastic group: look at its members, let its policies scale it, make and remove servers. */
#pragma once
#include "db/store_elastic.h"

struct api;

/* A group as a turn sees it. Everything is in the turn's arena. */
struct turn {
    struct api *api;
    struct db_conn *conn;
    struct arena *arena;
    struct elastic_group_row group;
    struct elastic_member_row *members;
    size_t count;
    int64_t now_us;
};

/* Runs in the caller's transaction. A group that is gone is no error. A server that cannot be made is not one either:
 * the group keeps the reason, and waits. */
int turn_run(struct api *api, struct db_conn *c, const char *group_id, int64_t now_us, struct error *e);
/* Writes an event of the group. */
int turn_note(struct turn *t, const char *kind, struct error *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
