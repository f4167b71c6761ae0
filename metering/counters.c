/* Counters. Happy path: each sample is compared with the last one of its stream, the server on that host; the increase
 * goes to the hour of the sample, and to whoever owned the server at that time. Sums of one transaction are written
 * once per server and hour. The batches go in the same transaction.
 *
 * Failure modes: a sample that is not newer than the stream's last is a repeat. A counter that went back began again
 * (the domain was started anew): all of it counts, and when it is that of the processor, all of all the others. Streams
 * of two hosts do not meet, so a host that was silent for days may tell its part when it comes back. Traffic has a
 * stream per nic, so that one that is unplugged or plugged again is no restart of the others; it goes to a row whose
 * shape names the nic's network, as all else of a server with nics goes to that of its first: a server on one network
 * has one row an hour. A clock that stepped back delays: the counter is cumulative, and what it grew by counts with the
 * first sample that is newer again. Samples of a server of which no use is known count for nobody and are numbered in
 * `homeless`. */
#include "metering/counters.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "db/store_amount.h"
#include "db/store_billing.h"
#include "db/store_counter.h"
#include "db/store_ledger.h"
#include "metering/batches.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct stream {
    char key[80]; /* host and server */
    struct counter_stream last;
    bool known, dirty;
    UT_hash_handle hh;
};
/* The number of a shape as it looks on a network. */
struct placed {
    struct placed_key {
        int64_t shape_no;
        char network_id[40];
    } key;
    int64_t no;
    UT_hash_handle hh;
};
struct counters_memory {
    struct stream *streams;
    struct placed *placed;
};
struct hour {
    struct hour_key {
        int64_t subject_no, hour_us, project_no, shape_no, host_no;
    } key;
    int64_t used[COUNTER_COUNT];
    UT_hash_handle hh;
};
struct fold {
    struct counters *m;
    struct arena *arena;
    struct counter_batch *batches;
    size_t count;
    bool tried;
    struct hour *hours;
    struct ledger_owner owner; /* of the server at hand */
    uint64_t samples, repeated, resets, homeless;
};

static int stream_of(struct fold *f, const char *host_id, const char *server_id, struct stream **ret, struct error *e)
{
    char key[80] = "";
    struct stream *s;
    size_t host_size = strlen(host_id), server_size = strlen(server_id);
    if (host_size + server_size + 1 >= sizeof(key)) {
        return error_set(e, ERR_CORRUPT, "the names of host %s and server %s are too long", host_id, server_id);
    }
    memcpy(key, host_id, host_size);
    memcpy(key + host_size + 1, server_id, server_size);
    HASH_FIND(hh, f->m->memory->streams, key, sizeof(key), s);
    if (s) {
        *ret = s;
        return 0;
    }
    s = memory_new(sizeof(*s));
    memcpy(s->key, key, sizeof(key));
    HASH_ADD(hh, f->m->memory->streams, key, sizeof(s->key), s);
    int64_t host_no = 0, subject_no = 0;
    int rc = store_ledger_find(f->m->conn, "server", server_id, &subject_no, e);
    rc = rc ? rc : store_ledger_name(f->m->conn, "host", host_id, &host_no, e);
    rc = rc ? rc : store_counter_stream(f->m->conn, subject_no, host_no, &s->last, &s->known, e);
    *ret = s;
    return rc;
}

static struct hour *hour_of(struct fold *f, const struct counter_stream *s, int64_t at_us, int64_t shape_no)
{
    struct hour_key key = {s->subject_no, at_us - at_us % STORE_AMOUNT_HOUR_US, f->owner.project_no, shape_no,
                           s->host_no};
    struct hour *h;
    HASH_FIND(hh, f->hours, &key, sizeof(key), h);
    if (!h) {
        h = arena_alloc(f->arena, sizeof(*h));
        h->key = key;
        HASH_ADD(hh, f->hours, key, sizeof(key), h);
    }
    return h;
}

/* Whether the domain was started since the sample before: its processor time is less. */
static bool began_anew(const struct stream *s, const struct counter_sample *x)
{
    int64_t now = x->value[COUNTER_CPU_NS];
    return s->known && now >= 0 && now < s->last.value[COUNTER_CPU_NS];
}

