/* Brings a schema up to date: numbered migrations, each in its own transaction, remembered with their checksums. */
#pragma once
#include "db/db.h"
#include "db/migrations.h"

/* Compares the migrations that `db` has with `list` (ordered by number) and applies what is missing, one process at a
 * time. ERR_DATABASE when the schema is newer than `list`, when a checksum differs, or when something is missing and
 * `apply` is false. */
int migrate_run(struct db *db, const struct db_migration *list, size_t count, bool apply, struct error *e);
