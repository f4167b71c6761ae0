/* Comparing a past period of the ledger with the hosts' journals, entry by entry and both ways. */
#pragma once
#include "cli/verify_hosts.h"

struct verify_journals {
    size_t entries; /* of journals that were compared */
    size_t shorter; /* hosts whose journals do not reach back to the begin of the period */
};
/* What a journal has in [from_us, to_us) and the ledger has not, and what the ledger has and the journal has not, is
 * told as verify_hosts tells it. What the controller never took because it was about a server that was elsewhere by
 * then counts only if the server was in use by nobody's account for longer than tolerance_us. Events that came within
 * tolerance_us are left out. */
int verify_journals(struct cli *cli, int64_t wait_ms, int64_t from_us, int64_t to_us, int64_t tolerance_us,
                    verify_hosts_fn differs, void *arg, struct verify_journals *ret, struct error *e);
