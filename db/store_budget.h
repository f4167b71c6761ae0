/* Budgets and the thresholds that were reached. */
#pragma once
#include "db/db.h"

struct budget_row {
    const char *id, *account_id, *project_id, *thresholds, *webhook, *email; /* "" for none; thresholds: JSON */
    int64_t amount_nano, created_us;
    bool hard; /* no new servers while the month has spent the amount */
};
int store_budget_put(struct db_conn *c, const struct budget_row *row, struct error *e);
/* ERR_NOT_FOUND. */
int store_budget_delete(struct db_conn *c, const char *id, struct error *e);
/* Budgets by id, of one project or account, or all (NULL); in the arena. */
int store_budget_list(struct db_conn *c, const char *account_id, const char *project_id, struct arena *a,
                      struct budget_row **ret, size_t *ret_count, struct error *e);

struct budget_crossing {
    const char *budget_id, *month, *threshold;
    int64_t spent_nano, crossed_us, attempts;
    int64_t amount_nano, needed_nano; /* to note it: what the budget was seen with, and the threshold of that */
    const char *webhook;              /* of the budget, when it is due */
    const char *email;                /* likewise; one of the two is due at a time */
};
/* Notes a crossing; *ret_new is false when it was noted before. One that was noted below what is needed now is of a
 * smaller amount and gives way; a budget that is gone or has another amount by now has no crossing. `tell`, `mail`: the
 * webhook and the addresses are told. */
int store_budget_cross(struct db_conn *c, const struct budget_crossing *x, bool tell, bool mail, bool *ret_new,
                       struct error *e);
/* Crossings of a budget, newest first, at most `limit`; in the arena. */
int store_budget_crossings(struct db_conn *c, const char *budget_id, int64_t limit, struct arena *a,
                           struct budget_crossing **ret, size_t *ret_count, struct error *e);
/* The crossing whose webhook, or else whose mail, is due first at now_us; in the arena. */
int store_budget_due(struct db_conn *c, int64_t now_us, struct arena *a, struct budget_crossing *ret, bool *ret_found,
                     struct error *e);
/* It was told (due_us 0), or is to be tried again then; unless another has taken its place. */
int store_budget_told(struct db_conn *c, const struct budget_crossing *x, int64_t due_us, struct error *e);

/* What a hard budget's month ("2026-10", UTC) has come to. */
int store_budget_spent(struct db_conn *c, const char *id, const char *month, int64_t nano, struct error *e);
/* Before the project gets a new server: ERR_FORBIDDEN with a sentence when a hard budget of it, or of the account that
 * pays for it, is used up this month. */
int store_budget_check(struct db_conn *c, const char *project_id, int64_t now_us, struct arena *a, struct error *e);
