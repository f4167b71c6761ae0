/* Servers made of machines that a host had before (virga import host), and their way back (virga release). */
#pragma once
#include "db/db.h"
#include "db/store_flavor.h"

struct import_nic {
    const char *mac;
    const char *const *addresses;
    size_t address_count;
};
/* A machine as it becomes a server. */
struct import_machine {
    const char *id, *name, *host_id, *project_id, *user_id;
    const char *network_id; /* of its nics; may be NULL without nics */
    const char *power;      /* "running", "stopped", "paused", "suspended" */
    int64_t vcpus, memory_mib, root_gib, ephemeral_gib;
    const struct import_nic *nics;
    size_t nic_count;
};
/* The flavor of this size that the project may use, without extra specs; *ret_made: there is none, this one would be
 * made. In the arena. */
int store_import_flavor(struct db_conn *c, const struct import_machine *m, struct arena *a, struct flavor_row *ret,
                        bool *ret_made, struct error *e);
/* All that the server is: flavor, ports, row, allocation, quota, operation; wakes the host. ERR_CONFLICT with what is
 * in the way: it is or was a server, the host is full, an address is taken. In the caller's write transaction. */
int store_import_take(struct db_conn *c, const struct import_machine *m, int64_t now_us, struct arena *a,
                      struct error *e);
/* Whether the server was imported, and is being released. */
int store_import_get(struct db_conn *c, const char *server_id, bool *ret_imported, bool *ret_released, struct error *e);
/* The machine is given back; the server ends as soon as its host says so. ERR_CONFLICT when it was not imported. */
int store_import_release(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a, struct error *e);
/* The server is gone. */
int store_import_forget(struct db_conn *c, const char *server_id, struct error *e);
