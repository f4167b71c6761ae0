/* What the host has, on a worker: processors from libvirt, memory from the kernel (libvirt's own figure is wrong in
 * some containers), disk from the file system of the instances. */
#include "common/file.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "common/model/machine.h"
#include "compute-agent/cells.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/nested.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/adopt.h"
#include "compute-agent/xml/topology_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

static int64_t libvirt_inventory_memory_mib(void)
{
    struct strbuf text;
    int64_t kib = 0;
    strbuf_init(&text, 0);
    if (file_read("/proc/meminfo", &text, NULL) == 0) {
        const char *at = strstr(text.data, "MemTotal:");
        kib = at ? strtoll(at + strlen("MemTotal:"), NULL, 10) : 0;
    }
    strbuf_done(&text);
    return kib / 1024;
}

/* Where a hypervisor below this kernel has the memory: all of it but the part that this kernel was given. */
static int64_t libvirt_inventory_machine_mib(virConnectPtr conn, const virNodeInfo *node)
{
    virDomainInfo own = {0};
    virDomainPtr domain = virDomainLookupByID(conn, 0);
    if (domain)
        virDomainGetInfo(domain, &own);
    if (domain)
        virDomainFree(domain);
    return (int64_t)(node->memory - (own.memory < node->memory ? own.memory : node->memory)) / 1024;
}

static int64_t libvirt_inventory_disk_gib(const char *folder)
{
    struct statvfs fs;
    return statvfs(folder, &fs) ? 0 : (int64_t)((uint64_t)fs.f_blocks * fs.f_frsize / (uint64_t)GIB);
}

static int64_t libvirt_inventory_store_gib(const struct libvirt_call *c)
{
    virStoragePoolInfo info = {0};
    virStoragePoolPtr pool = c->facts.datastore ? virStoragePoolLookupByName(c->conn, c->facts.datastore) : NULL;
    if (pool)
        virStoragePoolGetInfo(pool, &info);
    if (pool)
        virStoragePoolFree(pool);
    return (int64_t)(info.capacity / (unsigned long long)GIB);
}

static void libvirt_inventory_copy(struct json_out *o, const char *key, char *text)
{
    json_out_text(o, key, text);
    free(text);
}

static void libvirt_inventory_number(struct json_out *o, const char *key, char *text)
{
    json_out_int(o, key, text ? strtoll(text, NULL, 10) : 1);
    free(text);
}

static void libvirt_inventory_print_cpu(struct json_out *o, const char *capabilities, int32_t cells)
{
    xmlDocPtr doc = capabilities ? xml_parse(capabilities, NULL) : NULL;
    xmlNodePtr cpu = doc ? xml_path(xmlDocGetRootElement(doc), "host", "cpu", NULL) : NULL;
    xmlNodePtr topology = xml_first(cpu, "topology");
    json_out_object(o, "cpu");
    libvirt_inventory_copy(o, "arch", xml_get_text(xml_first(cpu, "arch")));
    libvirt_inventory_copy(o, "model", xml_get_text(xml_first(cpu, "model")));
    libvirt_inventory_copy(o, "vendor", xml_get_text(xml_first(cpu, "vendor")));
    json_out_object(o, "topology");
    json_out_int(o, "cells", cells > 0 ? cells : 1);
    libvirt_inventory_number(o, "sockets", xml_get(topology, "sockets"));
    libvirt_inventory_number(o, "cores", xml_get(topology, "cores"));
    libvirt_inventory_number(o, "threads", xml_get(topology, "threads"));
    json_out_object_end(o);
    json_out_array(o, "features");
    for (xmlNodePtr f = xml_first(cpu, "feature"); f; f = xml_next(f, "feature"))
        libvirt_inventory_copy(o, NULL, xml_get(f, "name"));
    json_out_array_end(o);
    json_out_object_end(o);
    if (doc)
        xmlFreeDoc(doc);
}

static void libvirt_inventory_print_trait(void *arg, const char *trait)
{
    json_out_text(arg, NULL, trait);
}

static void libvirt_inventory_print_traits(struct json_out *o, const struct libvirt_call *c, bool hyperthreading)
{
    json_out_array(o, "traits");
    profile_each_trait(c->profile, c->facts.kvm, libvirt_inventory_print_trait, o);
    if (c->facts.filters)
        json_out_text(o, NULL, "CUSTOM_PORT_SECURITY");
    const struct {
        bool has;
        const char *trait;
    } found[] = {{c->facts.aarch64, MACHINE_TRAIT_AARCH64},
                 {c->facts.uefi, MACHINE_TRAIT_UEFI},
                 {c->facts.secure, MACHINE_TRAIT_SECURE_BOOT},
                 {c->facts.tpm_1_2, MACHINE_TRAIT_TPM_1_2},
                 {c->facts.tpm_2_0, MACHINE_TRAIT_TPM_2_0},
                 {c->facts.tpm_tis, MACHINE_TRAIT_TPM_TIS},
                 {c->facts.tpm_crb, MACHINE_TRAIT_TPM_CRB},
                 {c->facts.pvh, MACHINE_TRAIT_XENPVH},
                 {c->facts.fv, MACHINE_TRAIT_XENFV},
                 {c->profile->virt_type && !c->profile->remote, MACHINE_TRAIT_EMULATORS},
                 {c->facts.security.apparmor, MACHINE_TRAIT_APPARMOR},
                 {c->facts.security.selinux, MACHINE_TRAIT_SELINUX},
                 {c->facts.security.user, MACHINE_TRAIT_USER},
                 {c->facts.security.seccomp, MACHINE_TRAIT_SECCOMP}};
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        if (found[i].has)
            json_out_text(o, NULL, found[i].trait);
    }
    if (hyperthreading)
        json_out_text(o, NULL, "HW_CPU_HYPERTHREADING");
    const struct settings *s = c->settings;
    struct guest_cpu_host host = libvirt_cpu_host(&c->cpu, &c->baseline, s, c->facts.kvm);
    bool named = guest_cpu_takes_baseline(&host); /* then what runs guests of guests must be in it */
    bool given = !named || cpu_set_has(&c->baseline.features, "vmx") || cpu_set_has(&c->baseline.features, "svm");
    const char *nested = nested_trait(NESTED_MODULES, c->facts.kvm, s->cpu_mode, guest_cpu_models(s), s->cpu_flags);
    if (nested && given)
        json_out_text(o, NULL, nested);
    guest_cpu_each_trait(&host, libvirt_inventory_print_trait, o);
    json_out_array_end(o);
    guest_cpu_print(&host, c->cpu.kind, c->cpu.model, c->cpu.description, o);
}

