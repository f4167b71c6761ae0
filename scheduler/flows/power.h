/* Switches hosts off and on by scripts: those that are dead and have servers (to prove that they are off, after which
 * their servers are built anew elsewhere), those that are put to sleep or woken, and those of which an operator asks
 * it. What is to be done and what became of it are rows (db/store_host_power.h).
 *
 * A script is called with VERB NAME ADDRESS ID, VERB being off, on or status; in its environment are VIRGA_HOST,
 * VIRGA_HOST_ID, VIRGA_POWER_ADDRESS, VIRGA_POWER_USER and VIRGA_POWER_PASSWORD. Status 0: done; for "status" it says
 * "on" or "off" first. Status 3: it does not know that verb. Anything else: it failed. */
#pragma once
#include "scheduler/dispatch.h"
#include "scheduler/flows/script.h"

#define POWER_AT_ONCE   16
#define POWER_NO_STATUS 3 /* exit status: the script cannot say */

struct power_settings {
    const char *scripts, *master_key; /* folder and file */
    bool fence;                       /* dead hosts by themselves */
    int64_t fence_after_us;           /* silent for so long */
    int64_t fence_share_percent;      /* not while more of the hosts are silent */
    int64_t limit_us;                 /* of one call of a script */
    int64_t settle_us;                /* how long the status may take to say what was asked for */
    int64_t retry_us;                 /* after a failed attempt, four times as much after many */
    int64_t evacuate_parallel;        /* servers of a dead host built anew at a time; 0: none by itself */
    int64_t poll_us;                  /* turns come as often at least */
};

/* What runs now. Zeroed at first. */
struct power {
    struct power_run {
        struct script script;
        char host_id[40], name[128], method[256];
        char wish[8];
        bool fences, verifies; /* the status is asked to prove what was done */
        int64_t settle_mono_us;
        int64_t next_mono_us; /* the status is asked again then */
        bool busy;
    } runs[POWER_AT_ONCE];
    int64_t ears_us;                /* since then this scheduler has led, and could have heard hosts */
    int64_t turned_us, listened_us; /* its last turn, and its last look at who is silent */
    bool storm;                     /* too many are silent: said so */
    uint64_t fenced, failed;
};

/* One turn: begins what is to be done, looks at what runs. 0 also when this scheduler does not lead. ERR_CONFLICT: the
 * lease is lost. */
int power_run(struct power *p, struct dispatch *d, const struct power_settings *settings, struct error *e);
/* Kills what runs: it is begun anew by whoever leads next. */
void power_stop(struct power *p);