/* ---- networks ---- */

struct copying {
    struct json_out out;
    struct arena *arena;
};

static int copy_member(void *arg, const char *name, json_value *value)
{
    struct copying *x = arg;
    json_out_raw(&x->out, name, json_in_print(value, x->arena));
    return 0;
}

/* The shape with "network" among its facts. */
static int place_shape(struct fold *f, const struct placed_key *key, int64_t *ret, struct error *e)
{
    struct ledger_shape shape;
    struct json_doc extra;
    struct strbuf text;
    struct copying x = {.arena = f->arena};
    int rc = store_ledger_shape_get(f->m->conn, key->shape_no, f->arena, &shape, e);
    rc = rc ? rc : json_in_parse(shape.extra, strlen(shape.extra), &extra, e);
    if (rc) {
        return rc;
    }
    strbuf_init(&text, 0);
    json_out_init(&x.out, &text);
    json_out_object(&x.out, NULL);
    json_in_each(extra.root, copy_member, &x);
    json_out_text(&x.out, "network", key->network_id);
    json_out_object_end(&x.out);
    shape.extra = text.data;
    rc = store_ledger_shape(f->m->conn, &shape, ret, e);
    strbuf_done(&text);
    json_in_done(&extra);
    return rc;
}

/* How the server looked to whom it is counted, on that network ("": as it is). */
static int shape_on(struct fold *f, const char *network_id, int64_t *ret, struct error *e)
{
    struct placed_key key = {.shape_no = f->owner.shape_no};
    struct placed *p;
    int rc = 0;
    memcpy(key.network_id, network_id, strlen(network_id));
    HASH_FIND(hh, f->m->memory->placed, &key, sizeof(key), p);
    if (!p && *network_id) {
        p = memory_new(sizeof(*p));
        p->key = key;
        rc = place_shape(f, &key, &p->no, e);
        HASH_ADD(hh, f->m->memory->placed, key, sizeof(p->key), p);
    }
    *ret = p ? p->no : key.shape_no;
    return rc;
}

static struct counter_nic *nic_of(struct counter_stream *s, const char *mac)
{
    for (size_t i = 0; i < s->nic_count; i++) {
        if (strcmp(s->nics[i].mac, mac) == 0) {
            return &s->nics[i];
        }
    }
    s->nics = memory_resize(s->nics, (s->nic_count + 1) * sizeof(*s->nics));
    s->nics[s->nic_count] = (struct counter_nic){.in_bytes = 0};
    memcpy(s->nics[s->nic_count].mac, mac, sizeof(s->nics[0].mac));
    return &s->nics[s->nic_count++];
}

static int64_t take_part(int64_t value, int64_t *left)
{
    int64_t part = value < *left ? value : *left;
    *left -= part;
    return part;
}

/* A host whose agent told the server's traffic as one goes on from there, unless it began again. */
static void begin_nics(struct stream *s, const struct counter_sample *x)
{
    int64_t left[2], sum[2] = {0};
    for (size_t i = 0; i < x->nic_count; i++) {
        sum[0] += x->nics[i].in_bytes;
        sum[1] += x->nics[i].out_bytes;
    }
    for (int w = 0; w < 2; w++) {
        int64_t last = s->known ? s->last.value[COUNTER_NET_IN_BYTES + w] : 0;
        left[w] = last > 0 && last <= sum[w] ? last : 0;
    }
    for (size_t i = 0; i < x->nic_count; i++) {
        struct counter_nic *n = nic_of(&s->last, x->nics[i].mac);
        n->in_bytes = take_part(x->nics[i].in_bytes, &left[0]);
        n->out_bytes = take_part(x->nics[i].out_bytes, &left[1]);
    }
}

static int64_t increase(int64_t last, int64_t now, bool *reset)
{
    *reset = *reset || now < last;
    return now < last ? now : now - last;
}

