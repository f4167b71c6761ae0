/* Journals are read in pages of all hosts at once. An entry that the controller took is in lifecycle_event by its
 * number, with the same state and time; one that it did not take says of a span of time that the server ran, which must
 * be in the ledger on whatever host. From the number on from which a journal is whole, each event of the host is in it,
 * also those of which the agent has not heard that they were taken: the answer to its report may have been lost.
 */
#include "cli/verify_journals.h"
#include "cli/host_ask.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/store_verify.h"
#include <string.h>
#include <uthash.h>

#define MARGIN_US ((int64_t)86400 * CLOCK_SECOND_US) /* entries' own times may differ from those that were taken */

struct entry {
    int64_t seq, at_us;
    const char *server_id, *state;
    struct entry *later; /* of the same server */
    UT_hash_handle hh;   /* by number */
};
struct latest {
    const char *server_id;
    struct entry *entry;
    UT_hash_handle hh;
};
struct journal {
    int64_t first_seq, accepted_seq, after_seq;
    bool failed;
    struct entry *entries;
    struct latest *latest;
};
struct comparing {
    struct cli *cli;
    int64_t from_us, to_us, tolerance_us, asked_us;
    verify_hosts_fn differs;
    void *arg;
    struct verify_journals *result;
    const struct host_asked *host; /* at hand */
    struct journal *journal;
};

static const char *time_text(struct comparing *x, int64_t us)
{
    return clock_text(us, CLOCK_ISO_MICRO_Z, arena_alloc(&x->cli->arena, CLOCK_TEXT_SIZE));
}

/* ---- reading ---- */

static void add_entry(struct comparing *x, struct journal *j, json_value *item)
{
    struct arena *a = &x->cli->arena;
    struct entry *n = arena_alloc(a, sizeof(*n));
    struct latest *l;
    *n = (struct entry){.server_id = arena_strdup(a, json_in_text(json_in_member(item, "server_id"))),
                        .state = arena_strdup(a, json_in_text(json_in_member(item, "state")))};
    json_in_int(json_in_member(item, "seq"), &n->seq);
    json_in_int(json_in_member(item, "at_us"), &n->at_us);
    if (!n->server_id || !n->state || n->seq <= j->after_seq) {
        return;
    }
    j->after_seq = n->seq;
    HASH_ADD(hh, j->entries, seq, sizeof(n->seq), n);
    HASH_FIND_STR(j->latest, n->server_id, l);
    if (!l) {
        l = arena_alloc(a, sizeof(*l));
        *l = (struct latest){.server_id = n->server_id};
        HASH_ADD_KEYPTR(hh, j->latest, l->server_id, strlen(l->server_id), l);
    } else {
        l->entry->later = n;
    }
    l->entry = n;
}

/* Whether there is another page. */
static bool add_page(struct comparing *x, const struct host_asked *host, struct journal *j)
{
    struct json_doc doc;
    bool more = false;
    if (!host->answer || json_in_parse(host->answer, strlen(host->answer), &doc, NULL)) {
        j->failed = true;
        return false; /* that it does not answer was told */
    }
    json_value *output = json_in_member(doc.root, "output"), *events = json_in_member(output, "events");
    const char *fault = json_in_text(json_in_member(doc.root, "error"));
    j->failed = fault != NULL;
    if (fault) {
        x->differs(x->arg, "-", arena_printf(&x->cli->arena, "host %s: its journal: %s", host->name, fault));
    }
    json_in_int(json_in_member(output, "first_seq"), &j->first_seq);
    j->accepted_seq = INT64_MAX; /* agents of before tell nothing else */
    json_in_int(json_in_member(output, "accepted_seq"), &j->accepted_seq);
    for (size_t i = 0; i < json_in_count(events); i++) {
        add_entry(x, j, json_in_item(events, i));
    }
    json_in_bool(json_in_member(output, "more"), &more);
    json_in_done(&doc);
    return more && !fault;
}

