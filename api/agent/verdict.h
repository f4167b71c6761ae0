/* What the control plane knows about a domain that its host has and its list does not name. */
#pragma once
#include "db/store_server.h"

enum verdict_kind { VERDICT_UNKNOWN, VERDICT_HERE, VERDICT_ELSEWHERE, VERDICT_MOVING, VERDICT_DELETED };
struct verdict {
    enum verdict_kind kind;
    bool removable; /* it is certain that this host's copy is of no use to anybody any more */
};
/* "unknown", "here", ...; static. */
const char *verdict_name(enum verdict_kind kind);
/* For the host that asks. A copy of a server that lives elsewhere is removable when nothing is under way with the
 * server, this host holds nothing for it, and the newest word about it is its present host's own, which has it whole.
 * ERR_* of the database. */
int verdict_of(struct db_conn *c, const char *host_id, const char *server_id, struct arena *a, struct verdict *ret,
               struct error *e);
