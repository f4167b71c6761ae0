/* The first rows of a cloud: domain, project, roles, administrator, catalog. */
#pragma once
#include "db/db.h"

struct bootstrap {
    const char *password_hash; /* the administrator's, used when there is none yet */
    const char *region;        /* "RegionOne" */
    int64_t now_us;
};
/* Whether the administrator's account is there. */
int bootstrap_has_admin(struct db_conn *c, bool *ret, struct error *e);
/* Makes what is missing; for db_transact with a struct bootstrap. What an operator changed or a service type that is
 * there stays as it is. */
int bootstrap_rows(struct db_conn *c, void *arg, struct error *e);
