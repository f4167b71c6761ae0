/* What a libvirt driver can do and how it wants it: a profile per driver, one file each (profile_DRIVER.c), mostly
 * data. Whoever would ask "is this LXC?" asks the profile for the property in question instead. Pure; any thread. */
#pragma once
#include "compute-agent/hypervisor.h"
#include "compute-agent/xml/domain_xml.h"
#include <stdbool.h>

enum profile_root {
    PROFILE_ROOT_DISK,   /* qcow2 overlays on the image (disk.h) */
    PROFILE_ROOT_TREE,   /* a folder: an overlay on the image's unpacked files (tree.h) */
    PROFILE_ROOT_BLOCK,  /* raw files behind block devices (block.h) */
    PROFILE_ROOT_VOLUME, /* a copy of a template on the hypervisor's own storage: no file is this machine's */
    PROFILE_ROOT_NONE,   /* nothing is fetched or made: the driver pretends, or the site makes the disks */
};
enum profile_console {
    PROFILE_CONSOLE_LOGGED, /* libvirt writes what the guest prints to a file */
    PROFILE_CONSOLE_PTY,    /* the agent reads a terminal and writes the file (console_pump.h) */
    PROFILE_CONSOLE_NONE,
};
enum profile_stats {
    PROFILE_STATS_BULK,   /* all counters of all domains in one call */
    PROFILE_STATS_SINGLE, /* domain by domain, from what the driver has */
    PROFILE_STATS_SIZES,  /* the driver counts nothing: it only says how large a domain is */
};
/* Who keeps guests from sending with others' addresses. */
enum profile_filter {
    PROFILE_FILTER_LIBVIRT, /* by a filter that its nics refer to (filter_xml.h) */
    PROFILE_FILTER_AGENT,   /* by rules of the host's packet filter (port_guard.h) */
    PROFILE_FILTER_NONE,
};
/* How a domain is known, and where our marks stand in it. */
enum profile_key {
    PROFILE_KEY_UUID,      /* its UUID is the server's id; marks in its metadata */
    PROFILE_KEY_DESCRIBED, /* the hypervisor chooses UUIDs: by its name; marks in its description */
    PROFILE_KEY_NAME,      /* by its name, which is all that it keeps of us */
};
/* How a running guest gets more memory; processors go with it. */
enum profile_growth {
    PROFILE_GROWTH_NONE,
    PROFILE_GROWTH_PLUG,    /* as a device */
    PROFILE_GROWTH_BALLOON, /* it was started with more, and gave it up */
};
/* Ways from host to host. Live: with the disks, unless both hosts must reach these. */
enum { PROFILE_MOVES_OFF = 1, PROFILE_MOVES_LIVE = 2, PROFILE_MOVES_SHARED = 4 };

/* What libvirt may keep of a domain beside its definition, and forgets with it when it is told so. */
enum {
    PROFILE_KEEPS_SNAPSHOTS = 1,
    PROFILE_KEEPS_CHECKPOINTS = 2,
    PROFILE_KEEPS_FIRMWARE = 4,
    PROFILE_KEEPS_SAVED = 8
};

/* What a host may have for guests, and must for some: they are known by a domain's type or its machine. */
enum profile_fact { PROFILE_FACT_KVM, PROFILE_FACT_PVH, PROFILE_FACT_FV, PROFILE_FACT_COUNT };
struct profile_guest {
    const char *word; /* "kvm", "xenpvh" */
    enum profile_fact needs;
    const char *refusal; /* of a host without; a sentence without a full stop */
};

/* A log of each domain on this machine, around the domain's name in its path. */
struct profile_log {
    const char *before, *after;
};

#define PROFILE_ACTION(action) (1u << (action))
#define PROFILE_ACTIONS_BASIC                                                                                          \
    (PROFILE_ACTION(HYPERVISOR_CREATE) | PROFILE_ACTION(HYPERVISOR_DEFINE) | PROFILE_ACTION(HYPERVISOR_START) |        \
     PROFILE_ACTION(HYPERVISOR_SHUTDOWN) | PROFILE_ACTION(HYPERVISOR_REBOOT) | PROFILE_ACTION(HYPERVISOR_DESTROY) |    \
     PROFILE_ACTION(HYPERVISOR_RESET) | PROFILE_ACTION(HYPERVISOR_REMOVE) | PROFILE_ACTION(HYPERVISOR_LOOK))
