/* The queue of samples: whatever is merged, sent again or dropped, the API can add up the same increases. */
#include "compute-agent/sample_queue.h"
#include "tests/unit/check.h"
#include <stdlib.h>

#define HOUR ((int64_t)3600000000)
#define FEW  4

/* What the meter makes of a stream: the increase, or all of it after a restart. */
struct meter {
    int64_t at_us[FEW];
    uint64_t last[FEW], total[FEW], by_hour[FEW][8];
};

static void tell(struct meter *m, const struct hypervisor_sample *s)
{
    int server = s->server_id[0] - 'a';
    if (s->at_us <= m->at_us[server]) {
        return; /* a repeat */
    }
    uint64_t grown = s->cpu_ns >= m->last[server] ? s->cpu_ns - m->last[server] : s->cpu_ns;
    m->at_us[server] = s->at_us;
    m->last[server] = s->cpu_ns;
    m->total[server] += grown;
    m->by_hour[server][s->at_us / HOUR] += grown;
}

/* Prints at most `limit`, and tells the meter what was printed. */
static void deliver(struct sample_queue *q, struct meter *m, size_t limit, bool lost, bool answer_lost)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    sample_queue_print(q, limit, &out);
    json_out_object_end(&out);
    CHECK_INT(json_out_error(&out), 0);
    for (size_t i = 0; i < q->sent && !lost; i++) {
        tell(m, &q->items[i].sample);
    }
    sample_queue_end(q, !lost && !answer_lost);
    strbuf_done(&text);
}

TEST("whatever is lost and merged on the way, every increase arrives in its hour")
{
    unsigned seed = 21;
    for (int round = 0; round < 300; round++) {
        struct sample_queue q = {0};
        struct meter whole = {0}, told = {0};
        uint64_t now[FEW] = {0};
        int64_t at_us = 1;
        while ((at_us += rand_r(&seed) % (HOUR / 20)) < 8 * HOUR) {
            struct hypervisor_sample samples[FEW] = {0};
            for (int i = 0; i < FEW; i++) {
                now[i] = (rand_r(&seed) % 20 == 0 ? 0 : now[i]) + (uint64_t)rand_r(&seed) % 1000;
                samples[i] =
                    (struct hypervisor_sample){.server_id = {(char)('a' + i), '\0'}, .at_us = at_us, .cpu_ns = now[i]};
                tell(&whole, &samples[i]);
            }
            sample_queue_add(&q, samples, FEW);
            if (rand_r(&seed) % 6 == 0) {
                deliver(&q, &told, 1 + (size_t)rand_r(&seed) % 9, rand_r(&seed) % 3 == 0, rand_r(&seed) % 3 == 0);
            }
        }
        while (q.count > 0) {
            deliver(&q, &told, 7, false, false);
        }
        for (int i = 0; i < FEW; i++) {
            CHECK_INT(told.total[i], whole.total[i]);
            for (int hour = 0; hour < 8; hour++) {
                CHECK_INT(told.by_hour[i][hour], whole.by_hour[i][hour]);
            }
        }
        sample_queue_done(&q);
    }
}

TEST("while nobody listens a server costs one sample an hour")
{
    struct sample_queue q = {0};
    for (int64_t at_us = 1; at_us < 5 * HOUR; at_us += 10000000) {
        struct hypervisor_sample s = {.server_id = "a", .at_us = at_us, .cpu_ns = (uint64_t)at_us};
        sample_queue_add(&q, &s, 1);
    }
    CHECK_INT(q.count, 6); /* and the first of all */
    sample_queue_done(&q);
}
