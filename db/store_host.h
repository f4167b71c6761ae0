/* Hosts: who they are, what they have, what their servers hold of them, and how far their agents are. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

struct host_row {
    const char *id, *name, *zone;
    bool enabled;
    const char *disabled_reason; /* NULL for none */
    const char *hypervisor;
    int64_t hypervisor_version;
    const char *agent_version, *architecture, *address;
    struct resources total, reserved, ratio, used; /* ratio: permille */
    int64_t server_count;
    const char *traits, *cpu;                       /* JSON array, JSON object */
    const char *certificate, *certificate_previous; /* SHA-256 in hex, NULL for none */
    int64_t enrolled_us, seen_us;
    const char *boot_id; /* NULL before the first report */
    int64_t desired_revision, allocation_revision, feed, event_seq;
    int64_t asleep_us; /* switched off since then because nobody needs it; 0: it is not */
};

/* A host unseen for longer is not alive. */
#define STORE_HOST_ALIVE_US ((int64_t)20000000)

/* Text is in the arena. ERR_NOT_FOUND. */
int store_host_get(struct db_conn *c, const char *id, struct arena *a, struct host_row *ret, struct error *e);
/* Whether its agent has reported that trait. */
bool store_host_has_trait(const struct host_row *host, const char *trait);
/* All hosts in the order of their names; texts are borrowed. */
typedef int (*store_host_fn)(void *arg, const struct host_row *row, struct error *e);
int store_host_list(struct db_conn *c, store_host_fn each, void *arg, struct error *e);

/* A host joins, or joins again: new rows are enabled and have ratios 16000, 1500 and 1000 and nothing else yet; of an
 * old one only the certificate (the present one becomes the previous one) and the name change. ERR_CONFLICT when
 * another host has that name. */
int store_host_enrol(struct db_conn *c, const char *id, const char *name, const char *zone, const char *certificate,
                     int64_t now_us, struct error *e);
/* Renewal: `certificate` becomes the present one; `shown`, with which the host asked, stays valid as the previous one.
 */
int store_host_renew(struct db_conn *c, const char *id, const char *certificate, const char *shown, struct error *e);
/* The agent has shown its present certificate: the previous one is void from now on. Nothing when there is none. */
int store_host_settle_certificate(struct db_conn *c, const char *id, const char *certificate, struct error *e);

/* What the machine has: hypervisor .. cpu, address, total, reserved of `row`. Counts the feed. */
int store_host_write_inventory(struct db_conn *c, const struct host_row *row, struct error *e);
/* The agent was heard; `event_seq`: highest journal number taken. A host that comes back to life counts the feed when
 * `feed`. */
int store_host_write_seen(struct db_conn *c, const char *id, int64_t now_us, const char *boot_id,
                          const char *agent_version, int64_t event_seq, bool feed, struct error *e);
/* Another change of what the host should do: its new desired_revision, for the server row that changes. Wakes
 * "host:<id>". */
int store_host_bump(struct db_conn *c, const char *id, int64_t *ret_revision, struct error *e);
/* Gives back what the server holds of its host; nothing when it holds nothing. Counts allocation_revision and the feed;
 * wakes "placement". */
int store_host_release(struct db_conn *c, const char *server_id, struct error *e);

/* Join tokens: the key is SHA-256 in hex of the token's secret, which stands before the dot of what `virga host add`
 * prints. */
struct host_token_row {
    const char *name, *zone;
    int64_t expires_us;
    int64_t used_us;     /* 0 before */
    const char *host_id; /* who used it, NULL before */
};
int store_host_token_insert(struct db_conn *c, const char *token_hash, const char *name, const char *zone,
                            int64_t now_us, int64_t expires_us, struct error *e);
/* ERR_NOT_FOUND. */
int store_host_token_get(struct db_conn *c, const char *token_hash, struct arena *a, struct host_token_row *ret,
                         struct error *e);
int store_host_token_use(struct db_conn *c, const char *token_hash, const char *host_id, int64_t now_us,
                         struct error *e);
/* Takes back the tokens of that name, or NAME-number, which nobody has used yet. *ret: how many. */
int store_host_token_revoke(struct db_conn *c, const char *name, int64_t *ret, struct error *e);
int store_host_token_purge(struct db_conn *c, int64_t now_us, struct error *e);

/* Gauges: hosts, those seen within STORE_HOST_ALIVE_US before `now_us`, and how far used_*, server_count and
 * project_usage are from the sums that they stand for (sums of absolute differences; 0 unless something is broken). */
struct store_host_gauges {
    int64_t hosts, alive;
    int64_t allocation_drift, usage_drift;
};
int store_host_gauges(struct db_conn *c, int64_t now_us, struct store_host_gauges *ret, struct error *e);
