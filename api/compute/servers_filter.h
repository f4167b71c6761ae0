/* The query arguments of GET /servers and /servers/detail, read into what the store filters by, and what is filtered
 * here, row by row. */
#pragma once
#include "api/compute/compute.h"
#include <regex.h>

struct servers_sort {
    enum server_sort sort;
    bool ascending;
};
struct servers_filter {
    struct request *request;
    struct server_query query;
    bool live, deleted;                           /* which tables to look into */
    int64_t limit;                                /* of the page */
    struct servers_sort sorts[SERVER_SORT_COUNT]; /* the first of them is the query's, too */
    size_t sort_count;
    bool all_tenants;
    bool nothing; /* a filter that no server can meet */
    /* Filters of rows; NULL and false filter nothing. */
    bool by_row;
    regex_t *name, *hostname, *description, *ip, *ip6;
    const char *tags, *tags_any, *not_tags, *not_tags_any; /* comma separated */
    const char *task_state;
    bool by_power, by_index, by_drive, drive;
    int64_t power, index;
    const char *access4, *access6, *created, *launched;
};

/* Reads them all. ERR_INVALID, ERR_FORBIDDEN with Nova's sentences. Call servers_filter_done also after a failure. */
int servers_filter_read(struct request *request, struct servers_filter *ret);
void servers_filter_done(struct servers_filter *f);
/* Whether the row passes what the store did not filter by. */
bool servers_filter_pass(const struct servers_filter *f, const struct server_row *row);
