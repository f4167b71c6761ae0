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
 *       - {from: 2026-01-01, name: partners, prices: [...]}                 # for accounts with that book
 *
 * What a book may hold is in metering/bill/book.h. The first price that matches counts. A book holds until the date of
 * the next one of its name (UTC); the name is "default" unless given. */
#pragma once
#include "db/db.h"

/* Reads the file and writes its books. 0; ERR_NOT_FOUND without a file; ERR_INVALID naming the place; ERR_CONFLICT when
 * it changes a book in effect. */
int price_file_load(struct db_conn *c, const char *path, struct error *e);
