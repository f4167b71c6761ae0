/* The queue of samples: an array, and for each round that comes a map of what waits. */
#include "compute-agent/sample_queue.h"
#include "common/log.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

#define HOUR_US ((int64_t)3600000000)

static const struct hypervisor_nic *nic_of(const struct hypervisor_sample *s, const char *mac)
{
    for (size_t i = 0; i < s->nic_count; i++) {
        if (strcmp(s->nics[i].mac, mac) == 0) {
            return &s->nics[i];
        }
    }
    return NULL;
}

/* Whether a nic that counted is gone, began again, or is on another network. */
static bool nics_differ(const struct hypervisor_sample *before, const struct hypervisor_sample *now)
{
    for (size_t i = 0; i < before->nic_count; i++) {
        const struct hypervisor_nic *was = &before->nics[i], *is = nic_of(now, was->mac);
        if (!is || is->in_bytes < was->in_bytes || is->out_bytes < was->out_bytes ||
            strcmp(is->network_id, was->network_id) != 0) {
            return true;
        }
    }
    return false;
}

static bool went_back(const struct hypervisor_sample *before, const struct hypervisor_sample *now)
{
    return nics_differ(before, now) || now->cpu_ns < before->cpu_ns || now->disk_read_bytes < before->disk_read_bytes ||
           now->disk_write_bytes < before->disk_write_bytes || now->disk_read_ops < before->disk_read_ops ||
           now->disk_write_ops < before->disk_write_ops || now->net_in_bytes < before->net_in_bytes ||
           now->net_out_bytes < before->net_out_bytes;
}

static struct hypervisor_sample copy(const struct hypervisor_sample *s)
{
    struct hypervisor_sample c = *s;
    c.nics = s->nic_count > 0 ? memory_array(s->nic_count, sizeof(*c.nics)) : NULL;
    if (c.nics) {
        memcpy(c.nics, s->nics, s->nic_count * sizeof(*c.nics));
    }
    return c;
}

/* Whether the counters began again with this sample, as far as is known. */
static bool begins(const struct sample_queue *q, const struct hypervisor_sample *s)
{
    const struct hypervisor_sample *before = idmap_get(&q->last_of, s->server_id);
    return !before || went_back(before, s);
}

/* How many were given up for it. */
static size_t append(struct sample_queue *q, const struct hypervisor_sample *s, bool first)
{
    size_t gone = 0;
    if (q->count - q->sent >= SAMPLE_QUEUE_MAX) {
        log_warn("samples given up: too many wait", "server=%s", q->items[q->sent].sample.server_id);
        free(q->items[q->sent].sample.nics);
        memmove(&q->items[q->sent], &q->items[q->sent + 1], (q->count - q->sent - 1) * sizeof(*q->items));
        q->count--;
        gone++;
    }
    if (q->count == q->room) {
        q->room = q->room > 0 ? q->room * 2 : 16;
        q->items = memory_resize(q->items, q->room * sizeof(*q->items));
    }
    q->items[q->count++] = (struct sample_queue_item){copy(s), first};
    return gone;
}

static void forget_last(struct sample_queue *q)
{
    for (size_t i = 0; i < q->last_count; i++) {
        free(q->last[i].nics);
    }
    q->last_count = 0;
    idmap_done(&q->last_of);
    idmap_init(&q->last_of);
}

/* ---- adding a round ---- */

/* Where the newest sample of a server waits that is not under way: its place in the queue plus one as it was when the
 * round began to be added, 0 for none. */
struct place {
    size_t at;
};

/* By server of the round; the map's keys are the round's. */
static struct place *find_places(const struct sample_queue *q, const struct hypervisor_sample *samples, size_t count,
                                 struct idmap *ret)
{
    struct place *places = memory_array(count + 1, sizeof(*places));
    idmap_init(ret);
    for (size_t i = 0; i < count; i++) {
        places[i].at = 0;
        if (!idmap_get(ret, samples[i].server_id)) {
            idmap_put(ret, samples[i].server_id, &places[i]);
        }
    }
    for (size_t i = q->sent; i < q->count; i++) {
        struct place *place = idmap_get(ret, q->items[i].sample.server_id);
        if (place) {
            place->at = i + 1;
        }
    }
    return places;
}

