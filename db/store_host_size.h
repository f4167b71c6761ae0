/* How large a host was at each time, so that any period can be looked at later. */
#pragma once
#include "db/db.h"

/* Keeps the size that the host has from now on, if it is another than before; to be called in each transaction that
 * changes host.vcpus, reserved_vcpus or ratio_vcpus. */
int store_host_size_note(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
