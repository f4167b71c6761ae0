/* The end of a domain: everything that lies in it. The row itself is a project's (store_project.h). */
#pragma once
#include "db/db.h"

/* Projects, users, groups and roles of the domain with all that hangs on them, and its own row. */
int store_domain_delete(struct db_conn *c, const char *id, struct error *e);
