/* Intervals. Happy path: read events above the cursor; a state that costs something opens an interval at the event's
 * time and closes the one before at the same instant, so that intervals of a server neither overlap nor leave a gap;
 * "gone" closes for good. The cursor moves in the same transaction. Most of what an event needs is remembered: the
 * numbers of names and shapes, and each server's running interval.
 *
 * Failure modes: a repeated state with the same facts is no change. An event whose time lies before the open interval's
 * begin (a clock stepped back) ends that interval at its begin: time is never billed twice, and the number of such
 * events is kept. A second meter finds the cursor moved and starts over; whatever fails, what was remembered is
 * forgotten with the transaction. */
#include "metering/intervals.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "db/store_ledger.h"
#include "db/store_usage.h"
#include "metering/batches.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define CURSOR "intervals"

struct name {
    int64_t no;
    UT_hash_handle hh;
    char key[]; /* kind, a space, text */
};

struct shape {
    int64_t no;
    char *state, *flavor; /* within key */
    UT_hash_handle hh, by_no;
    char key[]; /* state and flavor, each ended by a NUL; then the other facts */
};

struct subject {
    int64_t no;
    struct ledger_open open; /* begin_event 0: none runs */
    const struct shape *shape;
    UT_hash_handle hh;
    char id[];
};

struct intervals_memory {
    struct name *names;
    struct shape *shapes, *shapes_by_no;
    struct subject *subjects;
};

struct step {
    struct intervals *m;
    const struct usage_event *events;
    size_t count;
    bool tried;
    uint64_t opened, closed, clamped;
};

/* A server is used from its first start until it is gone; being built is not use. */
static bool counts(enum server_state s)
{
    return s != SERVER_STATE_NONE && s != SERVER_STATE_GONE && s != SERVER_STATE_BUILDING;
}

/* ---- what is remembered ---- */

static int name_of(struct intervals *m, const char *kind, const char *text, int64_t *ret_no, struct error *e)
{
    struct name *n;
    size_t kind_size = strlen(kind), size = kind_size + 1 + strlen(text);
    struct name *fresh = memory_new(sizeof(*fresh) + size + 1);
    memcpy(fresh->key, kind, kind_size + 1);
    memcpy(fresh->key + kind_size + 1, text, size - kind_size);
    HASH_FIND(hh, m->memory->names, fresh->key, size, n);
    if (n) {
        *ret_no = n->no;
        free(fresh);
        return 0;
    }
    int rc = store_ledger_name(m->conn, kind, text, &fresh->no, e);
    if (rc) {
        free(fresh);
        return rc;
    }
    HASH_ADD_KEYPTR(hh, m->memory->names, fresh->key, size, fresh);
    *ret_no = fresh->no;
    return 0;
}

static void print_shape(const struct ledger_shape *s, struct strbuf *to)
{
    strbuf_append(to, s->state, strlen(s->state) + 1);
    strbuf_append(to, s->flavor, strlen(s->flavor) + 1);
    strbuf_append(to, s->zone, strlen(s->zone) + 1);
    strbuf_append(to, s->region, strlen(s->region) + 1);
    strbuf_append(to, s->tags, strlen(s->tags) + 1);
    strbuf_append(to, s->extra, strlen(s->extra) + 1);
    const int64_t sizes[] = {s->vcpus, s->memory_mib, s->disk_gib};
    strbuf_append(to, sizes, sizeof(sizes));
}

static const struct shape *remember_shape(struct intervals *m, int64_t no, const struct strbuf *key)
{
    struct shape *s = memory_new(sizeof(*s) + key->size + 1);
    s->no = no;
    memcpy(s->key, key->data, key->size);
    s->state = s->key;
    s->flavor = s->key + strlen(s->key) + 1;
    HASH_ADD_KEYPTR(hh, m->memory->shapes, s->key, key->size, s);
    HASH_ADD(by_no, m->memory->shapes_by_no, no, sizeof(s->no), s);
    return s;
}

static int shape_of(struct intervals *m, const struct ledger_shape *facts, const struct shape **ret, struct error *e)
{
    struct strbuf key;
    struct shape *s;
    int64_t no = 0;
    int rc = 0;
    strbuf_init(&key, 0);
    print_shape(facts, &key);
    HASH_FIND(hh, m->memory->shapes, key.data, key.size, s);
    *ret = s;
    if (!s) {
        rc = store_ledger_shape(m->conn, facts, &no, e);
        *ret = rc ? NULL : remember_shape(m, no, &key);
    }
    strbuf_done(&key);
    return rc;
}

