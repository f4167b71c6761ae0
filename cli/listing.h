/* A list that a command prints: a table for people, an array with --json. */
#pragma once
#include "cli/command.h"
#include "cli/table.h"
#include "common/json_out.h"

struct listing {
    struct table table;
    struct json_out *out; /* the open array; NULL: rows go into the table */
};

/* Opens the database, has `read` fill the list, and prints it. `l` is handed to `read` as it is: it may be the first
 * member of something larger. */
typedef int (*listing_fn)(struct cli *cli, struct listing *l, struct error *e);
int listing_run(struct cli *cli, const char *const *headings, listing_fn read, struct listing *l, struct error *e);
