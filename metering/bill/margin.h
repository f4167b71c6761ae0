/* What each host brought in and what it cost its operator in a period. Revenue is usage at the books' prices less
 * discounts by percentage, before credit, tax and fixed discounts; it is rounded by host's line, so that its sum may
 * differ from invoices by nano-units. Cost is what the operator has set by the hour, for as long as the host belonged
 * to the cloud. */
#pragma once
#include "db/store_host_cost.h"
#include "metering/bill/bill.h"

struct margin_row {
    const char *id, *name, *zone, *hypervisor; /* name "" : usage without a host, as of images */
    int64_t us;                                /* that it belonged to the cloud */
    int64_t revenue_nano, cost_nano;
    bool costed; /* somebody has set what it costs */
};
struct margin_report {
    struct margin_row *rows; /* by name; usage without a host last */
    size_t count;
    const char *currency;
    size_t left_out; /* payers whose book is in another currency */
};
/* `currency` NULL: that of the book "default", or of the first. In the arena; run it in one snapshot. */
int margin_report(struct db_conn *c, const struct bill_period *period, const char *currency, struct arena *a,
                  struct margin_report *ret, struct error *e);
/* What a host costs from from_us to to_us: at each instant the most particular cost counts (of the host, its zone, its
 * hypervisor, all). *ret_costed: some of the time has a cost. */
int64_t margin_cost(const struct host_cost_row *costs, size_t count, const struct host_life_row *host, int64_t from_us,
                    int64_t to_us, bool *ret_costed);