/* What each nic grew by, instead of the server's sums; whether any did. */
static bool grow_nics(struct fold *f, struct stream *s, const struct counter_sample *x, struct counter_nic *grown)
{
    bool any = false, reset = false, anew = began_anew(s, x);
    if (s->last.nic_count == 0) {
        begin_nics(s, x);
    }
    for (size_t i = 0; i < x->nic_count; i++) {
        struct counter_nic *last = nic_of(&s->last, x->nics[i].mac);
        grown[i].in_bytes = increase(anew ? 0 : last->in_bytes, x->nics[i].in_bytes, &reset);
        grown[i].out_bytes = increase(anew ? 0 : last->out_bytes, x->nics[i].out_bytes, &reset);
        any = any || grown[i].in_bytes > 0 || grown[i].out_bytes > 0;
    }
    f->resets += reset && !anew;
    return any;
}

static int add_nics(struct fold *f, const struct stream *s, const struct counter_sample *x,
                    const struct counter_nic *grown, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < x->nic_count && !rc; i++) {
        int64_t shape_no = 0;
        if (grown[i].in_bytes > 0 || grown[i].out_bytes > 0) {
            rc = shape_on(f, x->nics[i].network_id, &shape_no, e);
        }
        if (!rc && shape_no > 0) {
            struct hour *h = hour_of(f, &s->last, x->at_us, shape_no);
            h->used[COUNTER_NET_IN_BYTES] += grown[i].in_bytes;
            h->used[COUNTER_NET_OUT_BYTES] += grown[i].out_bytes;
        }
    }
    return rc;
}

/* ---- samples ---- */

/* Adds what each counter grew by; whether any did. */
static bool grow(struct fold *f, const struct stream *s, const struct counter_sample *x, int64_t grown[COUNTER_COUNT])
{
    bool any = false, reset = false, anew = began_anew(s, x);
    int end = x->nic_count > 0 ? COUNTER_NET_IN_BYTES : COUNTER_COUNT;
    for (int k = 0; k < end; k++) {
        int64_t last = s->known && s->last.value[k] >= 0 ? s->last.value[k] : 0;
        bool back = x->value[k] >= 0 && x->value[k] < last;
        grown[k] = x->value[k] < 0 ? 0 : back || anew ? x->value[k] : x->value[k] - last;
        any = any || grown[k] > 0;
        reset = reset || back;
    }
    f->resets += reset;
    return any;
}

static void remember(struct stream *s, const struct counter_sample *x)
{
    for (int k = 0; k < COUNTER_COUNT; k++) {
        if (x->value[k] >= 0 || !s->known) {
            s->last.value[k] = x->value[k];
        }
    }
    s->last.nic_count = x->nic_count > 0 ? s->last.nic_count : 0; /* the sums alone go on */
    for (size_t i = 0; i < x->nic_count; i++) {
        struct counter_nic *last = nic_of(&s->last, x->nics[i].mac);
        last->in_bytes = x->nics[i].in_bytes;
        last->out_bytes = x->nics[i].out_bytes;
    }
    s->last.at_us = x->at_us;
    s->known = s->dirty = true;
}

static int add_all(struct fold *f, const struct stream *s, const struct counter_sample *x,
                   const int64_t grown[COUNTER_COUNT], const struct counter_nic *by_nic, struct error *e)
{
    int64_t shape_no = 0;
    int rc = shape_on(f, x->nic_count > 0 ? x->nics[0].network_id : "", &shape_no, e);
    for (int k = 0; !rc && k < COUNTER_COUNT; k++) {
        if (grown[k] > 0) {
            hour_of(f, &s->last, x->at_us, shape_no)->used[k] += grown[k];
        }
    }
    return rc ? rc : add_nics(f, s, x, by_nic, e);
}

