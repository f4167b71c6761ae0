/* The queue of samples: an array, looked through from its end. */
#include "compute-agent/sample_queue.h"
#include "common/log.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

#define HOUR_US ((int64_t)3600000000)

static bool went_back(const struct hypervisor_sample *before, const struct hypervisor_sample *now)
{
    return now->cpu_ns < before->cpu_ns || now->disk_read_bytes < before->disk_read_bytes ||
           now->disk_write_bytes < before->disk_write_bytes || now->disk_read_ops < before->disk_read_ops ||
           now->disk_write_ops < before->disk_write_ops || now->net_in_bytes < before->net_in_bytes ||
           now->net_out_bytes < before->net_out_bytes;
}

/* The newest sample of that server that is not under way, or NULL. */
static struct sample_queue_item *waiting(struct sample_queue *q, const char *server_id)
{
    for (size_t i = q->count; i > q->sent; i--) {
        if (strcmp(q->items[i - 1].sample.server_id, server_id) == 0) {
            return &q->items[i - 1];
        }
    }
    return NULL;
}

/* Whether the counters began again with this sample, as far as is known. */
static bool begins(const struct sample_queue *q, const struct hypervisor_sample *s)
{
    for (size_t i = 0; i < q->last_count; i++) {
        if (strcmp(q->last[i].server_id, s->server_id) == 0) {
            return went_back(&q->last[i], s);
        }
    }
    return true;
}

static void append(struct sample_queue *q, const struct hypervisor_sample *s, bool first)
{
    if (q->count - q->sent >= SAMPLE_QUEUE_MAX) {
        log_warn("samples given up: too many wait", "server=%s", q->items[q->sent].sample.server_id);
        memmove(&q->items[q->sent], &q->items[q->sent + 1], (q->count - q->sent - 1) * sizeof(*q->items));
        q->count--;
    }
    if (q->count == q->room) {
        q->room = q->room > 0 ? q->room * 2 : 16;
        q->items = memory_resize(q->items, q->room * sizeof(*q->items));
    }
    q->items[q->count++] = (struct sample_queue_item){*s, first};
}

void sample_queue_add(struct sample_queue *q, const struct hypervisor_sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct hypervisor_sample *s = &samples[i];
        struct sample_queue_item *before = waiting(q, s->server_id);
        bool first = begins(q, s);
        if (before && !before->begins && !first && before->sample.at_us / HOUR_US == s->at_us / HOUR_US) {
            before->sample = *s;
        } else {
            append(q, s, first);
        }
    }
    q->last = memory_resize(q->last, (count + 1) * sizeof(*q->last));
    memcpy(q->last, samples, count * sizeof(*samples));
    q->last_count = count;
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
        memmove(q->items, q->items + q->sent, (q->count - q->sent) * sizeof(*q->items));
        q->count -= q->sent;
    }
    q->sent = 0;
}

void sample_queue_done(struct sample_queue *q)
{
    free(q->items);
    free(q->last);
    *q = (struct sample_queue){0};
}
