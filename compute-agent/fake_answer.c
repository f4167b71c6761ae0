/* What a fake host tells: its domains, counters that grow with time, texts. */
#include "common/clock.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "common/model/resize.h"
#include "compute-agent/fake_internal.h"
#include <stdlib.h>
#include <string.h>

#define FAKE_NS_PER_VCPU_US 100 /* a fake guest keeps a tenth of a processor busy */

void fake_end_list(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct hypervisor_list list = {.result = *result};
    struct hypervisor_found *servers = memory_array(f->guests.count + 1, sizeof(*servers));
    const char **networks = memory_array(f->networks.count + 1, sizeof(*networks));
    size_t at = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        struct hypervisor_found *found = &servers[list.server_count++];
        memcpy(found->server_id, g->id, UUID_SIZE);
        found->domain = g->domain;
        found->traces = g->traces;
    }
    at = 0;
    for (struct fake_network *n; (n = idmap_next(&f->networks, &at));)
        networks[list.network_count++] = n->id;
    list.servers = servers;
    list.networks = networks;
    c->list(c->arg, &list);
    free(servers);
    free(networks);
}

static uint64_t fake_ran_us(const struct fake_guest *g)
{
    return (uint64_t)(g->ran_us + (g->domain == HYPERVISOR_RUNNING ? clock_now_us() - g->since_us : 0));
}

/* A fake guest waits a hundredth of its time; its driver says nothing of swap. */
static void fake_tell_figures(const struct fake_guest *g, uint64_t ran_us, int64_t ret[HYPERVISOR_FIGURES])
{
    for (int i = 0; i < HYPERVISOR_FIGURES; i++)
        ret[i] = HYPERVISOR_UNTOLD;
    ret[HYPERVISOR_STEAL_NS] = (int64_t)ran_us * 10;
    ret[HYPERVISOR_MEMORY_MAX_KIB] = 131072;
    ret[HYPERVISOR_BALLOON_KIB] = g->domain == HYPERVISOR_RUNNING ? 98304 : 0;
}

void fake_end_samples(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct hypervisor_sample *samples = memory_array(f->guests.count + 1, sizeof(*samples));
    struct hypervisor_nic *nics = memory_array(f->guests.count + 1, sizeof(*nics));
    size_t at = 0, count = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        uint64_t ran_us = fake_ran_us(g);
        struct hypervisor_sample *s = &samples[count++];
        memcpy(s->server_id, g->id, UUID_SIZE);
        s->at_us = clock_now_us();
        s->cpu_ns = ran_us * FAKE_NS_PER_VCPU_US;
        s->disk_read_bytes = ran_us / 100;
        s->disk_write_bytes = ran_us / 50;
        s->disk_read_ops = s->disk_read_bytes / 4096;
        s->disk_write_ops = s->disk_write_bytes / 4096;
        s->net_in_bytes = ran_us / 200;
        s->net_out_bytes = ran_us / 400;
        nics[count - 1] = (struct hypervisor_nic){.in_bytes = s->net_in_bytes, .out_bytes = s->net_out_bytes};
        s->nics = &nics[count - 1];
        s->nic_count = 1;
        fake_tell_figures(g, ran_us, s->figures);
        s->memory_rss_kib = g->domain == HYPERVISOR_RUNNING ? 65536 : 0;
    }
    c->samples(c->arg, result, samples, count);
    free(samples);
    free(nics);
}

void fake_end_baseline(struct fake_call *c, const struct hypervisor_result *result)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_text(&o, "model", "fake");
    json_out_text(&o, "description", cpu_set_text(&c->common, &c->arena));
    cpu_set_write(&c->common, &o, "features");
    json_out_object_end(&o);
    c->text(c->arg, result, result->code ? "" : text.data, result->code ? 0 : text.size);
    strbuf_done(&text);
}

static void fake_print_trait(void *arg, const char *trait)
{
    json_out_text(arg, NULL, trait);
}