static int take(struct fold *f, const char *host_id, const struct counter_sample *x, struct error *e)
{
    struct stream *s = NULL;
    int64_t grown[COUNTER_COUNT] = {0};
    struct counter_nic by_nic[COUNTER_NICS_MAX];
    bool found = true;
    int rc = stream_of(f, host_id, x->server_id, &s, e);
    f->samples++;
    if (rc || (s->known && x->at_us <= s->last.at_us)) {
        f->repeated += !rc;
        return rc;
    }
    if (s->last.subject_no == 0) { /* it may be used by now */
        rc = store_ledger_find(f->m->conn, "server", x->server_id, &s->last.subject_no, e);
    }
    bool any = grow(f, s, x, grown);
    any = grow_nics(f, s, x, by_nic) || any;
    if (!rc && any) {
        rc = store_ledger_owner(f->m->conn, s->last.subject_no, x->at_us, &f->owner, &found, e);
    }
    if (rc || !found) {
        f->homeless += !rc;
        return rc;
    }
    rc = any ? add_all(f, s, x, grown, by_nic, e) : 0;
    if (!rc) {
        remember(s, x);
    }
    return rc;
}

static int write_hours(struct fold *f, int64_t generation, struct error *e)
{
    int rc = 0;
    for (const struct hour *h = f->hours; h && !rc; h = h->hh.next) {
        struct counter_hour row = {.project_no = h->key.project_no,
                                   .hour_us = h->key.hour_us,
                                   .generation = generation,
                                   .subject_no = h->key.subject_no,
                                   .shape_no = h->key.shape_no,
                                   .host_no = h->key.host_no};
        memcpy(row.used, h->used, sizeof(row.used));
        rc = store_counter_add(f->m->conn, &row, e);
    }
    return rc;
}

static int write_streams(struct fold *f, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < f->count && !rc; i++) {
        for (size_t k = 0; k < f->batches[i].count && !rc; k++) {
            struct stream *s = NULL;
            rc = stream_of(f, f->batches[i].host_id, f->batches[i].samples[k].server_id, &s, e);
            if (!rc && s->dirty && s->last.subject_no > 0) {
                rc = store_counter_stream_put(f->m->conn, &s->last, e);
                s->dirty = false;
            }
        }
    }
    return rc;
}

static int fold_batches(struct db_conn *c, void *arg, struct error *e)
{
    struct fold *f = arg;
    int64_t generation = 0;
    if (f->tried) { /* the transaction is run again */
        counters_forget(f->m);
    }
    f->tried = true;
    if (!f->m->memory) {
        f->m->memory = memory_new(sizeof(*f->m->memory));
    }
    HASH_CLEAR(hh, f->hours);
    f->samples = f->repeated = f->resets = f->homeless = 0;
    int rc = store_billing_counter(c, "usage_generation", &generation, e);
    rc = rc ? rc : store_counter_batches(c, f->m->batch, f->arena, &f->batches, &f->count, e);
    for (size_t i = 0; !rc && i < f->count; i++) {
        const struct counter_batch *b = &f->batches[i];
        for (size_t k = 0; !rc && k < b->count; k++) {
            rc = take(f, b->host_id, &b->samples[k], e);
        }
        rc = rc ? rc : store_counter_drop(c, b, e);
    }
    rc = rc ? rc : write_hours(f, generation, e);
    return rc ? rc : write_streams(f, e);
}

static int run_batch(void *arg, struct arena *a, bool *ret_more, struct error *e)
{
    struct counters *m = arg;
    struct fold f = {.m = m, .arena = a};
    int rc = db_transact(m->conn, fold_batches, &f, e);
    HASH_CLEAR(hh, f.hours);
    *ret_more = !rc && f.count > 0;
    if (rc) {
        counters_forget(m);
        return rc;
    }
    m->batches += f.count;
    m->samples += f.samples;
    m->repeated += f.repeated;
    m->resets += f.resets;
    m->homeless += f.homeless;
    return 0;
}

int counters_run(struct counters *m, struct error *e)
{
    return batches_run(run_batch, m, e);
}

void counters_forget(struct counters *m)
{
    if (!m->memory) {
        return;
    }
    for (struct stream *s, *next = m->memory->streams; (s = next);) {
        next = s->hh.next;
        HASH_DELETE(hh, m->memory->streams, s);
        free(s->last.nics);
        free(s);
    }
    for (struct placed *p, *next = m->memory->placed; (p = next);) {
        next = p->hh.next;
        HASH_DELETE(hh, m->memory->placed, p);
        free(p);
    }
    free(m->memory);
    m->memory = NULL;
}
