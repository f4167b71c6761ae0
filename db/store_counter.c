/* Counters. A batch is one row: accepting it costs one insert however many servers it is about. Its body is packed
 * little-endian: per sample the id's length and bytes, then time and values, eight bytes each. The length's highest bit
 * says that nics follow: their number in a byte, then of each MAC and network as length and bytes, and two values. */
#include "db/store_counter.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *resource;
} kinds[COUNTER_COUNT] = {
    [COUNTER_CPU_NS] = {"cpu_ns", "cpu_seconds"},
    [COUNTER_DISK_READ_BYTES] = {"disk_read_bytes", "disk_read_gb"},
    [COUNTER_DISK_WRITE_BYTES] = {"disk_write_bytes", "disk_write_gb"},
    [COUNTER_DISK_READ_OPS] = {"disk_read_ops", "disk_read_requests"},
    [COUNTER_DISK_WRITE_OPS] = {"disk_write_ops", "disk_write_requests"},
    [COUNTER_NET_IN_BYTES] = {"net_in_bytes", "net_in_gb"},
    [COUNTER_NET_OUT_BYTES] = {"net_out_bytes", "net_out_gb"},
};

const char *store_counter_name(enum counter_kind kind)
{
    assert(kind < COUNTER_COUNT);
    return kinds[kind].name;
}

const char *store_counter_resource(enum counter_kind kind)
{
    assert(kind < COUNTER_COUNT);
    return kinds[kind].resource;
}

/* ---- batches ---- */

static void pack_number(struct strbuf *to, int64_t value)
{
    uint64_t bytes = htole64((uint64_t)value);
    strbuf_append(to, &bytes, sizeof(bytes));
}

static int64_t unpack_number(const unsigned char *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, sizeof(bytes));
    return (int64_t)le64toh(bytes);
}

#define NUMBERS   ((size_t)(1 + COUNTER_COUNT) * 8)
#define WITH_NICS 0x80

static void pack_text(struct strbuf *to, const char *text, unsigned flag)
{
    size_t size = strlen(text);
    strbuf_append_char(to, (char)(size | flag));
    strbuf_append(to, text, size);
}

static void pack(struct strbuf *to, const struct counter_sample *s)
{
    pack_text(to, s->server_id, s->nic_count > 0 ? WITH_NICS : 0);
    pack_number(to, s->at_us);
    for (int k = 0; k < COUNTER_COUNT; k++) {
        pack_number(to, s->value[k]);
    }
    if (s->nic_count > 0) {
        strbuf_append_char(to, (char)s->nic_count);
    }
    for (size_t i = 0; i < s->nic_count; i++) {
        pack_text(to, s->nics[i].mac, 0);
        pack_text(to, s->nics[i].network_id, 0);
        pack_number(to, s->nics[i].in_bytes);
        pack_number(to, s->nics[i].out_bytes);
    }
}

DB_STATEMENT(counter_accept,
             "INSERT INTO counter_batch (host_id, newest_us, received_us, body) VALUES ($1, $2, $3, $4) "
             "ON CONFLICT (host_id, newest_us) DO NOTHING");
int store_counter_accept(struct db_conn *c, const char *host_id, const struct counter_sample *samples, size_t count,
                         int64_t now_us, struct error *e)
{
    struct strbuf body;
    int64_t newest_us = INT64_MIN;
    if (count == 0) {
        return 0;
    }
    strbuf_init(&body, 0);
    for (size_t i = 0; i < count; i++) {
        assert(samples[i].nic_count <= COUNTER_NICS_MAX);
        pack(&body, &samples[i]);
        newest_us = samples[i].at_us > newest_us ? samples[i].at_us : newest_us;
    }
    int rc =
        body.error
            ? error_set(e, body.error, "too many samples in one report")
            : db_exec(c, &counter_accept, NULL, e,
                      DB_ARGS(db_text(host_id), db_int(newest_us), db_int(now_us), db_bytes(body.data, body.size)));
    strbuf_done(&body);
    return rc;
}

struct unpacking {
    const unsigned char *data;
    size_t size, at;
    struct arena *arena;
};

/* Text of a length that stands before it, into `room` bytes; the length's flag is taken off. */
static bool unpack_text(struct unpacking *u, char *ret, size_t room, bool *ret_flag)
{
    size_t length = u->at < u->size ? u->data[u->at] & ~(size_t)WITH_NICS : room;
    if (length >= room || u->size - u->at < 1 + length) {
        return false;
    }
    *ret_flag = u->data[u->at] & WITH_NICS;
    memset(ret, 0, room);
    memcpy(ret, u->data + u->at + 1, length);
    u->at += 1 + length;
    return true;
}

