/* Wake-ups between daemons and threads: "something changed under this topic". LISTEN/NOTIFY on PostgreSQL, a Unix
 * datagram socket per listener in "<database file>.wake/" on SQLite. Hints only: they may be lost or repeated, so a
 * slow poll stands behind each. */
#pragma once
#include "db/db.h"

struct wake;
/* Called on the listener's own thread for each topic that arrives; must not block. `topic` "*" means: some may have
 * been lost, look at everything. */
typedef void (*wake_fn)(void *arg, const char *topic);

int wake_listen(struct db *db, wake_fn fn, void *arg, struct wake **ret, struct error *e);
void wake_close(struct wake **w);
/* Publishes at once, outside any transaction. Never blocks, never fails visibly. Own listeners in this process get it
 * too. */
void wake_publish(struct db *db, const char *topic);
