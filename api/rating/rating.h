/* The rating service: who sees what, its tables. */
#pragma once
#include "api/http/handler.h"
#include "db/store_billing.h"

extern const struct service rating_service;
extern const struct route_table rating_root_routes, summary_routes, dataframes_routes, rating_books_routes,
    rating_accounts_routes, rating_commitments_routes, rating_invoices_routes, rating_v1_routes, rating_forecast_routes,
    rating_budgets_routes, rating_closes_routes, rating_corrections_routes, rating_hosts_routes,
    rating_hashmap_names_routes, rating_hashmap_mappings_routes, rating_hashmap_thresholds_routes,
    rating_cloudkitty_rest_routes, rating_exports_routes;

/* The project a request is about: the caller's own; for administrators the one named by "project_id" or "tenant_id", or
 * NULL for all when they ask for "all_projects". ERR_FORBIDDEN when somebody else's is asked for. */
int rating_project(struct request *request, const char **ret_project);

/* The invoice that the path names, in the request's arena. ERR_NOT_FOUND, also when it is not the caller's to see. */
int rating_invoice(struct request *request, struct billing_invoice_row *ret);
/* The query's "offset": how many rows go before; 0 without. */
int rating_offset(struct request *request, int64_t *ret);
/* What the query asks for by `name`, or by "filters=name:value,...", as CloudKitty's v2 has it; NULL for anything. */
const char *rating_filter(struct request *request, const char *name);
/* The account that a request for invoices is about: the caller's own; for those who see accounts that of "account_id",
 * or NULL for all. ERR_NOT_FOUND. */
int rating_account(struct request *request, const char **ret);
/* A quantity in base units as a decimal number of units with six places. */
void rating_write_quantity(struct json_out *out, const char *key, __int128 quantity, int64_t unit_base);
/* ERR_FORBIDDEN unless the caller is an administrator or a project of its account is its own. */
int rating_may_see_account(struct request *request, const char *account_id);