/* Traits and the processor that guests can have: all of it, or the baseline. */
static void fake_print_cpu(const struct fake *f, struct json_out *o)
{
    struct arena a;
    struct cpu_set none;
    struct guest_cpu_host h = {.settings = f->setup.settings, .known = f->setup.cpu != NULL, .kvm = true};
    arena_init(&a);
    cpu_flags_read(f->setup.cpu, &a, &h.host, &none);
    h.baseline = f->baseline.id ? &f->baseline : NULL;
    json_out_array(o, "traits");
    json_out_text(o, NULL, "CUSTOM_CLONE");
    json_out_text(o, NULL, "CUSTOM_FLATTEN");
    json_out_text(o, NULL, RESIZE_LIVE_TRAIT);
    json_out_text(o, NULL, RESIZE_DISK_TRAIT);
    guest_cpu_each_trait(&h, fake_print_trait, o);
    json_out_array_end(o);
    guest_cpu_print(&h, "x86_64 fake", "fake", f->setup.cpu, o);
    arena_done(&a);
}

static void fake_print_inventory(const struct fake *f, struct strbuf *to)
{
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_text(&o, "hypervisor", "fake");
    json_out_int(&o, "hypervisor_version", 1000000);
    json_out_text(&o, "architecture", "x86_64");
    json_out_text(&o, "address", f->setup.address ? f->setup.address : "127.0.0.1");
    json_out_int(&o, "vcpus", f->setup.vcpus);
    json_out_int(&o, "memory_mib", f->setup.memory_mib);
    json_out_int(&o, "disk_gib", f->setup.disk_gib);
    json_out_int(&o, "reserved_vcpus", f->setup.reserved_vcpus);
    json_out_int(&o, "reserved_memory_mib", f->setup.reserved_memory_mib);
    json_out_int(&o, "reserved_disk_gib", f->setup.reserved_disk_gib);
    json_out_object(&o, "cpu");
    json_out_text(&o, "model", "fake");
    json_out_object_end(&o);
    fake_print_cpu(f, &o);
    json_out_raw(&o, "topology", f->setup.topology ? f->setup.topology : "{}");
    if (f->setup.storage)
        json_out_text(&o, "storage", f->setup.storage);
    json_out_object_end(&o);
}

static void fake_print_console(const struct fake *f, const struct fake_call *c, struct strbuf *to)
{
    static const char *const boot[] = {"A guest that is not there", "takes no time to boot",
                                       "and says no more than this"};
    const int64_t count = sizeof(boot) / sizeof(boot[0]);
    const struct fake_guest *g = idmap_get(&f->guests, c->id);
    if (!g || g->domain == HYPERVISOR_ABSENT || c->lines == 0)
        return;
    for (int64_t i = c->lines < 0 || c->lines > count ? 0 : count + 1 - c->lines; i < count; i++)
        strbuf_appendf(to, "%s\n", boot[i]);
    strbuf_appendf(to, "BOOT OK %s (fake)\n", g->name[0] ? g->name : g->id);
}

static void fake_print_diagnostics(const struct fake *f, const struct fake_call *c, struct strbuf *to)
{
    const struct fake_guest *g = idmap_get(&f->guests, c->id);
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_text(&o, "state", hypervisor_domain_name(g ? g->domain : HYPERVISOR_ABSENT));
    json_out_text(&o, "driver", "libvirt"); /* which it plays; the API has a fixed list of names */
    json_out_uint(&o, "uptime_s", g ? fake_ran_us(g) / 1000000 : 0);
    json_out_object_end(&o);
}

void fake_end_move(struct fake_call *c, const struct hypervisor_result *result)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    if (c->move->kind == HYPERVISOR_MOVE_SNAPSHOT && !result->code) {
        json_out_init(&o, &text);
        json_out_object(&o, NULL);
        json_out_textf(&o, "data", "The disk of %s, which is not there\n", c->id);
        json_out_text(&o, "format", "raw");
        json_out_object_end(&o);
    } else if (c->move->kind == HYPERVISOR_MOVE_ADOPT && !result->code) {
        json_out_init(&o, &text);
        json_out_object(&o, NULL);
        json_out_bool(&o, "disks", true); /* wherever they are looked for */
        json_out_object_end(&o);
    }
    c->text(c->arg, result, text.data, text.size);
    strbuf_done(&text);
}

void fake_end_text(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    if (c->kind == FAKE_INVENTORY)
        fake_print_inventory(f, &text);
    else if (c->kind == FAKE_CONSOLE)
        fake_print_console(f, c, &text);
    else
        fake_print_diagnostics(f, c, &text);
    c->text(c->arg, result, text.data, text.size);
    strbuf_done(&text);
}