static void keep_last(struct sample_queue *q, const struct hypervisor_sample *samples, size_t count)
{
    forget_last(q);
    q->last = memory_resize(q->last, (count + 1) * sizeof(*q->last));
    for (size_t i = 0; i < count; i++) {
        q->last[i] = copy(&samples[i]);
        idmap_remove(&q->last_of, q->last[i].server_id);
        idmap_put(&q->last_of, q->last[i].server_id, &q->last[i]);
    }
    q->last_count = count;
}

void sample_queue_add(struct sample_queue *q, const struct hypervisor_sample *samples, size_t count)
{
    struct idmap by_server;
    struct place *places = find_places(q, samples, count, &by_server);
    size_t gone = 0; /* given up meanwhile: all others stand nearer to the front */
    for (size_t i = 0; i < count; i++) {
        const struct hypervisor_sample *s = &samples[i];
        struct place *place = idmap_get(&by_server, s->server_id);
        struct sample_queue_item *before = place->at > q->sent + gone ? &q->items[place->at - 1 - gone] : NULL;
        bool first = begins(q, s);
        if (before && !before->begins && !first && before->sample.at_us / HOUR_US == s->at_us / HOUR_US) {
            free(before->sample.nics);
            before->sample = copy(s);
        } else {
            gone += append(q, s, first);
            place->at = q->count + gone;
        }
    }
    keep_last(q, samples, count);
    idmap_done(&by_server);
    free(places);
}

const struct hypervisor_nic *sample_queue_nic(const struct sample_queue *q, const char *server_id, const char *mac)
{
    const struct hypervisor_sample *last = idmap_get(&q->last_of, server_id);
    return last ? nic_of(last, mac) : NULL;
}

static void print_nics(struct json_out *o, const struct hypervisor_sample *s)
{
    json_out_array(o, "nics");
    for (size_t i = 0; i < s->nic_count; i++) {
        json_out_object(o, NULL);
        json_out_text(o, "mac", s->nics[i].mac);
        json_out_text(o, "network_id", *s->nics[i].network_id ? s->nics[i].network_id : NULL);
        json_out_uint(o, "in_bytes", s->nics[i].in_bytes);
        json_out_uint(o, "out_bytes", s->nics[i].out_bytes);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void print_one(struct json_out *o, const struct hypervisor_sample *s)
{
    json_out_object(o, NULL);
    json_out_int(o, "at_us", s->at_us);
    json_out_text(o, "server_id", s->server_id);
    json_out_uint(o, "cpu_ns", s->cpu_ns);
    json_out_uint(o, "disk_read_bytes", s->disk_read_bytes);
    json_out_uint(o, "disk_write_bytes", s->disk_write_bytes);
    json_out_uint(o, "disk_read_ops", s->disk_read_ops);
    json_out_uint(o, "disk_write_ops", s->disk_write_ops);
    json_out_uint(o, "net_in_bytes", s->net_in_bytes);
    json_out_uint(o, "net_out_bytes", s->net_out_bytes);
    json_out_uint(o, "memory_rss_kib", s->memory_rss_kib);
    if (s->nic_count > 0) {
        print_nics(o, s);
    }
    json_out_object_end(o);
}

void sample_queue_print(struct sample_queue *q, size_t limit, struct json_out *o)
{
    q->sent = q->count < limit ? q->count : limit;
    if (q->sent == 0) {
        return;
    }
    json_out_array(o, "samples");
    for (size_t i = 0; i < q->sent; i++) {
        print_one(o, &q->items[i].sample);
    }
    json_out_array_end(o);
}

void sample_queue_end(struct sample_queue *q, bool taken)
{
    if (taken && q->sent > 0) {
        for (size_t i = 0; i < q->sent; i++) {
            free(q->items[i].sample.nics);
        }
        memmove(q->items, q->items + q->sent, (q->count - q->sent) * sizeof(*q->items));
        q->count -= q->sent;
    }
    q->sent = 0;
}

void sample_queue_done(struct sample_queue *q)
{
    for (size_t i = 0; i < q->count; i++) {
        free(q->items[i].sample.nics);
    }
    forget_last(q);
    idmap_done(&q->last_of);
    free(q->items);
    free(q->last);
    *q = (struct sample_queue){0};
}
