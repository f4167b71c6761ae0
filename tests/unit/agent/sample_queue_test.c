/* The queue of samples: whatever is merged, sent again or dropped, the API can add up the same increases. */
#include "compute-agent/sample_queue.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <string.h>

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

/* One nic's traffic as the meter counts it. */
static uint64_t told_of(struct sample_queue *q, const char *mac)
{
    uint64_t last = 0, total = 0;
    for (size_t i = 0; i < q->count; i++) {
        const struct hypervisor_sample *s = &q->items[i].sample;
        for (size_t k = 0; k < s->nic_count; k++) {
            if (strcmp(s->nics[k].mac, mac) == 0) {
                total += s->nics[k].in_bytes < last ? s->nics[k].in_bytes : s->nics[k].in_bytes - last;
                last = s->nics[k].in_bytes;
            }
        }
    }
    return total;
}

static void add_nics(struct sample_queue *q, int64_t at_us, uint64_t first, uint64_t second)
{
    struct hypervisor_nic nics[2] = {{.mac = "fa:16:3e:00:00:01", .network_id = "red", .in_bytes = first},
                                     {.mac = "fa:16:3e:00:00:02", .network_id = "blue", .in_bytes = second}};
    struct hypervisor_sample s = {.server_id = "a", .at_us = at_us, .nics = nics, .nic_count = second > 0 ? 2 : 1};
    sample_queue_add(q, &s, 1);
}

TEST("a nic that is unplugged, and plugged again, loses nothing while nobody listens")
{
    struct sample_queue q = {0};
    add_nics(&q, 1, 10, 10);
    add_nics(&q, 2, 20, 30);
    add_nics(&q, 3, 30, 70);
    add_nics(&q, 4, 40, 0); /* unplugged */
    add_nics(&q, 5, 50, 0);
    add_nics(&q, 6, 60, 5); /* plugged again */
    add_nics(&q, 7, 70, 8);
    CHECK_INT(told_of(&q, "fa:16:3e:00:00:01"), 70);
    CHECK_INT(told_of(&q, "fa:16:3e:00:00:02"), 78);
    CHECK(q.count < 7);
    const struct hypervisor_nic *nic = sample_queue_nic(&q, "a", "fa:16:3e:00:00:02");
    CHECK(nic && strcmp(nic->network_id, "blue") == 0);
    CHECK(!sample_queue_nic(&q, "a", "fa:16:3e:00:00:03") && !sample_queue_nic(&q, "b", "fa:16:3e:00:00:02"));
    sample_queue_done(&q);
}

TEST("nics are told with their networks")
{
    struct sample_queue q = {0};
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    add_nics(&q, 1, 10, 11);
    json_out_object(&out, NULL);
    sample_queue_print(&q, 9, &out);
    json_out_object_end(&out);
    CHECK(strstr(text.data, "{\"mac\":\"fa:16:3e:00:00:02\",\"network_id\":\"blue\",\"in_bytes\":11,\"out_bytes\":0}"));
    sample_queue_end(&q, true);
    strbuf_done(&text);
    sample_queue_done(&q);
}

TEST("what people look at and nobody pays for is not told")
{
    struct sample_queue q = {0};
    struct hypervisor_sample s = {.server_id = "a", .at_us = 1, .cpu_ns = 5};
    struct strbuf text;
    struct json_out out;
    for (int i = 0; i < HYPERVISOR_FIGURES; i++) {
        s.figures[i] = 7777777;
    }
    sample_queue_add(&q, &s, 1);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    sample_queue_print(&q, 9, &out);
    json_out_object_end(&out);
    CHECK(strstr(text.data, "\"cpu_ns\":5"));
    CHECK(!strstr(text.data, "7777777"));
    strbuf_done(&text);
    sample_queue_done(&q);
}
