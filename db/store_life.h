/* How long servers live: those that ended, and those that are there. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

struct life_row {
    const char *server_id, *project_id;
    const char *host_id; /* of those that are there */
    struct resources need;
    int64_t begun_us; /* first running, or asked for */
    int64_t ended_us; /* of those that ended */
};
/* Texts are borrowed. */
typedef int (*store_life_fn)(void *arg, const struct life_row *row, struct error *e);
/* The first `limit` servers that ended behind this instant and id, in the order of both. */
int store_life_ended(struct db_conn *c, int64_t after_us, const char *after_id, int64_t limit, store_life_fn each,
                     void *arg, struct error *e);
/* All placed servers. */
int store_life_living(struct db_conn *c, store_life_fn each, void *arg, struct error *e);
/* All hosts: rows with host_id alone. */
int store_life_hosts(struct db_conn *c, store_life_fn each, void *arg, struct error *e);
