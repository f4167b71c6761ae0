/* virga-scheduler's options. */
#pragma once
#include "common/config.h"

struct scheduler_config {
    char *prefix, *database, *log_file, *log_level, *pid_file, *metrics_file, *policy;
    char *master_key, *power_scripts;
    int64_t batch, lease_ms, poll_ms, alive_ms, resize_confirm_ms, drain_retry_ms;
    int64_t migrate_bandwidth, migrate_parallel;
    char *migrate_compress;
    int64_t fence_after_ms, fence_share, power_limit_ms, power_settle_ms, power_retry_ms, evacuate_parallel;
    int64_t rebalance_hot, rebalance_settle, rebalance_gain, rebalance_moves, rebalance_parallel, rebalance_an_hour;
    int64_t rebalance_period_ms, rebalance_rest_ms;
    char *rebalance;
    int64_t sleep_after_ms, sleep_reserve;
    bool fence, sleep;
    int64_t spot_notice_ms;
    bool foresee, resize_same_host, migrate_auto_converge, migrate_post_copy;
    int64_t weight_memory, weight_vcpu, weight_disk, weight_servers, weight_soft_affinity, weight_soft_anti_affinity;
};
extern const struct config_spec config_scheduler;
