/* Keeps the placement library in step with the host rows: reads what changed since it last looked, and notices hosts
 * that fell silent. */
#pragma once
#include "db/db.h"
#include "scheduler/placement/placement.h"

/* Keys of the properties that tell what a host reaches; aggregates may have them too. */
#define FEED_REACH_NETWORK "reach_network"
#define FEED_REACH_STORAGE "reach_storage"

struct feed {
    struct placement *placement;
    int64_t position;       /* highest host.feed taken over */
    uint64_t changes;       /* rows taken over so far: others' changes, also more room */
    int64_t alive_limit_us; /* a host unseen for longer is not alive */
};

/* Takes over all rows above the position. */
int feed_refresh(struct feed *f, struct db_conn *c, int64_t now_us, struct error *e);
/* Takes over one host alone, and which projects are confined; the position stays. Nothing when there is no such host.
 */
int feed_read_host(struct feed *f, struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
/* Looks at every host's last-seen time, and forgets hosts that were removed. */
int feed_refresh_alive(struct feed *f, struct db_conn *c, int64_t now_us, struct error *e);
/* The caller committed a change numbered `number` itself and has told the library already: skips it when nobody else's
 * lies between. */
void feed_skip_own(struct feed *f, int64_t number);
/* "KVM" and "QEMU" are one driver, "hyperv" is "Hyper-V": the name by which hosts are compared with what images and
 * flavors ask for. Returns ret. */
char *feed_hypervisor(const char *name, char *ret, size_t size);
