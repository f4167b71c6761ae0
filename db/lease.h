/* Leases: one holder of a name at a time, kept by renewal, taken over when it expires. Time is the database's row plus
 * the caller's clock. */
#pragma once
#include "db/db.h"

/* Takes or renews `name` for `holder` until now + ttl_us. 0 with *ret_held (false: somebody else has it until
 * *ret_until_us). `epoch` grows with every change of holder: writes that rely on the lease compare it inside their
 * transaction (lease_check). Inside db_transact. */
int lease_acquire(struct db_conn *c, const char *name, const char *holder, int64_t now_us, int64_t ttl_us,
                  bool *ret_held, int64_t *ret_epoch, int64_t *ret_until_us, struct error *e);
/* ERR_CONFLICT when `holder` at `epoch` does not hold it any more. */
int lease_check(struct db_conn *c, const char *name, const char *holder, int64_t epoch, struct error *e);
int lease_release(struct db_conn *c, const char *name, const char *holder, struct error *e);
