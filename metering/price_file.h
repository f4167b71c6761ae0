/* The price book file: YAML that people write, checked and turned into rows.
 *
 *     currency: EUR
 *     books:
 *       - from: 2026-01-01
 *         prices:
 *           - {resource: vcpu, price: "0.005"}                              # per unit and hour, in every state but
 * stopped ...
 *           - {resource: vcpu, price: "0", states: [stopped]}
 *           - {resource: server, flavor: m1.gpu, price: "1.20"}
 *
 * resource: server, vcpu, memory_mib, disk_gib. states: running, paused, suspended, stopped, building, crashed; by
 * default all. flavor: by default all. The first price that matches counts. A book holds until the next one's date
 * (UTC). */
#pragma once
#include "db/db.h"

/* Reads the file and writes its books. 0; ERR_NOT_FOUND without a file; ERR_INVALID naming the place; ERR_CONFLICT when
 * it changes a book in effect. */
int price_file_load(struct db_conn *c, const char *path, struct error *e);
