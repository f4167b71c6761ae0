/* Hosts under the integer ids that old microversions (before 2.53) want. */
#pragma once
#include "db/store_host.h"

/* A positive number made of the host's UUID: stable, and unique but for one in millions. */
int64_t host_ids_number(const char *uuid);
/* The host named by `text`: its UUID from 2.53 on, its number before. *ret_found false when there is none; text of
 * `ret` lies in the arena. */
int host_ids_find(struct db_conn *c, const char *text, int microversion, struct arena *a, struct host_row *ret,
                  bool *ret_found, struct error *e);