static int shape_numbered(struct intervals *m, int64_t no, const struct shape **ret, struct error *e)
{
    struct ledger_shape facts;
    struct strbuf key;
    struct arena a;
    struct shape *s;
    HASH_FIND(by_no, m->memory->shapes_by_no, &no, sizeof(no), s);
    *ret = s;
    if (s) {
        return 0;
    }
    arena_init(&a);
    int rc = store_ledger_shape_get(m->conn, no, &a, &facts, e);
    if (!rc) {
        strbuf_init(&key, 0);
        print_shape(&facts, &key);
        *ret = remember_shape(m, no, &key);
        strbuf_done(&key);
    }
    arena_done(&a);
    return rc;
}

static int subject_of(struct intervals *m, const char *id, struct subject **ret, struct error *e)
{
    struct subject *s;
    bool found = false;
    HASH_FIND(hh, m->memory->subjects, id, strlen(id), s);
    if (s) {
        *ret = s;
        return 0;
    }
    s = memory_new(sizeof(*s) + strlen(id) + 1);
    memcpy(s->id, id, strlen(id) + 1);
    int rc = store_ledger_name(m->conn, "server", id, &s->no, e);
    rc = rc ? rc : store_ledger_open_get(m->conn, s->no, &s->open, &found, e);
    if (!rc && found) {
        rc = shape_numbered(m, s->open.shape_no, &s->shape, e);
    }
    if (rc) {
        free(s);
        return rc;
    }
    HASH_ADD_KEYPTR(hh, m->memory->subjects, s->id, strlen(s->id), s);
    *ret = s;
    return 0;
}

void intervals_forget(struct intervals *m)
{
    struct intervals_memory *memory = m->memory;
    if (!memory) {
        return;
    }
    HASH_CLEAR(by_no, memory->shapes_by_no);
    for (struct name *n, *next = memory->names; (n = next);) {
        next = n->hh.next;
        HASH_DELETE(hh, memory->names, n);
        free(n);
    }
    for (struct shape *s, *next = memory->shapes; (s = next);) {
        next = s->hh.next;
        HASH_DELETE(hh, memory->shapes, s);
        free(s);
    }
    for (struct subject *s, *next = memory->subjects; (s = next);) {
        next = s->hh.next;
        HASH_DELETE(hh, memory->subjects, s);
        free(s);
    }
    free(memory);
    m->memory = NULL;
}

/* ---- events ---- */

/* The facts of the event as a row that could be open. The controller's own events tell no host: it is the one so far,
 * but a shelved server is on none. */
static int read_facts(struct intervals *m, const struct usage_event *x, const struct subject *s,
                      struct ledger_open *ret, const struct shape **ret_shape, struct error *e)
{
    struct ledger_shape facts = {.source = "server",
                                 .state = server_state_name(x->state),
                                 .flavor = x->flavor,
                                 .zone = x->zone,
                                 .region = m->region,
                                 .vcpus = x->vcpus,
                                 .memory_mib = x->memory_mib,
                                 .disk_gib = x->disk_gib,
                                 .tags = x->tags,
                                 .extra = x->extra};
    int rc = shape_of(m, &facts, ret_shape, e);
    rc = rc ? rc : name_of(m, "project", x->project_id, &ret->project_no, e);
    bool shelved = x->state == SERVER_STATE_SHELVED;
    if (!rc && !shelved && !*x->host_id && s->open.begin_event > 0) {
        ret->host_no = s->open.host_no;
    } else if (!rc) {
        rc = name_of(m, "host", shelved ? "" : x->host_id, &ret->host_no, e);
    }
    if (!rc) {
        ret->subject_no = s->no;
        ret->shape_no = (*ret_shape)->no;
    }
    return rc;
}

static bool same(const struct ledger_open *a, const struct ledger_open *b)
{
    return a->shape_no == b->shape_no && a->project_no == b->project_no && a->host_no == b->host_no;
}