static bool unpack_numbers(struct unpacking *u, int64_t *ret, size_t count)
{
    if (u->size - u->at < 8 * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++, u->at += 8) {
        ret[i] = unpack_number(u->data + u->at);
    }
    return true;
}

static bool unpack_nics(struct unpacking *u, struct counter_sample *ret)
{
    size_t count = u->at < u->size ? u->data[u->at++] : 0;
    struct counter_nic *nics = arena_array(u->arena, count + 1, sizeof(*nics));
    bool good = count > 0 && count <= COUNTER_NICS_MAX, flag;
    for (size_t i = 0; i < count && good; i++) {
        int64_t bytes[2] = {0};
        good = unpack_text(u, nics[i].mac, sizeof(nics[i].mac), &flag) &&
               unpack_text(u, nics[i].network_id, sizeof(nics[i].network_id), &flag) && unpack_numbers(u, bytes, 2);
        nics[i].in_bytes = bytes[0];
        nics[i].out_bytes = bytes[1];
    }
    ret->nics = nics;
    ret->nic_count = count;
    return good;
}

static bool unpack(struct unpacking *u, struct counter_sample *ret)
{
    bool with_nics = false;
    *ret = (struct counter_sample){.at_us = 0};
    return unpack_text(u, ret->server_id, sizeof(ret->server_id), &with_nics) && unpack_numbers(u, &ret->at_us, 1) &&
           unpack_numbers(u, ret->value, COUNTER_COUNT) && (!with_nics || unpack_nics(u, ret));
}

static int unpack_all(const unsigned char *data, size_t size, struct arena *a, struct counter_batch *ret,
                      struct error *e)
{
    struct unpacking u = {data, size, 0, a};
    ret->samples = arena_array(a, size / (1 + NUMBERS) + 1, sizeof(*ret->samples));
    for (ret->count = 0; u.at < size; ret->count++) {
        if (!unpack(&u, &ret->samples[ret->count])) {
            return error_set(e, ERR_CORRUPT, "a batch of counters of host %s cannot be read", ret->host_id);
        }
    }
    return 0;
}

DB_STATEMENT(counter_batches,
             "SELECT host_id, newest_us, body FROM counter_batch ORDER BY host_id, newest_us LIMIT $1");
int store_counter_batches(struct db_conn *c, int64_t limit, struct arena *a, struct counter_batch **ret,
                          size_t *ret_count, struct error *e)
{
    struct counter_batch *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &counter_batches, &rows, e, DB_ARGS(db_int(limit)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        size_t size = 0;
        const unsigned char *data = db_get_bytes(&rows, 2, &size);
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count] = (struct counter_batch){.host_id = db_dup_text(&rows, 0, a), .newest_us = db_get_int(&rows, 1)};
        rc = unpack_all(data, size, a, &list[count++], e);
    }
    int end = db_rows_done(&rows, e);
    *ret = list;
    *ret_count = count;
    return rc ? rc : end;
}

DB_STATEMENT(counter_drop, "DELETE FROM counter_batch WHERE host_id = $1 AND newest_us = $2");
int store_counter_drop(struct db_conn *c, const struct counter_batch *batch, struct error *e)
{
    return db_exec(c, &counter_drop, NULL, e, DB_ARGS(db_text(batch->host_id), db_int(batch->newest_us)));
}

/* ---- streams and hours ---- */

#define VALUE_COLUMNS                                                                                                  \
    "cpu_ns, disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops, net_in_bytes, net_out_bytes"
#define VALUE_ARGS(v)                                                                                                  \
    db_int((v)[0]), db_int((v)[1]), db_int((v)[2]), db_int((v)[3]), db_int((v)[4]), db_int((v)[5]), db_int((v)[6])

/* "52:54:00:12:34:56 1000 2000;" of each nic: MAC, bytes in, bytes out. */
static void read_nics(struct counter_stream *s, const char *text)
{
    size_t count = 0;
    int size = 0;
    for (const char *at = text; *at; at++) {
        count += *at == ';';
    }
    s->nics = count > 0 ? memory_array(count, sizeof(*s->nics)) : NULL;
    while (s->nic_count < count &&
           sscanf(text, "%17s %" SCNd64 " %" SCNd64 ";%n", s->nics[s->nic_count].mac, &s->nics[s->nic_count].in_bytes,
                  &s->nics[s->nic_count].out_bytes, &size) == 3) {
        text += size;
        s->nic_count++;
    }
}

