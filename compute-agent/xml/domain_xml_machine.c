/* What image and flavor say of the machine: firmware, processor, TPM, video, watchdog. */
#include "common/memory.h"
#include "common/model/machine.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_room.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include <stdlib.h>
#include <string.h>

/* What cannot be was refused by the API, or is older than its rules: then that part is as if it had not been said. */
void domain_xml_read_machine(const struct spec *spec, struct machine *ret)
{
    struct json_map none = {NULL, 0}, flavor = spec->flavor_extra;
    struct json_map image = spec->image ? spec->image->properties : none;
    const struct machine_wish wish = {
        .flavor = numa_wish_from_map, .image = numa_wish_from_map, .flavor_arg = &flavor, .image_arg = &image};
    machine_read(&wish, ret, NULL);
}

/* libvirt chooses the firmware by these words; what it writes to lies with the server's disks. */
static void domain_xml_firmware(xmlNodePtr os, const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr firmware = xml_add(os, "firmware");
    const char *enabled = m->secure_boot ? "yes" : "no";
    xml_set(xml_set(xml_add(firmware, "feature"), "enabled", enabled), "name", "enrolled-keys");
    xml_set(xml_set(xml_add(firmware, "feature"), "enabled", enabled), "name", "secure-boot");
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/" DOMAIN_XML_NVRAM, host->folder);
    xml_add_text(os, "nvram", path.data);
    strbuf_done(&path);
}

void domain_xml_os(xmlNodePtr domain, const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr os = xml_add(domain, "os");
    if (m->uefi)
        xml_set(os, "firmware", "efi");
    xmlNodePtr type = xml_add_text(os, "type", "hvm");
    xml_set(type, "arch", machine_is_arm(m) ? "aarch64" : "x86_64");
    xml_set(type, "machine", m->type ? m->type : machine_is_arm(m) ? "virt" : host->machine);
    if (m->uefi)
        domain_xml_firmware(os, host, m);
    xml_set(xml_add(os, "boot"), "dev", "hd");
    if (m->boot_menu)
        xml_set(xml_add(os, "bootmenu"), "enable", "yes");
    xml_set(xml_add(os, "smbios"), "mode", "sysinfo");
}

void domain_xml_features(xmlNodePtr domain, const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr features = xml_add(domain, "features");
    xml_add(features, "acpi");
    if (!machine_is_arm(m))
        xml_add(features, "apic");
    if (m->secure_boot) /* else the guest could write to the firmware's variables */
        xml_set(xml_add(features, "smm"), "state", "on");
    if (!host->kvm && host->tcg_cache_mib > 0)
        xml_set(xml_add_int(xml_add(features, "tcg"), "tb-cache", host->tcg_cache_mib), "unit", "MiB");
}

/* Memory can only be plugged into a cell. */
static void domain_xml_cell(xmlNodePtr cpu, const struct spec *spec, const struct domain_room *room)
{
    xmlNodePtr cell = xml_set(xml_add(xml_add(cpu, "numa"), "cell"), "id", "0");
    xml_setf(cell, "cpus", "0-%lld", (long long)room->max_vcpus - 1);
    xml_set(xml_setf(cell, "memory", "%lld", (long long)spec->memory_mib), "unit", "MiB");
}

static void domain_xml_cpu_set(xmlNodePtr cpu, const struct cpu_set *s, const char *policy)
{
    for (size_t i = 0; i < s->count; i++)
        xml_set(xml_set(xml_add(cpu, "feature"), "policy", policy), "name", s->names[i]);
}

/* Each feature is named once: the flags have the last word, then what the guest has not. */
static void domain_xml_cpu_features(xmlNodePtr cpu, const struct domain_xml_host *host)
{
    struct arena a;
    struct cpu_set on, off;
    arena_init(&a);
    cpu_flags_read(host->cpu_flags, &a, &on, &off);
    struct cpu_set said = cpu_set_either(&on, &off, &a), without = cpu_set_minus(&host->cpu_without, &said, &a);
    said = cpu_set_either(&said, &without, &a);
    struct cpu_set more = cpu_set_minus(&host->cpu_more, &said, &a);
    domain_xml_cpu_set(cpu, &more, "require");
    domain_xml_cpu_set(cpu, &without, "disable");
    domain_xml_cpu_set(cpu, &on, "require");
    on = cpu_set_minus(&off, &on, &a);
    domain_xml_cpu_set(cpu, &on, "disable");
    arena_done(&a);
}

void domain_xml_cpu(xmlNodePtr domain, const struct spec *spec, const struct domain_xml_host *host,
                    const struct domain_room *room, const struct machine *m)
{
    xmlNodePtr cpu = xml_add(domain, "cpu");
    const char *mode = host->cpu_mode ? host->cpu_mode : "auto";
    bool automatic = strcmp(mode, "auto") == 0;
    const char *emulated = machine_is_arm(m) ? DOMAIN_XML_TCG_ARM_MODEL : DOMAIN_XML_TCG_MODEL;
    const char *model = host->cpu_model ? host->cpu_model : emulated;
    bool whole = host->kvm && (strcmp(mode, "host-passthrough") == 0 || (automatic && !host->cpu_model));
    if (whole) {
        xml_set(xml_set(cpu, "mode", "host-passthrough"), "migratable", "on");
    } else if (host->kvm && strcmp(mode, "host-model") == 0) {
        xml_set(cpu, "mode", "host-model");
    } else {
        xml_set(xml_set(xml_set(cpu, "mode", "custom"), "match", "exact"), "check", "none");
        xml_set(xml_add_text(cpu, "model", model), "fallback", "allow");
        if (host->cpu_vendor)
            xml_add_text(cpu, "vendor", host->cpu_vendor);
    }
    domain_xml_shape(cpu, spec, room->max_vcpus);
    domain_xml_cpu_features(cpu, host);
    if (room->memory)
        domain_xml_cell(cpu, spec, room);
}

void domain_xml_tpm(xmlNodePtr devices, const struct machine *m)
{
    if (!m->tpm_version)
        return;
    xmlNodePtr backend = xml_add(xml_set(xml_add(devices, "tpm"), "model", m->tpm_model), "backend");
    xml_set(xml_set(backend, "type", "emulator"), "version", m->tpm_version);
}

void domain_xml_video(xmlNodePtr devices, const struct machine *m)
{
    xmlNodePtr model = xml_add(xml_add(devices, "video"), "model");
    xml_set(model, "type", m->video_model ? m->video_model : "virtio");
    if (!m->video_model || strcmp(m->video_model, "none") != 0)
        xml_set(model, "heads", "1");
}

void domain_xml_watchdog(xmlNodePtr devices, const struct machine *m)
{
    if (m->watchdog)
        xml_set(xml_set(xml_add(devices, "watchdog"), "model", "i6300esb"), "action", m->watchdog);
}