static const char *print_args(struct comparing *x, int64_t after_seq)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_int(&out, "from_us", x->from_us - MARGIN_US);
    json_out_int(&out, "to_us", x->to_us + MARGIN_US);
    json_out_int(&out, "after_seq", after_seq);
    json_out_object_end(&out);
    const char *copy = arena_strdup(&x->cli->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static int read_all(struct comparing *x, struct host_asked *hosts, struct journal *journals, int64_t wait_ms,
                    struct error *e)
{
    bool more = true;
    int rc = 0;
    while (!rc && more) {
        struct journal *j = journals;
        more = false;
        for (struct host_asked *h = hosts; h; h = h->next, j++) {
            h->args = print_args(x, j->after_seq);
        }
        rc = host_ask(x->cli, "journal", hosts, wait_ms, e);
        j = journals;
        for (struct host_asked *h = hosts; !rc && h; h = h->next, j++) {
            h->skip = h->skip || !add_page(x, h, j);
            more = more || !h->skip;
        }
    }
    return rc;
}

/* ---- comparing ---- */

static bool runs(const char *state)
{
    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
}

/* The controller did not take it: the server was on another host, or on its way. Then it was in use there. */
static int check_untaken(struct comparing *x, const struct entry *n, struct error *e)
{
    int64_t used_us = 0, end_us = n->later ? n->later->at_us : x->to_us;
    int rc = 0;
    end_us = end_us < x->asked_us ? end_us : x->asked_us;
    end_us = end_us < x->to_us ? end_us : x->to_us;
    if (!runs(n->state) || end_us - n->at_us <= x->tolerance_us) {
        return 0;
    }
    rc = store_verify_covered(db_reader(x->cli->db), n->server_id, n->at_us, end_us, &used_us, e);
    if (!rc && end_us - n->at_us - used_us > x->tolerance_us) {
        x->differs(x->arg, n->server_id,
                   arena_printf(&x->cli->arena,
                                "host %s: entry %lld of its journal is %s from %s to %s, the ledger has %.3f s of it",
                                x->host->name, (long long)n->seq, n->state, time_text(x, n->at_us),
                                time_text(x, end_us), (double)used_us / 1e6));
    }
    return rc;
}

static int check_entry(struct comparing *x, const struct entry *n, struct error *e)
{
    struct verify_event taken;
    int rc =
        store_verify_event(db_reader(x->cli->db), x->host->host_id, n->seq, n->server_id, &x->cli->arena, &taken, e);
    if (rc || (!taken.state && n->seq > x->journal->accepted_seq)) {
        return rc; /* it is still to come */
    }
    x->result->entries++;
    if (!taken.state) {
        return check_untaken(x, n, e);
    }
    if (strcmp(taken.state, n->state) != 0 || taken.at_us != verify_hosts_taken_at(n->at_us, &taken)) {
        x->differs(x->arg, n->server_id,
                   arena_printf(&x->cli->arena,
                                "host %s: entry %lld of its journal was %s at %s, the controller has it as %s at %s",
                                x->host->name, (long long)n->seq, n->state, time_text(x, n->at_us), taken.state,
                                time_text(x, taken.at_us)));
    }
    return 0;
}

/* What the controller took of this host. */
static int check_taken(void *arg, const char *server_id, const char *state, int64_t seq, struct error *e)
{
    (void)e;
    struct comparing *x = arg;
    struct entry *n;
    HASH_FIND(hh, x->journal->entries, &seq, sizeof(seq), n);
    if (!n || strcmp(n->server_id, server_id) != 0) {
        x->differs(x->arg, server_id,
                   arena_printf(&x->cli->arena,
                                "host %s: the ledger has entry %lld of its journal (%s), the journal has not",
                                x->host->name, (long long)seq, state));
    }
    return 0;
}

static int compare(struct comparing *x, struct error *e)
{
    struct db_conn *c = db_reader(x->cli->db);
    int64_t oldest = 0;
    int rc = store_verify_oldest(c, x->host->host_id, x->from_us, x->to_us, &oldest, e);
    x->result->shorter += !rc && oldest > 0 && oldest < x->journal->first_seq;
    for (const struct entry *n = x->journal->entries; !rc && n; n = n->hh.next) {
        rc = n->at_us >= x->from_us && n->at_us < x->to_us ? check_entry(x, n, e) : 0;
    }
    const struct verify_span span = {.first_seq = x->journal->first_seq,
                                     .from_us = x->from_us,
                                     .to_us = x->to_us,
                                     .received_us = x->asked_us - x->tolerance_us};
    return rc ? rc : store_verify_taken(c, x->host->host_id, &span, check_taken, x, e);
}

int verify_journals(struct cli *cli, int64_t wait_ms, int64_t from_us, int64_t to_us, int64_t tolerance_us,
                    verify_hosts_fn differs, void *arg, struct verify_journals *ret, struct error *e)
{
    struct comparing x = {.cli = cli,
                          .from_us = from_us,
                          .to_us = to_us,
                          .tolerance_us = tolerance_us,
                          .asked_us = clock_now_us(),
                          .differs = differs,
                          .arg = arg,
                          .result = ret};
    struct host_asked *hosts = NULL;
    size_t silent = 0, count = 0;
    *ret = (struct verify_journals){0};
    int rc = host_ask_list(cli, &hosts, &silent, e);
    for (const struct host_asked *h = hosts; h; h = h->next) {
        count++;
    }
    struct journal *journals = arena_array(&cli->arena, count + 1, sizeof(*journals));
    rc = rc ? rc : read_all(&x, hosts, journals, wait_ms, e);
    x.journal = journals;
    for (x.host = hosts; !rc && x.host; x.host = x.host->next, x.journal++) {
        rc = x.journal->failed ? 0 : compare(&x, e);
    }
    for (size_t i = 0; i < count; i++) {
        HASH_CLEAR(hh, journals[i].entries);
        HASH_CLEAR(hh, journals[i].latest);
    }
    return rc;
}
