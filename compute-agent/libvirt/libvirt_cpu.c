/* Which processors guests can have here: libvirt's host-model with all its features, the models of the settings, and
 * what several hosts have in common (virConnectBaselineHypervisorCPU). */
#include "common/json_out.h"
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/cpu_xml.h"
#include "compute-agent/xml/domain_xml.h"
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define CPU_MACHINE "q35"

static const char *type_of(const struct libvirt_call *c)
{
    return c->facts.kvm ? c->profile->accelerated_type : c->profile->virt_type;
}

/* What they have in common, or NULL. Caller frees. */
static char *join(const struct libvirt_call *c, virConnectPtr conn, const char **cpus, size_t count, unsigned flags)
{
    struct utsname kernel;
    uname(&kernel);
    return virConnectBaselineHypervisorCPU(conn, NULL, kernel.machine, CPU_MACHINE, type_of(c), cpus, (unsigned)count,
                                           flags);
}

/* All features of a processor; false: libvirt does not know it. */
static bool expand(const struct libvirt_call *c, virConnectPtr conn, const char *cpu, struct arena *a,
                   struct cpu_set *ret)
{
    struct cpu_xml x;
    char *text = join(c, conn, &cpu, 1, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
    bool good = text && cpu_xml_read(text, a, &x);
    free(text);
    if (good)
        *ret = x.has;
    return good;
}

static void read_model(struct libvirt_call *c, virConnectPtr conn, const char *name)
{
    struct libvirt_cpu *cpu = &c->cpu;
    struct cpu_model *m = &cpu->models[cpu->model_count];
    struct cpu_set all = {0};
    if (!expand(c, conn, cpu_xml_model(name, &cpu->arena), &cpu->arena, &all)) {
        log_error("libvirt does not know a model of cpu_models", "model=%s error=\"%s\"", name,
                  virGetLastErrorMessage());
        return;
    }
    struct cpu_set lacks = cpu_set_minus(&all, &cpu->host, &cpu->arena);
    if (lacks.count > 0 && guest_cpu_models(c->settings))
        log_debug("this host lacks features of a model", "model=%s features=\"%s\"", name,
                  cpu_set_text(&lacks, &cpu->arena));
    m->name = arena_strdup(&cpu->arena, name);
    m->gives = cpu_set_both(&all, &cpu->host, &cpu->arena);
    cpu->model_count++;
}

static void read_models(struct libvirt_call *c, virConnectPtr conn)
{
    const char *list = guest_cpu_models(c->settings);
    char *copy = arena_strdup(&c->cpu.arena, list ? list : DOMAIN_XML_TCG_MODEL), *rest = copy;
    c->cpu.models = arena_array(&c->cpu.arena, strlen(copy) + 1, sizeof(*c->cpu.models));
    for (char *name; (name = strsep(&rest, ", "));)
        if (*name)
            read_model(c, conn, name);
}

void libvirt_cpu_read(struct libvirt_call *c, virConnectPtr conn)
{
    struct libvirt_cpu *cpu = &c->cpu;
    struct utsname kernel;
    struct cpu_xml x;
    if (!c->profile->virt_type || uname(&kernel))
        return;
    char *text = virConnectGetDomainCapabilities(conn, NULL, kernel.machine, CPU_MACHINE, type_of(c), 0);
    cpu->description = cpu_xml_host_model(text, &cpu->arena);
    free(text);
    if (!cpu->description || !cpu_xml_read(cpu->description, &cpu->arena, &x) ||
        !expand(c, conn, cpu->description, &cpu->arena, &cpu->host)) {
        log_warn("the processor that guests can have is not known", "error=\"%s\"", virGetLastErrorMessage());
        return;
    }
    cpu->model = x.model;
    cpu->kind = arena_printf(&cpu->arena, "%s %s", kernel.machine, type_of(c));
    cpu->known = true;
    read_models(c, conn);
}

void libvirt_cpu_baseline(struct libvirt_call *c)
{
    struct cpu_xml x;
    struct cpu_set all;
    struct json_out o;
    char *text = join(c, c->conn, c->cpus, c->cpu_count, VIR_CONNECT_BASELINE_CPU_MIGRATABLE);
    if (!text) {
        libvirt_call_fail(c, "These processors have no baseline");
        return;
    }
    const char *description = arena_strdup(&c->arena, text);
    free(text);
    if (!cpu_xml_read(description, &c->arena, &x) || !expand(c, c->conn, description, &c->arena, &all)) {
        libvirt_call_fail(c, "The baseline cannot be read");
        return;
    }
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "model", x.model);
    json_out_text(&o, "description", description);
    cpu_set_write(&all, &o, "features");
    json_out_object_end(&o);
}

/* ---- on the loop ---- */

void libvirt_cpu_keep(struct libvirt *lv, struct libvirt_call *c)
{
    if (!c->cpu.known)
        return;
    arena_done(&lv->cpu.arena);
    lv->cpu = c->cpu;
    c->cpu = (struct libvirt_cpu){.known = false};
}

void libvirt_cpu_set_baseline(struct libvirt *lv, const struct guest_cpu_baseline *b)
{
    arena_done(&lv->baseline_arena);
    lv->baseline = (struct guest_cpu_baseline){.id = b->id,
                                               .description = arena_strdup(&lv->baseline_arena, b->description),
                                               .features = cpu_set_copy(&b->features, &lv->baseline_arena)};
}

struct guest_cpu_host libvirt_cpu_host(const struct libvirt_cpu *cpu, const struct guest_cpu_baseline *baseline,
                                       const struct settings *settings, bool kvm)
{
    return (struct guest_cpu_host){.settings = settings,
                                   .known = cpu->known,
                                   .kvm = kvm,
                                   .host = cpu->host,
                                   .models = cpu->models,
                                   .model_count = cpu->model_count,
                                   .baseline = baseline->id ? baseline : NULL};
}

void libvirt_cpu_choose(const struct libvirt *lv, const struct spec *spec, struct arena *a,
                        struct domain_xml_host *host)
{
    struct guest_cpu_host h = libvirt_cpu_host(&lv->cpu, &lv->baseline, lv->setup.settings, lv->facts.kvm);
    struct guest_cpu cpu;
    struct cpu_xml x;
    guest_cpu_choose(&h, spec, a, &cpu);
    host->cpu_mode = cpu.mode;
    host->cpu_model = cpu.model;
    host->cpu_more = cpu.more;
    host->cpu_without = cpu.without;
    if (!cpu.baseline)
        return;
    if (!cpu_xml_read(lv->baseline.description, a, &x)) {
        log_error("the baseline of the host's pool cannot be read", "server=%s", spec->id);
        host->cpu_mode = NULL;
        return;
    }
    host->cpu_model = x.model;
    host->cpu_vendor = x.vendor;
    host->cpu_more = x.has;
    host->cpu_without = cpu_set_either(&x.lacks, &cpu.without, a);
}
