/* What confines the guests of a host, from the traits that its agent reports (docs/isolation.md). */
#pragma once
#include "common/arena.h"
#include "db/store_host.h"

/* "AppArmor, unprivileged user, seccomp"; NULL for hosts whose hypervisor does without. */
const char *confinement_text(const struct host_row *host, struct arena *a);
/* What the host lacks, as a sentence; NULL for nothing. */
const char *confinement_lack(const struct host_row *host, struct arena *a);
