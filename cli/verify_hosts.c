/* What each host has now beside what the ledger has. */
#include "cli/verify_hosts.h"
#include "cli/host_ask.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "db/store_verify.h"
#include <string.h>
#include <uthash.h>

/* A server as a host's answer has it. */
struct held {
    const char *id, *domain, *state; /* domain NULL: none; state: the journal's last, NULL for none */
    int64_t seq, at_us;
    bool metered;
    UT_hash_handle hh;
};
struct asking {
    struct cli *cli;
    struct verify_hosts *result;
    verify_hosts_fn differs;
    void *arg;
    int64_t settled_us;
    const struct host_asked *host; /* at hand */
    struct held *held;
};

static void tell(struct asking *x, const char *server_id, const char *words)
{
    x->differs(x->arg, server_id, words);
}

static void read_held(struct asking *x, json_value *servers)
{
    struct arena *a = &x->cli->arena;
    for (size_t i = 0; i < json_in_count(servers); i++) {
        json_value *item = json_in_item(servers, i), *said = json_in_member(item, "journal");
        const char *id = json_in_text(json_in_member(item, "id")),
                   *domain = json_in_text(json_in_member(item, "domain")),
                   *state = json_in_text(json_in_member(said, "state"));
        struct held *h = arena_alloc(a, sizeof(*h));
        if (!id) {
            continue;
        }
        *h = (struct held){.id = arena_strdup(a, id),
                           .domain = domain ? arena_strdup(a, domain) : NULL,
                           .state = state ? arena_strdup(a, state) : NULL};
        json_in_int(json_in_member(said, "seq"), &h->seq);
        json_in_int(json_in_member(said, "at_us"), &h->at_us);
        HASH_ADD_KEYPTR(hh, x->held, h->id, strlen(h->id), h);
    }
}

/* What the hypervisor has of a server in a metered state (NULL: nothing); true for states without a say in it. One
 * whose domain somebody else removed has crashed. */
static bool fits(const char *state, const char *domain)
{
    static const char *const pairs[][2] = {{"running", "running"}, {"paused", "paused"},   {"stopped", "shutoff"},
                                           {"stopped", "crashed"}, {"suspended", "saved"}, {"crashed", "crashed"},
                                           {"crashed", "shutoff"}};
    bool known = false;
    if (!domain && strcmp(state, "crashed") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bool of_state = strcmp(pairs[i][0], state) == 0;
        known = known || of_state;
        if (of_state && domain && strcmp(pairs[i][1], domain) == 0) {
            return true;
        }
    }
    return !known;
}

static int check_open(void *arg, const char *server_id, const char *state, struct error *e)
{
    struct asking *x = arg;
    struct held *h;
    bool settled = false;
    HASH_FIND_STR(x->held, server_id, h);
    int rc = store_verify_is_settled(db_reader(x->cli->db), server_id, x->settled_us, &settled, e);
    if (h) {
        h->metered = true;
    }
    if (rc || !settled) {
        return rc;
    }
    x->result->servers++;
    if (!fits(state, h ? h->domain : NULL)) {
        tell(x, server_id,
             arena_printf(&x->cli->arena, "host %s: the ledger says %s, the hypervisor %s", x->host->name, state,
                          h && h->domain ? h->domain : "that there is none"));
    }
    if (h && h->state && strcmp(h->state, state) != 0) {
        tell(x, server_id,
             arena_printf(&x->cli->arena, "host %s: the ledger says %s, the journal %s", x->host->name, state,
                          h->state));
    }
    return 0;
}

/* What runs and is not metered here. */
static int check_unmetered(struct asking *x, const struct held *h, struct error *e)
{
    bool settled = false;
    bool runs = h->domain && (strcmp(h->domain, "running") == 0 || strcmp(h->domain, "paused") == 0);
    if (h->metered || !runs) {
        return 0;
    }
    int rc = store_verify_is_settled(db_reader(x->cli->db), h->id, x->settled_us, &settled, e);
    if (!rc && settled) {
        tell(x, h->id,
             arena_printf(&x->cli->arena, "host %s: it is %s there and not metered", x->host->name, h->domain));
    }
    return rc;
}

/* What the journal says and what the controller has of it by the same number. */
static int check_event(struct asking *x, const struct held *h, int64_t accepted, struct error *e)
{
    struct verify_event taken;
    if (!h->state || h->seq > accepted) {
        return 0;
    }
    int rc = store_verify_event(db_reader(x->cli->db), x->host->host_id, h->seq, h->id, &x->cli->arena, &taken, e);
    if (!rc && taken.state &&
        (strcmp(taken.state, h->state) != 0 || taken.at_us != verify_hosts_taken_at(h->at_us, &taken))) {
        tell(x, h->id,
             arena_printf(&x->cli->arena,
                          "host %s: entry %lld of its journal is %s at %lld, the controller has it as %s at %lld",
                          x->host->name, (long long)h->seq, h->state, (long long)h->at_us, taken.state,
                          (long long)taken.at_us));
    }
    return rc;
}

static int compare(struct asking *x, json_value *output, struct error *e)
{
    int64_t accepted = 0, pending = 0;
    json_in_int(json_in_member(output, "accepted_seq"), &accepted);
    json_in_int(json_in_member(output, "pending"), &pending);
    x->result->pending += (size_t)pending;
    x->held = NULL;
    read_held(x, json_in_member(output, "servers"));
    int rc = pending > 0 ? 0 : store_verify_open(db_reader(x->cli->db), x->host->host_id, check_open, x, e);
    for (const struct held *h = x->held; !rc && h; h = h->hh.next) {
        rc = pending > 0 ? 0 : check_unmetered(x, h, e);
        rc = rc ? rc : check_event(x, h, accepted, e);
    }
    HASH_CLEAR(hh, x->held);
    return rc;
}

static int compare_host(struct asking *x, const struct host_asked *host, struct error *e)
{
    struct json_doc doc;
    x->host = host;
    if (!host->answer || json_in_parse(host->answer, strlen(host->answer), &doc, NULL)) {
        tell(x, "-", arena_printf(&x->cli->arena, "host %s: its agent does not answer", host->name));
        return 0;
    }
    const char *fault = json_in_text(json_in_member(doc.root, "error"));
    int rc = 0;
    if (fault) {
        tell(x, "-", arena_printf(&x->cli->arena, "host %s: its agent says: %s", host->name, fault));
    } else {
        x->result->answered++;
        rc = compare(x, json_in_member(doc.root, "output"), e);
    }
    json_in_done(&doc);
    return rc;
}

int verify_hosts(struct cli *cli, int64_t wait_ms, int64_t settled_us, verify_hosts_fn differs, void *arg,
                 struct verify_hosts *ret, struct error *e)
{
    struct asking x = {.cli = cli, .result = ret, .differs = differs, .arg = arg, .settled_us = settled_us};
    struct host_asked *hosts = NULL;
    *ret = (struct verify_hosts){0};
    int rc = host_ask_list(cli, &hosts, &ret->silent, e);
    rc = rc ? rc : host_ask(cli, "servers", hosts, wait_ms, e);
    for (const struct host_asked *h = hosts; !rc && h; h = h->next) {
        ret->asked++;
        rc = compare_host(&x, h, e);
    }
    return rc;
}

int64_t verify_hosts_taken_at(int64_t told_us, const struct verify_event *taken)
{
    if (told_us > taken->received_us + CLOCK_SECOND_US) {
        return taken->received_us;
    }
    return told_us < taken->created_us ? taken->created_us : told_us;
}
