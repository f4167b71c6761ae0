/* Usage of projects with what it costs: what every report of the service is made from. */
#pragma once
#include "api/http/handler.h"
#include "api/rating/period.h"
#include "metering/bill/bill.h"

struct rated {
    struct bill bill; /* its resources name what lines are about */
    const char *project;
    struct bill_lines lines;
    const char *currency;  /* "" without a price book */
    int64_t discount_nano; /* percentages off these lines */
};
/* Called for each project, sorted, that has usage; everything is valid during the call alone. */
typedef int (*rated_fn)(void *arg, const struct rated *r);
/* The lines of a project (NULL: of all) in the period, all in one snapshot. Without any price book each resource is
 * counted at no price. `books` NULL: those of each project's account. */
int rated_each(struct request *request, const char *project, const struct period *period, bool by_host,
               const struct book_versions *books, rated_fn fn, void *arg);
/* The book name that holds for a project; in the request's arena. */
int rated_book(struct request *request, struct db_conn *c, const char *project, const char **ret);
