/* The table of options; --help and the man page come from it. */
#include "metering/config.h"

#define OPTION(member) .name = #member, .offset = offsetof(struct metering_config, member)

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct config_option options[] = {
    {OPTION(prefix), .type = CONFIG_TEXT, .doc = "Folder under which all default places lie."},
    {OPTION(database), .type = CONFIG_TEXT,
     .doc = "Path of the SQLite file or postgres:// URL. Default: <prefix>/var/lib/virga/virga.db."},
    {OPTION(prices), .type = CONFIG_TEXT,
     .doc = "Price book file (YAML), read at start and on SIGHUP. Default: <prefix>/etc/virga/prices.yaml, which may "
            "be absent."},
    {OPTION(region), .type = CONFIG_TEXT, .fallback = "RegionOne", .doc = "Name of the region, noted with all usage."},
    {OPTION(log_file), .type = CONFIG_TEXT, .doc = "File to append the log to; unset: standard error."},
    {OPTION(log_level), .type = CONFIG_CHOICE, .fallback = "info", .choices = levels, .reload = true,
     .doc = "Least severity that is logged."},
    {OPTION(pid_file), .type = CONFIG_TEXT, .doc = "File that holds the process id and a lock; unset: none."},
    {OPTION(metrics_file), .type = CONFIG_TEXT,
     .doc = "File rewritten every few seconds with Prometheus text, which /metrics shows too. Default: "
            "<prefix>/run/virga/virga-metering.prom."},
    {OPTION(batch), .type = CONFIG_INT, .fallback = "1000", .min = 1, .max = 100000, .reload = true,
     .doc = "Most lifecycle events taken over in one transaction."},
    {OPTION(fold_ms), .type = CONFIG_DURATION, .fallback = "30s", .min = 10, .max = 3600000, .reload = true,
     .doc = "How often batches of counters are taken over. Each time costs a write per server that is in them."},
    {OPTION(fold_batch), .type = CONFIG_INT, .fallback = "500", .min = 1, .max = 100000,
     .doc = "Most batches of counters taken over in one transaction."},
    {OPTION(budget_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 100, .max = 86400000,
     .doc = "How often budgets are compared with what the month has cost."},
    {OPTION(close_after_ms), .type = CONFIG_DURATION, .fallback = "0", .min = 0, .max = 2419200000, .reload = true,
     .doc = "Close each month by itself, so long after its end. 0: only by \"virga bill close\"."},
    {OPTION(usage_days_ms), .type = CONFIG_DURATION, .fallback = "40d", .min = 0, .max = 315360000000,
     .doc = "Keep invoiced counters by the day instead of the hour from so long after the period's end on. 0: never."},
    {OPTION(usage_months_ms), .type = CONFIG_DURATION, .fallback = "400d", .min = 0, .max = 315360000000,
     .doc = "Keep invoiced counters as one sum per period from so long after its end on. 0: never."},
    {OPTION(usage_forget_ms), .type = CONFIG_DURATION, .fallback = "0", .min = 0, .max = 315360000000,
     .doc = "Forget invoiced counters so long after the period's end, but for each account's last six invoices; older "
            "ones cannot be made again then. Intervals always stay. 0: never."},
    {OPTION(webhook_secret), .type = CONFIG_TEXT,
     .doc = "File whose first line signs what budgets' webhooks are told; unset: unsigned."},
    {OPTION(smtp_url), .type = CONFIG_TEXT,
     .doc = "Mail server that takes budgets' mails, smtp://HOST:PORT or smtps://HOST; unset: mails wait."},
    {OPTION(smtp_from), .type = CONFIG_TEXT, .doc = "Address that budgets' mails are sent from."},
    {OPTION(smtp_user), .type = CONFIG_TEXT, .doc = "User at the mail server, over TLS alone; unset: none."},
    {OPTION(smtp_password), .type = CONFIG_TEXT, .doc = "File whose first line is that user's password."},
    {OPTION(smtp_ca), .type = CONFIG_TEXT,
     .doc = "File with the certificates (PEM) that the mail server's must come from; unset: the system's."},
    {OPTION(lease_ms), .type = CONFIG_DURATION, .fallback = "6s", .min = 1000, .max = 600000,
     .doc = "How long the lease of the active meter lasts without renewal."},
    {OPTION(poll_ms), .type = CONFIG_DURATION, .fallback = "1s", .min = 10, .max = 60000,
     .doc = "How often events are looked for when no wake-up came."},
};

const struct config_spec config_metering = {
    .program = "virga-metering",
    .summary = "turns the servers' lifecycle into usage intervals and keeps the price book",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};