#define PROFILE_ACTIONS_PAUSE (PROFILE_ACTION(HYPERVISOR_PAUSE) | PROFILE_ACTION(HYPERVISOR_RESUME))
#define PROFILE_ACTIONS_SAVE  (PROFILE_ACTION(HYPERVISOR_SAVE) | PROFILE_ACTION(HYPERVISOR_DISCARD))

struct profile {
    const char *scheme;                 /* of libvirt's URIs */
    const char *also;                   /* another scheme of the same driver; NULL: none */
    const char *driver;                 /* hypervisor_type, and the name in messages */
    const char *accelerated;            /* the same where the processor itself runs guests; NULL: no difference */
    const char *vm_mode;                /* "hvm", "exe" */
    const char *virt_type;              /* for domain capabilities; NULL: the driver has none */
    const char *accelerated_type;       /* the same where the processor runs guests; NULL: no difference */
    const struct profile_guest *guests; /* ends with word NULL; NULL: all of its hosts run all of its guests */
    const char *const *image_formats;   /* NULL-terminated, these too: */
    const char *const *disk_buses, *const *nics; /* models that images may ask for */
    const struct profile_log *logs;              /* end with before NULL; NULL: none */
    unsigned actions;                            /* bits of enum hypervisor_action */
    unsigned moves;
    unsigned keeps;
    bool cells;        /* guests are fitted to the host's NUMA cells and processors */
    bool power_button; /* shutdown and reboot press it; else the driver has its own way */
    bool guest_agent;  /* QEMU's agent in the guest can be spoken to */
    bool tunnels;      /* guests that move go through libvirt's own connection, encrypted as that is */
    bool snapshots;    /* images can be made of guests, running or not */
    bool clones;       /* guests can be cloned, sharing what their disks had (layer.h, tree_clone.h, raw_clone.h) ... */
    bool flattens;     /* ... and made to share nothing (libvirt_layer.c, tree_flatten.h) */
    bool plugs_disks;  /* a guest that runs takes another disk */
    bool imports;      /* domains that were there before become servers as they are (libvirt_import.c) */
    bool marks_beside; /* ... and as their definitions take no marks, a file says whose they are (libvirt_beside.c) */
    bool shutdown_signal; /* shutdown tells the first process */
    bool processes;       /* its guests are processes of the host's kernel, limited by control groups (cgroup.h) */
    bool bare_nics;       /* a nic that is plugged comes unnamed and switched off (libvirt_link.c) */
    bool owns_memory;     /* the machine's memory is the hypervisor's: the host's kernel sees its own share only */
    bool remote;          /* the hypervisor is another machine: memory, disk and networks are that one's */
    bool silent;          /* it tells nothing by itself, not even that its connection is lost: the agent looks */
    bool solo; /* its connections carry one call at a time: libvirt's driver mixes up what threads do on one */
    bool reboots_unsaid; /* nor does it tell that a guest has rebooted: whoever was asked to counts as having done it */
    bool rigid;          /* what was made stays as large */
    bool fixed;          /* a definition cannot be changed: its domain is defined anew */
    bool
        suspend_saves; /* virDomainSuspend writes the guest's memory to disk, and virDomainResume takes it from there */
    bool asks_password; /* of who connects */
    enum profile_key key;
    enum profile_root root;
    enum profile_filter filter;
    enum profile_console console;
    enum profile_stats stats;
    enum profile_growth growth;
    char *(*make_xml)(const struct spec *spec, const struct names *names, const struct domain_xml_host *host);
};
extern const struct profile profile_qemu, profile_lxc, profile_xen, profile_test, profile_esx, profile_hyperv;

/* The profile for a connection URI, such as "lxc:///system" or "qemu+ssh://host/system"; NULL when there is none. */
const struct profile *profile_find(const char *uri);
/* "qemu, lxc, xen, test, esx, vpx, hyperv". Static. */
const char *profile_schemes(void);

bool profile_can(const struct profile *p, enum hypervisor_action action);
bool profile_boots(const struct profile *p, const char *disk_format);
/* What the host has is called. */
const char *profile_type(const struct profile *p, bool accelerated);

/* Calls `each` for every trait of a host with this driver (docs/agent-protocol.md). */
typedef void (*profile_trait_fn)(void *arg, const char *trait);
void profile_each_trait(const struct profile *p, bool accelerated, profile_trait_fn each, void *arg);
