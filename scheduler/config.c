/* The table of options; --help and the man page come from it. */
#include "scheduler/config.h"

#define OPTION(member) .name = #member, .offset = offsetof(struct scheduler_config, member)

static const char *const goals[] = {"off", "relieve", "consolidate", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const compressions[] = {"none", "xbzrle", "mt", NULL};

static const char *const policies[] = {"weights", "first-fit", "best-fit", "pack", "spread", "lifetime", NULL};

static const struct config_option options[] = {
    {OPTION(prefix), .type = CONFIG_TEXT, .doc = "Folder under which all default places lie."},
    {OPTION(database), .type = CONFIG_TEXT,
     .doc = "Path of the SQLite file or postgres:// URL. Default: <prefix>/var/lib/virga/virga.db."},
    {OPTION(log_file), .type = CONFIG_TEXT, .doc = "File to append the log to; unset: standard error."},
    {OPTION(log_level), .type = CONFIG_CHOICE, .fallback = "info", .choices = levels, .reload = true,
     .doc = "Least severity that is logged."},
    {OPTION(pid_file), .type = CONFIG_TEXT, .doc = "File that holds the process id and a lock; unset: none."},
    {OPTION(metrics_file), .type = CONFIG_TEXT,
     .doc = "File rewritten every few seconds with Prometheus text, which /metrics shows too. Default: "
            "<prefix>/run/virga/virga-scheduler.prom."},
    {OPTION(batch), .type = CONFIG_INT, .fallback = "512", .min = 1, .max = 4096, .reload = true,
     .doc = "Most servers placed in one transaction."},
    {OPTION(lease_ms), .type = CONFIG_DURATION, .fallback = "6s", .min = 1000, .max = 600000,
     .doc = "How long the lease of the leading scheduler lasts without renewal."},
    {OPTION(poll_ms), .type = CONFIG_DURATION, .fallback = "1s", .min = 10, .max = 60000,
     .doc = "How often the queue is looked at when no wake-up came."},
    {OPTION(alive_ms), .type = CONFIG_DURATION, .fallback = "20s", .min = 1000, .max = 3600000, .reload = true,
     .doc = "A host that was silent for longer gets no servers."},
    {OPTION(resize_confirm_ms), .type = CONFIG_DURATION, .fallback = "0s", .min = 0, .max = 2592000000, .reload = true,
     .doc = "A resize or cold migration that nobody confirmed is confirmed after so long; 0: never."},
    {OPTION(migrate_bandwidth), .type = CONFIG_INT, .fallback = "0", .min = 0, .max = 1000000, .reload = true,
     .doc = "Most MiB a second of one live migration; 0: no limit."},
    {OPTION(migrate_auto_converge), .type = CONFIG_BOOL, .fallback = "true", .reload = true,
     .doc = "A guest that changes its memory faster than it is copied is slowed down."},
    {OPTION(migrate_post_copy), .type = CONFIG_BOOL, .fallback = "false", .reload = true,
     .doc = "A live migration that is forced to complete goes on with the guest on its new host already, which fetches "
            "what is missing; should one of the two hosts fail then, the guest is lost. No: it is paused instead."},
    {OPTION(migrate_compress), .type = CONFIG_CHOICE, .fallback = "none", .choices = compressions, .reload = true,
     .doc =
         "How memory is compressed on the way: xbzrle sends what changed in a page that was sent before, mt compresses "
         "pages with several threads. Not together with migrate_post_copy."},
    {OPTION(migrate_parallel), .type = CONFIG_INT, .fallback = "0", .max = 64, .reload = true,
     .doc =
         "Connections over which the memory of one guest goes at the same time (QEMU's multifd); 0: one. Not together "
         "with migrate_post_copy or migrate_compress."},
    {OPTION(drain_retry_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 1000, .max = 86400000, .reload = true,
     .doc = "A server that could not leave a host that is being drained is tried again after so long."},
    {OPTION(resize_same_host), .type = CONFIG_BOOL, .fallback = "true", .reload = true,
     .doc = "A resize stays on its host when no other has room."},
    {OPTION(master_key), .type = CONFIG_TEXT,
     .doc =
         "Key under which the passwords of management controllers are sealed. Default: <prefix>/etc/virga/master.key."},
    {OPTION(power_scripts), .type = CONFIG_TEXT,
     .doc = "Folder of the scripts that switch hosts off and on (virga host power). Default: "
            "<prefix>/usr/lib/virga/power."},
    {OPTION(fence), .type = CONFIG_BOOL, .fallback = "true", .reload = true,
     .doc =
         "A silent host with servers is switched off by its script, where one is set, and its servers are built anew "
         "elsewhere. No: an operator does so."},
    {OPTION(fence_after_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 25000, .max = 86400000, .reload = true,
     .doc = "A host must be silent for so long before."},
    {OPTION(fence_share), .type = CONFIG_INT, .fallback = "50", .min = 0, .max = 100, .reload = true,
     .doc = "Not while more than one host and more than so many percent of them are silent: then it is the network."},
    {OPTION(power_limit_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 1000, .max = 3600000, .reload = true,
     .doc = "A script that switches a host is killed after so long."},
    {OPTION(power_settle_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 0, .max = 3600000, .reload = true,
     .doc = "After a host was switched its status may take so long to say so."},
    {OPTION(power_retry_ms), .type = CONFIG_DURATION, .fallback = "30s", .min = 1000, .max = 3600000, .reload = true,
     .doc = "Pause after a script that failed; four times as long from the sixth on."},
    {OPTION(evacuate_parallel), .type = CONFIG_INT, .fallback = "10", .min = 0, .max = 1000, .reload = true,
     .doc = "Servers of a host that was switched off by itself built anew elsewhere at a time; 0: none by itself."},
    {OPTION(policy), .type = CONFIG_CHOICE, .fallback = "weights", .choices = policies,
     .doc =
         "How the host is chosen where neither the flavor (extra spec placement:policy) nor the aggregates of the pool "
         "(property placement_policy) say so: by the weighers; first-fit: the first that fits; best-fit: the least "
         "left over; pack: processors and memory run out together; spread: the most left over; lifetime: pack, and of "
         "like fits the host whose servers will stay."},
    {OPTION(spot_notice_ms), .type = CONFIG_DURATION, .fallback = "30s", .min = 0, .max = 86400000, .reload = true,
     .doc = "How long a spot server that has to go for another one is told so before."},
    {OPTION(foresee), .type = CONFIG_BOOL, .fallback = "false",
     .doc =
         "Learns how long servers live, for flavors and pools whose policy is lifetime. Always on with that policy."},
    {OPTION(rebalance), .type = CONFIG_CHOICE, .fallback = "off", .choices = goals, .reload = true,
     .doc = "Servers are moved by themselves: away from hot hosts (relieve), or together, so that hosts become empty "
            "(consolidate)."},
    {OPTION(rebalance_hot), .type = CONFIG_INT, .fallback = "80", .min = 1, .max = 100, .reload = true,
     .doc = "A host is hot above so many percent of its processors or memory in use, as measured."},
    {OPTION(rebalance_settle), .type = CONFIG_INT, .fallback = "65", .min = 1, .max = 100, .reload = true,
     .doc =
         "Hot hosts are cooled to so many percent, and no host is filled beyond; below rebalance_hot, so that nothing "
         "moves to and fro."},
    {OPTION(rebalance_gain), .type = CONFIG_INT, .fallback = "3", .min = 1, .max = 100, .reload = true,
     .doc = "Least gain of a move away from a hot host, percent of the host."},
    {OPTION(rebalance_moves), .type = CONFIG_INT, .fallback = "50", .min = 1, .max = 10000, .reload = true,
     .doc = "Most moves of one plan."},
    {OPTION(rebalance_parallel), .type = CONFIG_INT, .fallback = "2", .min = 1, .max = 1000, .reload = true,
     .doc = "Moves of a plan at a time."},
    {OPTION(rebalance_an_hour), .type = CONFIG_INT, .fallback = "20", .min = 1, .max = 100000, .reload = true,
     .doc = "Most moves by themselves in an hour."},
    {OPTION(rebalance_period_ms), .type = CONFIG_DURATION, .fallback = "5m", .min = 1000, .max = 86400000,
     .reload = true, .doc = "How often the hosts are looked at."},
    {OPTION(rebalance_rest_ms), .type = CONFIG_DURATION, .fallback = "1h", .min = 0, .max = 86400000, .reload = true,
     .doc = "A server that was moved is not moved by itself again for so long."},
    {OPTION(sleep), .type = CONFIG_BOOL, .fallback = "false", .reload = true,
     .doc =
         "Hosts that are empty, and that have a script (virga host power), are switched off, and woken when their room "
         "is needed."},
    {OPTION(sleep_after_ms), .type = CONFIG_DURATION, .fallback = "10m", .min = 0, .max = 86400000, .reload = true,
     .doc = "A host must be empty for so long before."},
    {OPTION(sleep_reserve), .type = CONFIG_INT, .fallback = "20", .min = 0, .max = 1000, .reload = true,
     .doc = "Percent of what is used that are always free and awake, beside what the busiest hour of the last days "
            "brought."},
    {OPTION(weight_memory), .type = CONFIG_INT, .fallback = "2", .min = -1000, .max = 1000,
     .doc = "Weigher: memory left free; positive spreads, negative packs."},
    {OPTION(weight_vcpu), .type = CONFIG_INT, .fallback = "1", .min = -1000, .max = 1000,
     .doc = "Weigher: VCPUs left free."},
    {OPTION(weight_disk), .type = CONFIG_INT, .fallback = "0", .min = -1000, .max = 1000,
     .doc = "Weigher: disk left free."},
    {OPTION(weight_servers), .type = CONFIG_INT, .fallback = "0", .min = -1000, .max = 1000,
     .doc = "Weigher: fewer servers on the host."},
    {OPTION(weight_soft_affinity), .type = CONFIG_INT, .fallback = "4", .min = 0, .max = 1000,
     .doc = "Weigher: members of a soft-affinity group on the host."},
    {OPTION(weight_soft_anti_affinity), .type = CONFIG_INT, .fallback = "4", .min = 0, .max = 1000,
     .doc = "Weigher: members of a soft-anti-affinity group on the host."},
};

const struct config_spec config_scheduler = {
    .program = "virga-scheduler",
    .summary = "places waiting servers on hosts",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};
