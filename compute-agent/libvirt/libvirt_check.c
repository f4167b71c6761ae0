/* Whether a guest that runs elsewhere could run here, by its definition and by what this host's hypervisor says of
 * itself. The sentence names what is missing. On a worker. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/domain_move.h"
#include "compute-agent/xml/xml.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct checked {
    struct libvirt_call *c;
    xmlNodePtr domain;
    const char *cpu; /* the other host's */
    char *type, *arch, *machine;
};

static int check_refuse(struct libvirt_call *c, const char *text)
{
    c->transient = false;
    return c->code = error_set(&c->error, ERR_HYPERVISOR, "%s", text);
}

static int check_kind(struct checked *k)
{
    struct libvirt_call *c = k->c;
    const bool has[PROFILE_FACT_COUNT] = {
        [PROFILE_FACT_KVM] = c->facts.kvm, [PROFILE_FACT_PVH] = c->facts.pvh, [PROFILE_FACT_FV] = c->facts.fv};
    for (const struct profile_guest *g = c->profile->guests; g && g->word; g++)
        if (!has[g->needs] && (strcmp(g->word, k->type) == 0 || strcmp(g->word, k->machine) == 0))
            return check_refuse(c, g->refusal);
    char *found = virConnectGetDomainCapabilities(c->conn, NULL, k->arch, k->machine, k->type, 0);
    bool good = found != NULL;
    free(found);
    return good ? 0
                : check_refuse(c, arena_printf(&c->arena, "This host has no machine %s (%s) for the guest", k->machine,
                                               k->arch));
}

static int check_devices(struct checked *k)
{
    struct libvirt_call *c = k->c;
    const char *device = domain_move_tied(k->domain);
    return device
               ? check_refuse(c, arena_printf(&c->arena,
                                              "The guest holds a device of its host (%s) and cannot leave it", device))
               : 0;
}

/* The server's own files come along; others must be reached from here by the same name. */
static int check_disks(struct checked *k)
{
    struct libvirt_call *c = k->c;
    int code = 0;
    xmlNodePtr disk = xml_first(xml_first(k->domain, "devices"), "disk");
    for (; disk && !code; disk = xml_next(disk, "disk")) {
        xmlNodePtr source = xml_first(disk, "source");
        char *path = xml_get(source, "file");
        path = path ? path : xml_get(source, "dev");
        bool own = path && strstr(path, c->id);
        if (path && !own && access(path, R_OK))
            code = check_refuse(c, arena_printf(&c->arena, "The guest's disk %s cannot be reached from this host: %s",
                                                path, strerror(errno)));
        free(path);
    }
    return code;
}

/* "the CPU is incompatible with host CPU: Host CPU does not provide required features: x, y" */
static int check_refuse_cpu(struct libvirt_call *c)
{
    const char *text = virGetLastErrorMessage(), *list = strstr(text, "features: ");
    return check_refuse(c, list ? arena_printf(&c->arena, "This host's processor lacks what the guest has: %s",
                                               list + strlen("features: "))
                                : arena_printf(&c->arena, "This host's processor is none for the guest: %s", text));
}

static int check_compared(struct libvirt_call *c, int found)
{
    if (found == VIR_CPU_COMPARE_ERROR && virGetLastErrorCode() == VIR_ERR_CPU_INCOMPATIBLE)
        return check_refuse_cpu(c);
    if (found == VIR_CPU_COMPARE_ERROR)
        return libvirt_call_fail(c, "The guest's processor cannot be compared with this host's");
    return 0;
}

/* The guest has its host's own processor: this host's must have all of it. */
static int check_whole(struct checked *k)
{
    const char *type = k->c->profile->accelerated_type;
    bool compared = k->cpu && type && strcmp(k->type, type) == 0;
    return compared ? check_compared(
                          k->c, virConnectCompareCPU(k->c->conn, k->cpu, VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE))
                    : 0;
}

/* A model by name, with the features that the guest really got: an emulator has its limits, too. */
static int check_model(struct checked *k)
{
    struct libvirt_call *c = k->c;
    xmlNodePtr cpu = xml_first(k->domain, "cpu");
    char *mode = xml_get(cpu, "mode");
    bool named = mode && strcmp(mode, "custom") == 0;
    free(mode);
    if (!named)
        return check_whole(k);
    xmlDocPtr doc = xmlNewDoc(NULL);
    xmlDocSetRootElement(doc, xmlCopyNode(cpu, 1));
    char *text = xml_print(doc);
    int found = virConnectCompareHypervisorCPU(c->conn, NULL, k->arch, k->machine, k->type, text,
                                               VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
    free(text);
    return check_compared(c, found);
}

int libvirt_check_guest(struct libvirt_call *c, const char *definition, const char *cpu)
{
    xmlDocPtr doc = xml_parse(definition, NULL);
    if (!doc)
        return c->code = error_set(&c->error, ERR_PEER, "The guest's definition cannot be read");
    xmlNodePtr domain = xmlDocGetRootElement(doc), type = xml_path(domain, "os", "type", NULL);
    struct checked k = {.c = c,
                        .domain = domain,
                        .cpu = cpu,
                        .type = xml_get(domain, "type"),
                        .arch = xml_get(type, "arch"),
                        .machine = xml_get(type, "machine")};
    int code =
        k.type && k.arch && k.machine
            ? 0
            : (c->code = error_set(&c->error, ERR_PEER, "The guest's definition does not say what machine it is"));
    code = code ? code : check_kind(&k);
    code = code ? code : check_devices(&k);
    code = code ? code : check_disks(&k);
    code = code ? code : check_model(&k);
    free(k.type);
    free(k.arch);
    free(k.machine);
    xmlFreeDoc(doc);
    return code;
}