/* Whether the use goes on as one run: minimum charges are asked once for it. */
static bool goes_on(const struct subject *s, const struct ledger_open *next, const struct shape *shape)
{
    return s->open.project_no == next->project_no && strcmp(s->shape->state, shape->state) == 0 &&
           strcmp(s->shape->flavor, shape->flavor) == 0;
}

static int end_running(struct step *s, struct subject *subject, const struct usage_event *x, int64_t at_us,
                       bool run_ends, struct error *e)
{
    s->closed++;
    return store_ledger_close(s->m->conn, &subject->open, at_us, x->id, run_ends, e);
}

static int begin_running(struct step *s, struct subject *subject, const struct ledger_open *next,
                         const struct shape *shape, struct error *e)
{
    int rc = store_ledger_open_put(s->m->conn, next, e);
    subject->open = *next;
    subject->shape = shape;
    s->opened++;
    return rc;
}

static int forget_subject(struct step *s, struct subject *subject, struct error *e)
{
    int rc = subject->open.begin_event > 0 ? store_ledger_open_drop(s->m->conn, subject->no, e) : 0;
    HASH_DELETE(hh, s->m->memory->subjects, subject);
    free(subject);
    return rc;
}

static int take(struct step *s, const struct usage_event *x, struct error *e)
{
    struct ledger_open next = {0};
    struct subject *subject = NULL;
    const struct shape *shape = NULL;
    bool used = counts(x->state);
    int rc = subject_of(s->m, x->server_id, &subject, e);
    rc = rc || !used ? rc : read_facts(s->m, x, subject, &next, &shape, e);
    if (rc) {
        return rc;
    }
    bool found = subject->open.begin_event > 0;
    if (found && used && same(&subject->open, &next)) {
        return 0;
    }
    int64_t at_us = x->at_us;
    if (found && at_us < subject->open.begin_us) {
        log_warn("event before the interval it ends", "server=%s event=%lld back_us=%lld", x->server_id,
                 (long long)x->id, (long long)(subject->open.begin_us - at_us));
        at_us = subject->open.begin_us;
        s->clamped++;
    }
    bool on = found && used && goes_on(subject, &next, shape);
    next.begin_us = at_us;
    next.begin_event = x->id;
    next.run_us = on ? subject->open.run_us : at_us;
    rc = found ? end_running(s, subject, x, at_us, !on, e) : 0;
    if (rc) {
        return rc;
    }
    return used ? begin_running(s, subject, &next, shape, e) : forget_subject(s, subject, e);
}

static int take_batch(struct db_conn *c, void *arg, struct error *e)
{
    struct step *s = arg;
    int rc = 0;
    s->opened = s->closed = s->clamped = 0;
    if (s->tried) { /* the transaction is run again */
        intervals_forget(s->m);
    }
    s->tried = true;
    if (!s->m->memory) {
        s->m->memory = memory_new(sizeof(*s->m->memory));
    }
    for (size_t i = 0; !rc && i < s->count; i++) {
        rc = take(s, &s->events[i], e);
    }
    rc = rc ? rc
            : store_usage_advance(c, CURSOR, s->m->position, s->events[s->count - 1].id, (int64_t)s->clamped,
                                  clock_now_us(), e);
    if (rc) {
        intervals_forget(s->m);
    }
    return rc;
}

static int run_batch(void *arg, struct arena *a, bool *ret_more, struct error *e)
{
    struct intervals *m = arg;
    struct step s = {.m = m};
    struct usage_event *events = NULL;
    int rc = store_usage_cursor(m->conn, CURSOR, &m->position, e);
    rc = rc ? rc : store_usage_events(m->conn, m->position, m->batch, a, &events, &s.count, e);
    if (rc || s.count == 0) {
        *ret_more = false;
        m->newest = m->position;
        return rc;
    }
    s.events = events;
    rc = db_transact(m->conn, take_batch, &s, e);
    if (rc) {
        intervals_forget(m); /* the commit may have failed */
        return rc;
    }
    m->position = events[s.count - 1].id;
    m->events += s.count;
    m->opened += s.opened;
    m->closed += s.closed;
    m->clamped += s.clamped;
    *ret_more = true;
    return 0;
}

int intervals_position(struct intervals *m, struct error *e)
{
    return store_usage_cursor(m->conn, CURSOR, &m->position, e);
}

int intervals_run(struct intervals *m, struct error *e)
{
    return batches_run(run_batch, m, e);
}
