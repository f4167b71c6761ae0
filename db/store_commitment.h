/* Commitments of billing accounts: so much of a resource for a term at a price. */
#pragma once
#include "db/db.h"

struct commitment_row {
    const char *id, *account_id, *label, *resource, *project_id, *flavor; /* project_id, flavor "": any */
    int64_t units, nano, from_us, to_us, created_us;
};
int store_commitment_add(struct db_conn *c, const struct commitment_row *row, struct error *e);
/* Those of an account whose term overlaps [from_us, to_us), in the order in which they were made; in the arena. */
int store_commitment_list(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us, struct arena *a,
                          struct commitment_row **ret, size_t *ret_count, struct error *e);
/* Removes one whose term has not begun at now_us. ERR_NOT_FOUND; ERR_CONFLICT when it has. */
int store_commitment_delete(struct db_conn *c, const char *account_id, const char *id, int64_t now_us, struct error *e);
