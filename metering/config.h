/* virga-metering's options. */
#pragma once
#include "common/config.h"

struct metering_config {
    char *prefix, *database, *log_file, *log_level, *pid_file, *metrics_file, *prices, *region, *webhook_secret;
    char *smtp_url, *smtp_from, *smtp_user, *smtp_password, *smtp_ca;
    int64_t batch, fold_ms, fold_batch, budget_ms, close_after_ms, lease_ms, poll_ms;
    int64_t usage_days_ms, usage_months_ms, usage_forget_ms;
};
extern const struct config_spec config_metering;
