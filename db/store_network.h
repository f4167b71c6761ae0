/* Networks. */
#pragma once
#include "db/db.h"

struct network_row {
    const char *id, *project_id, *name, *description;
    bool admin_state_up, shared, external, is_default, port_security;
    int64_t mtu;
    const char *provider_type, *provider_physical; /* physical: NULL for none */
    bool has_segment;
    int64_t provider_segment;
    const char *zone_hints, *tags; /* JSON arrays */
    int64_t created_us, updated_us, revision;
};

/* The network that a server gets when none is named: the only one among the project's own and the shared ones (external ones apart).
 * NULL when there is none. ERR_CONFLICT, with Nova's sentence, when there are several. */
int store_network_auto(struct db_conn *c, const char *project_id, struct arena *a, const char **ret_network_id,
                       struct error *e);