static void write_nics(const struct counter_stream *s, struct strbuf *to)
{
    for (size_t i = 0; i < s->nic_count; i++) {
        strbuf_appendf(to, "%s %" PRId64 " %" PRId64 ";", s->nics[i].mac, s->nics[i].in_bytes, s->nics[i].out_bytes);
    }
}

DB_STATEMENT(counter_stream,
             "SELECT at_us, " VALUE_COLUMNS ", nics FROM counter_stream WHERE subject_no = $1 AND host_no = $2");
int store_counter_stream(struct db_conn *c, int64_t subject_no, int64_t host_no, struct counter_stream *ret,
                         bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &counter_stream, &rows, e, DB_ARGS(db_int(subject_no), db_int(host_no)));
    if (rc) {
        return rc;
    }
    *ret_found = db_next(&rows);
    *ret = (struct counter_stream){.subject_no = subject_no, .host_no = host_no};
    if (*ret_found) {
        ret->at_us = db_get_int(&rows, 0);
        for (int k = 0; k < COUNTER_COUNT; k++) {
            ret->value[k] = db_get_int(&rows, k + 1);
        }
        read_nics(ret, db_get_text(&rows, COUNTER_COUNT + 1));
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(counter_stream_put,
             "INSERT INTO counter_stream (subject_no, host_no, at_us, " VALUE_COLUMNS
             ", nics) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (subject_no, host_no) DO "
             "UPDATE SET at_us = excluded.at_us, "
             "cpu_ns = excluded.cpu_ns, disk_read_bytes = excluded.disk_read_bytes, "
             "disk_write_bytes = excluded.disk_write_bytes, disk_read_ops = excluded.disk_read_ops, "
             "disk_write_ops = excluded.disk_write_ops, net_in_bytes = excluded.net_in_bytes, "
             "net_out_bytes = excluded.net_out_bytes, nics = excluded.nics");
int store_counter_stream_put(struct db_conn *c, const struct counter_stream *s, struct error *e)
{
    struct strbuf nics;
    strbuf_init(&nics, 0);
    write_nics(s, &nics);
    int rc = db_exec(
        c, &counter_stream_put, NULL, e,
        DB_ARGS(db_int(s->subject_no), db_int(s->host_no), db_int(s->at_us), VALUE_ARGS(s->value), db_text(nics.data)));
    strbuf_done(&nics);
    return rc;
}

#define GROWN(column) #column " = usage_counter." #column " + excluded." #column
DB_STATEMENT(
    counter_add,
    "INSERT INTO usage_counter (project_no, hour_us, generation, subject_no, shape_no, host_no, " VALUE_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (project_no, hour_us, "
    "generation, subject_no, shape_no, host_no) DO UPDATE SET " GROWN(cpu_ns) ", " GROWN(disk_read_bytes) ", " GROWN(
        disk_write_bytes) ", " GROWN(disk_read_ops) ", " GROWN(disk_write_ops) ", " GROWN(net_in_bytes) ", " GROWN(net_out_bytes));
int store_counter_add(struct db_conn *c, const struct counter_hour *h, struct error *e)
{
    return db_exec(c, &counter_add, NULL, e,
                   DB_ARGS(db_int(h->project_no), db_int(h->hour_us), db_int(h->generation), db_int(h->subject_no),
                           db_int(h->shape_no), db_int(h->host_no), VALUE_ARGS(h->used)));
}

DB_STATEMENT(counter_each, "SELECT hour_us, generation, subject_no, shape_no, host_no, " VALUE_COLUMNS
                           " FROM usage_counter WHERE project_no = $1 AND hour_us >= $2 AND hour_us < $3 AND "
                           "generation <= $4");
int store_counter_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                       counter_hour_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &counter_each, &rows, e,
                      DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(generation)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct counter_hour h = {.project_no = project_no,
                                 .hour_us = db_get_int(&rows, 0),
                                 .generation = db_get_int(&rows, 1),
                                 .subject_no = db_get_int(&rows, 2),
                                 .shape_no = db_get_int(&rows, 3),
                                 .host_no = db_get_int(&rows, 4)};
        for (int k = 0; k < COUNTER_COUNT; k++) {
            h.used[k] = db_get_int(&rows, 5 + k);
        }
        rc = fn(arg, &h, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(counter_changed, "SELECT count(*) FROM usage_counter WHERE project_no = $1 AND hour_us >= $2 AND "
                              "hour_us < $3 AND generation > $4");
int store_counter_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                          bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &counter_changed, &count, e,
                          DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(generation)));
    if (!rc) {
        *ret = count > 0;
    }
    return rc;
}
