/* The numbered SQL files of db/migrations/, compiled in (see migrations.cmake), ordered by number. */
#pragma once
#include <stddef.h>

struct db_migration {
    int number;           /* from the file's name, from 1 */
    const char *name;     /* "servers" of 0002_servers.sql */
    const char *engine;   /* "both", "sqlite" or "postgres" */
    const char *sql;      /* the whole file */
    const char *checksum; /* SHA-256 of the file, hex */
};
extern const struct db_migration db_migrations[];
extern const size_t db_migrations_count;