/* Memory of a machine with one cell: libvirt's own figure is wrong in some containers. */
static void libvirt_inventory_cells(const struct libvirt_call *c, const char *capabilities, struct numa_topology *t,
                                    struct cells_sums *sums)
{
    topology_xml_read(c->profile->cells ? capabilities : NULL, t);
    int64_t memory_mib = libvirt_inventory_memory_mib();
    if (t->cell_count == 1 && memory_mib < t->cells[0].memory_mib)
        t->cells[0].memory_mib = memory_mib;
    cells_divide(t, c->settings, sums);
}

void libvirt_inventory_divide(struct libvirt_call *c, virConnectPtr conn)
{
    char *capabilities = virConnectGetCapabilities(conn);
    struct numa_topology *t = memory_new(sizeof(*t));
    struct cells_sums sums;
    libvirt_inventory_cells(c, capabilities, t, &sums);
    c->facts.divided =
        t->cell_count > 0 && (c->settings->dedicated_cpus || c->settings->shared_cpus) && sums.shared > 0;
    c->facts.shared = (struct cpuset){{0}};
    for (int32_t h = 0; h < t->cell_count; h++)
        cpuset_join(&c->facts.shared, &t->cells[h].shared);
    free(t);
    free(capabilities);
}

static void libvirt_inventory_print_topology(struct json_out *o, const struct numa_topology *t)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    numa_topology_print(t, &text);
    json_out_raw(o, "topology", t->cell_count > 0 ? text.data : "{}");
    strbuf_done(&text);
}

static void libvirt_inventory_print(struct libvirt_call *c, const virNodeInfo *node, unsigned long version,
                                    const char *capabilities)
{
    struct numa_topology *t = memory_new(sizeof(*t));
    struct cells_sums sums;
    const struct settings *s = c->settings;
    struct utsname kernel;
    struct json_out o;
    char storage[UUID_SIZE];
    uname(&kernel);
    libvirt_inventory_cells(c, capabilities, t, &sums);
    bool divided = t->cell_count > 0 && (s->dedicated_cpus || s->shared_cpus);
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "hypervisor", profile_type(c->profile, c->facts.kvm));
    json_out_int(&o, "hypervisor_version", (int64_t)version);
    json_out_text(&o, "architecture", c->profile->remote ? "x86_64" : kernel.machine);
    json_out_text(&o, "address", c->xml); /* the caller's choice */
    json_out_int(&o, "vcpus", divided ? sums.shared : (int64_t)node->cpus);
    json_out_int(&o, "memory_mib",
                 c->profile->remote        ? (int64_t)(node->memory / 1024)
                 : c->profile->owns_memory ? libvirt_inventory_machine_mib(c->conn, node)
                                           : libvirt_inventory_memory_mib());
    json_out_int(&o, "disk_gib",
                 c->profile->remote ? libvirt_inventory_store_gib(c) : libvirt_inventory_disk_gib(s->instances_dir));
    json_out_int(&o, "reserved_vcpus", s->reserved_vcpus);
    json_out_int(&o, "reserved_memory_mib", s->reserved_memory_bytes / MIB + sums.huge_mib);
    json_out_int(&o, "reserved_disk_gib", s->reserved_disk_bytes / GIB);
    libvirt_inventory_print_cpu(&o, capabilities, t->cell_count);
    libvirt_inventory_print_traits(&o, c, t->threads > 1);
    libvirt_inventory_print_topology(&o, t);
    if (adopt_can(c->profile) && adopt_storage(s, storage))
        json_out_text(&o, "storage", storage);
    json_out_object_end(&o);
    free(t);
}

void libvirt_inventory_read(struct libvirt_call *c)
{
    virNodeInfo node;
    unsigned long version = 0;
    if (virNodeGetInfo(c->conn, &node) < 0) {
        libvirt_call_fail(c, "The host's processors cannot be read");
        return;
    }
    if (virConnectGetVersion(c->conn, &version) < 0) {
        libvirt_call_fail(c, "The hypervisor's version cannot be read");
        return;
    }
    char *capabilities = virConnectGetCapabilities(c->conn);
    libvirt_cpu_read(c, c->conn);
    libvirt_inventory_print(c, &node, version, capabilities);
    free(capabilities);
}
