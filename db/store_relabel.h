/* A network or security group has another name: the servers whose ports are in it show that, the first ones at once and
 * the rest batch by batch. What is left to do is a row, so it goes on after a restart. Everything runs inside the
 * caller's transaction. */
#pragma once
#include "db/db.h"

enum store_relabel_kind { STORE_RELABEL_NETWORK, STORE_RELABEL_GROUP };

#define STORE_RELABEL_BATCH 50 /* ports */

/* In the transaction that wrote the new name. */
int store_relabel_start(struct db_conn *c, enum store_relabel_kind kind, const char *id, struct error *e);
/* The next batch of any of them; false in *ret_any when there was nothing to do. */
int store_relabel_step(struct db_conn *c, bool *ret_any, struct error *e);
/* Whether there is something to do; for a reader. */
int store_relabel_waits(struct db_conn *c, bool *ret, struct error *e);
