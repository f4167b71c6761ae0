/* A server's specification as a libvirt domain. Pure: the same input gives the same text. */
#pragma once
#include "common/model/cpu.h"
#include "common/uuid.h"
#include "compute-agent/names.h"
#include "compute-agent/spec.h"
#include <stdbool.h>

/* What the host adds. */
struct domain_xml_host {
    const char *version; /* the agent's */
    bool kvm;
    const char *emulator;                 /* NULL: libvirt's choice */
    const char *machine;                  /* "q35", "pc" */
    const char *cpu_mode;                 /* "auto" (also NULL), "host-passthrough", "host-model", "custom" */
    const char *cpu_model;                /* NULL: host-passthrough under kvm, DOMAIN_XML_TCG_MODEL else */
    const char *cpu_vendor;               /* of the model; NULL: not said */
    struct cpu_set cpu_more, cpu_without; /* features beyond the model, and of it that the guest has not */
    const char *cpu_flags;                /* "pcid,-vmx": over all of these; NULL: none */
    int64_t tcg_cache_mib;                /* 0: the emulator's own */
    const char *vnc_listen;
    const char *folder;      /* of this server's files */
    int64_t ids_first;       /* containers: the host's user who is root inside */
    bool direct_io;          /* the folder's file system can do O_DIRECT */
    const char *datastore;   /* of the hypervisor's own, where the server's files are */
    const char *port_group;  /* what its nics are connected to there; %s: the network's name */
    bool pvh;                /* Xen: paravirtual guests in the processor's own container */
    const char *shared_cpus; /* for servers that were given no cells; NULL: all */
    bool filters;            /* nics with port security are filtered: FILTER_XML_NAME is defined */
};
/* How many devices may be plugged into a running guest at least. */
#define DOMAIN_XML_SPARE_PORTS 8
/* The files in that folder. */
#define DOMAIN_XML_ROOT      "root.qcow2"
#define DOMAIN_XML_EPHEMERAL "ephemeral.qcow2"
#define DOMAIN_XML_SWAP      "swap.qcow2"
#define DOMAIN_XML_CONFIG    "config.iso"
#define DOMAIN_XML_CONSOLE   "console.log"
#define DOMAIN_XML_NVRAM     "nvram.fd" /* what UEFI keeps */
/* Where block devices are wanted: raw files, and links to the devices that show them (block.h). Hosts that share the
 * folder have a link each: the host's id follows. */
#define DOMAIN_XML_RAW_ROOT      "root.raw"
#define DOMAIN_XML_RAW_EPHEMERAL "ephemeral.raw"
#define DOMAIN_XML_RAW_SWAP      "swap.raw"
#define DOMAIN_XML_BLOCK_SUFFIX  ".block."
/* The first model that is x86-64-v2, which today's distributions ask for; it emulates as quickly as qemu64. */
#define DOMAIN_XML_TCG_MODEL     "Nehalem"
#define DOMAIN_XML_TCG_ARM_MODEL "cortex-a57"

/* A container's root: a folder (tree.h). Containers' users are those of the host from here on, so many for each
 * (id_range.h). */
#define DOMAIN_XML_TREE      "root"
#define DOMAIN_XML_SEED      "seed" /* what a config drive holds, beside it; in the container: */
#define DOMAIN_XML_SEED_AT   "/var/lib/cloud/seed/config_drive"
#define DOMAIN_XML_IDS_FIRST 1073741824 /* among those that systemd, too, leaves to containers: its UIDS-GIDS page */
#define DOMAIN_XML_IDS_COUNT 65536

/* For QEMU, for containers of libvirt's LXC, for Xen, for libvirt's test driver, for VMware ESX and Hyper-V. Caller
 * frees. */
char *domain_xml_make(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);
char *domain_xml_make_lxc(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);
char *domain_xml_make_xen(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);
char *domain_xml_make_test(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);

char *domain_xml_make_esx(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);
char *domain_xml_make_hyperv(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);

/* Where a hypervisor keeps files of its own: the server's folder is called as its domain. */
#define DOMAIN_XML_VOLUME_SUFFIX ".vmdk"
/* A snapshot by name; a volume that is to be a copy. Caller frees. */
char *domain_xml_snapshot(const char *name);
char *domain_xml_volume(const char *name);

/* What of a QEMU domain depends on the host's processors and cells: <tuning cpuset=""><cputune/><numatune/></tuning>,
 * each only if it has some. Caller frees. */
char *domain_xml_tuning(const struct spec *spec, const struct domain_xml_host *host);

/* Our marks inside a domain's metadata element, or as a text in its description. */
struct domain_xml_marks {
    char cloud_id[64], host_id[UUID_SIZE], server_id[UUID_SIZE];
    int64_t revision;
    char shape[20]; /* a checksum of the definition; "" where it is not kept */
};
/* Reads them from the element as libvirt hands it out; false when they are not there. */
bool domain_xml_read_marks(const char *metadata, struct domain_xml_marks *ret);
/* The same from a whole domain whose description has them. */
bool domain_xml_read_described(const char *domain, struct domain_xml_marks *ret);
