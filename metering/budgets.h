/* Budgets: compares what the running month has cost with their thresholds, notes each crossing once, and tells
 * webhooks and mail addresses until they have it. */
#pragma once
#include "db/db.h"

struct webhook;
/* The mail server that takes mails, "smtp://host:25" or "smtps://host"; NULL: mails wait until there is one. */
struct budgets_mail {
    const char *server, *from, *user, *password, *ca; /* as webhook_mail */
};
struct budgets {
    struct db_conn *reader, *conn; /* costs are computed on the one, crossings written on the other */
    struct webhook *webhook;
    struct budgets_mail mail;
    int64_t period_us;      /* how often costs are looked at */
    int64_t looked_us;      /* by the monotonic clock */
    uint64_t crossed, told; /* since start */
    struct budgets_telling *telling;
};
/* Does what is due and returns; called every second or so. */
int budgets_run(struct budgets *b, struct error *e);
/* Gives up what is under way: it is told again after a restart. */
void budgets_done(struct budgets *b);
