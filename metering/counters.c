/* Counters. Happy path: each sample is compared with the last one of its stream, the server on that host; the increase
 * goes to the hour of the sample, and to whoever owned the server at that time. Sums of one transaction are written
 * once per server and hour. The batches go in the same transaction.
 *
 * Failure modes: a sample that is not newer than the stream's last is a repeat. A counter that went back began again
 * (the domain was started anew): all of it counts. Streams of two hosts do not meet, so a host that was silent for days
 * may tell its part when it comes back. A clock that stepped back delays: the counter is cumulative, and what it grew
 * by counts with the first sample that is newer again. Samples of a server of which no use is known count for nobody
 * and are numbered in `homeless`. */
#include "metering/counters.h"
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
struct counters_memory {
    struct stream *streams;
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

static struct hour *hour_of(struct fold *f, const struct counter_stream *s, int64_t at_us)
{
    struct hour_key key = {s->subject_no, at_us - at_us % STORE_AMOUNT_HOUR_US, f->owner.project_no, f->owner.shape_no,
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

/* Adds what each counter grew by; whether any did. */
static bool grow(struct fold *f, const struct stream *s, const struct counter_sample *x, int64_t grown[COUNTER_COUNT])
{
    bool any = false, reset = false;
    for (int k = 0; k < COUNTER_COUNT; k++) {
        int64_t last = s->known && s->last.value[k] >= 0 ? s->last.value[k] : 0;
        bool back = x->value[k] >= 0 && x->value[k] < last;
        grown[k] = x->value[k] < 0 ? 0 : back ? x->value[k] : x->value[k] - last;
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
    s->last.at_us = x->at_us;
    s->known = s->dirty = true;
}

static int take(struct fold *f, const char *host_id, const struct counter_sample *x, struct error *e)
{
    struct stream *s = NULL;
    int64_t grown[COUNTER_COUNT];
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
    if (!rc && any) {
        rc = store_ledger_owner(f->m->conn, s->last.subject_no, x->at_us, &f->owner, &found, e);
    }
    if (rc || !found) {
        f->homeless += !rc;
        return rc;
    }
    struct hour *h = any ? hour_of(f, &s->last, x->at_us) : NULL;
    for (int k = 0; h && k < COUNTER_COUNT; k++) {
        h->used[k] += grown[k];
    }
    remember(s, x);
    return 0;
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
        free(s);
    }
    free(m->memory);
    m->memory = NULL;
}
