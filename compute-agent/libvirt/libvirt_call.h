/* The inside of the libvirt hypervisor, for this folder: the connection, and calls that run on workers. */
#pragma once
#include "common/arena.h"
#include "common/model/cpuset.h"
#include "compute-agent/guest_cpu.h"
#include "compute-agent/idmap.h"
#include "compute-agent/libvirt/libvirt_hypervisor.h"
#include "compute-agent/names.h"
#include "compute-agent/network_plan.h"
#include "compute-agent/profile/profile.h"
#include "compute-agent/worker.h"
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/security_xml.h"
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct loop_timer;
struct storage;
struct libvirt_call;
struct http_datastore;

/* Found out when the connection was made; never changed afterwards. */
struct libvirt_facts {
    bool known, kvm;
    bool aarch64;                            /* it has an emulator, or the processor, for Arm guests */
    bool uefi, secure;                       /* libvirt has firmware for it, and for it with enforced signatures */
    bool tpm_1_2, tpm_2_0, tpm_tis, tpm_crb; /* what its TPM emulator can be */
    bool pvh, fv;                            /* Xen has the processor's help; and an emulator for whole machines */
    struct security security;                /* what confines its guests */
    bool divided;                            /* some processors are dedicated: */
    struct cpuset shared;                    /* where servers without cells may run */
    bool filters;                            /* what guests send is filtered; looked at with every connection */
    char *emulator;                          /* for kvm's probe */
    char *datastore;                         /* of a hypervisor that keeps its own files */
};
/* What guests' processors can be here; read with every connection and every inventory. */
struct libvirt_cpu {
    struct arena arena; /* of all this */
    bool known;
    const char *kind;                /* "x86_64 kvm" */
    const char *model, *description; /* the most that guests can have: a model's name; as libvirt words it */
    struct cpu_set host;             /* all features of it */
    struct cpu_model *models;        /* those of the settings that libvirt knows */
    size_t model_count;
};
/* Which MAC the host's interfaces have that domains count by: read once from each domain's definition. */
struct libvirt_nics {
    struct libvirt_nic {
        char server_id[UUID_SIZE], device[VIR_UUID_STRING_BUFLEN], mac[IP_MAC_SIZE];
        bool used; /* in this round */
    } * items;
    size_t count, at; /* at: where the last one was found */
};
struct libvirt {
    struct hypervisor base; /* first */
    struct libvirt_setup setup;
    const struct profile *profile;
    struct names names;
    struct hypervisor_listener listener;
    struct storage *storage;
    struct worker_pool *calls;
    struct libvirt_call *outstanding;
    struct worker_pool *probes; /* NULL until a guest is asked */
    struct worker_pool *moves;  /* for what takes as long as a server is large */
    struct http_files *files;   /* of servers that move away */
    struct idmap moving;        /* server id -> its call of a move, under way */
    struct idmap lost;          /* server or network id -> call that has not come back */
    struct libvirt_facts facts;
    struct libvirt_cpu cpu;
    struct guest_cpu_baseline baseline; /* id 0: none; its texts are in the arena */
    struct arena baseline_arena;
    struct libvirt_nics nics; /* of the round before; with a call while one is under way */
    virConnectPtr conn;       /* NULL: away */
    unsigned generation;      /* of the connection: what comes from an older one is ignored */
    bool connecting;
    unsigned failures;
    struct loop_timer *again;
    bool tidying;            /* libvirt_image_tidy */
    unsigned tidies;         /* how many may still be looked after before the next time */
    char tidied[UUID_SIZE];  /* the last that was */
    struct loop_timer *look; /* at a hypervisor that tells nothing; NULL: it tells */
};

/* A call owns all that its work touches, because it may outlive everybody who asked for it. */
struct libvirt_call {
    struct worker_job job;     /* first */
    struct libvirt *owner;     /* loop thread; NULL: freed meanwhile */
    struct libvirt_call *next; /* of outstanding */
    virConnectPtr conn;        /* a reference of the call's own; the worker's once it runs */
    bool connected;            /* it began with the owner's connection, or is to be lent one (libvirt_lend.c) */
    unsigned generation;
    void (*work)(struct libvirt_call *c);                                            /* on the worker */
    void (*deliver)(struct libvirt_call *c, const struct hypervisor_result *result); /* on the loop, once */
    const char *what;                                                                /* for sentences */
    struct arena arena;
    const struct settings *settings;
    const struct profile *profile;
    struct names names;
    /* Input, by need: */
    char id[UUID_SIZE];
    enum hypervisor_action action;
    const char *xml;
    const char *guard;             /* with xml: what port_guard_put made of the server; NULL: not the agent's matter */
    bool imported;                 /* its domain was there before it; also found out on the worker */
    bool released;                 /* REMOVE: and is given back */
    bool redefine;                 /* ADJUST: xml is to be the definition as well */
    bool defined;                  /* the domain is as xml has it: that is not asked or done twice */
    bool started;                  /* the hypervisor has just said that the domain runs */
    struct domain_xml_marks marks; /* of the domain, as libvirt_identify_is_ours has read them */
    int64_t ephemeral_gib, swap_mib;    /* ADJUST, FIT */
    const struct hypervisor_move *move; /* the caller's: it stays until the call has been delivered */
    const struct identity *identity;
    bool direct_io;
    const char *user, *password;
    const char *clone;             /* id of the server that is made of it */
    bool freezes, must_freeze;     /* its guest's file systems are, before its disk is copied or cloned */
    bool goes_on;                  /* ... and its owner wants it to run after that */
    const char *template, *config; /* a volume's: what it is a copy of, and the file of its config drive */
    bool first;                    /* it may be made ... */
    int64_t root_gib;              /* ... if its template is no larger; 0: any. ADJUST: it grows to that */
    atomic_bool stop;              /* a move is to be given up */
    struct network_plan plan;
    int64_t lines;
    struct guest_cpu_baseline baseline; /* inventory: in the call's arena; id 0: none */
    const char **cpus;                  /* what a baseline is asked of, as libvirt words them */
    size_t cpu_count;
    struct libvirt_facts facts;            /* also output of connecting */
    struct libvirt_import_source *sources; /* foreign, imported: what all containers have, once gathered; arena */
    size_t source_count;
    /* Output: */
    int code;
    int number; /* of libvirt's error, after libvirt_call_fail: that may make libvirt forget it */
    bool transient, restart, lacks;
    bool gone, silent; /* libvirt_image_tidy: an image is, or the API was */
    struct error error;
    enum hypervisor_domain domain;
    virConnectPtr made; /* by connecting */
    struct strbuf text;
    struct libvirt_cpu cpu; /* of connecting and inventory; the owner takes it */
    struct hypervisor_found *found;
    size_t found_count;
    const char **networks;
    size_t network_count;
    struct hypervisor_sample *samples;
    size_t sample_count;
    struct libvirt_nics nics; /* also input */
    /* To be called: */
    union {
        hypervisor_done_fn done;
        hypervisor_list_fn list;
        hypervisor_text_fn text_done;
        hypervisor_samples_fn samples_done;
    };
    void *arg;
};

/* ---- libvirt_call.c ---- */
struct libvirt_call *libvirt_call_new(struct libvirt *lv, const char *what, const char *id,
                                      void (*work)(struct libvirt_call *c),
                                      void (*deliver)(struct libvirt_call *c, const struct hypervisor_result *result),
                                      void *arg);
/* On the pool for moves; its work opens a connection of its own. `deadline_ms`: 0 for none. */
void libvirt_call_submit_move(struct libvirt_call *c, int64_t deadline_ms);
/* Runs it with a reference to the connection, or with a connection that nobody else has meanwhile (solo); without a
 * connection, or while an earlier call for the same id is lost, it fails later. */
void libvirt_call_submit(struct libvirt_call *c, int64_t deadline_ms);
/* For making connections: needs none. */
void libvirt_call_submit_unconnected(struct libvirt_call *c, int64_t deadline_ms);
/* On the worker: notes libvirt's last error, and whether trying again may help. Returns the code. */
int libvirt_call_fail(struct libvirt_call *c, const char *what);

/* On the worker: gives it a connection of its own. */
int libvirt_call_open(struct libvirt_call *c);
/* Whether the hypervisor is there, by what its connection says or, where that cannot know, by asking it. */
bool libvirt_call_alive(const struct libvirt_call *c);

/* ---- libvirt_lend.c: connections that carry one call at a time; the profile is solo ---- */
/* On the loop: calls of that generation are lent `conn`, whose reference is taken over, and others like it. */
void libvirt_lend_begin(virConnectPtr conn, unsigned generation);
/* On the loop: none is lent any more; libvirt_lend_close is to be called on a worker. */
void libvirt_lend_end(void);
/* On the worker: gives the call a connection that nobody else has. 0, or the call's code: its generation is over, or
 * no connection can be made. */
int libvirt_lend_take(struct libvirt_call *c);
/* On the worker, when the call has done its work, whether or not it was given one. May block. */
void libvirt_lend_give_back(struct libvirt_call *c);
/* On the worker: closes what is idle and of no use any more. May block. */
void libvirt_lend_close(void);

/* ---- libvirt_open.c ---- */
/* Once, before anything else of libvirt. False: it cannot be used. */
bool libvirt_open_begin(void);
/* A new connection, with the password that the settings name; NULL with a sentence. On a worker. */
virConnectPtr libvirt_open(const struct settings *settings, struct error *e);

/* ---- libvirt_identify.c ---- */
/* By the server's id; NULL with libvirt's error. */
virDomainPtr libvirt_identify_lookup(const struct libvirt_call *c, const char *id);
/* The server's id of a domain that is ours by its name, or was imported; false for others. Asks the hypervisor nothing.
 */
bool libvirt_identify_id(const struct profile *p, const struct names *names, const struct settings *settings,
                         virDomainPtr domain, char ret[UUID_SIZE]);
/* Whether the domain has our marks, too. False also when they cannot be read. */
bool libvirt_identify_is_ours(struct libvirt_call *c, virDomainPtr domain);
/* Whether these marks are of this host's server with that id. */
bool libvirt_identify_is_mine(const struct libvirt_call *c, const struct domain_xml_marks *marks, const char *id);
/* What marks a domain has, empty when they cannot be understood; an error when that is not known. */
int libvirt_identify_marks(struct libvirt_call *c, virDomainPtr domain, struct domain_xml_marks *ret, bool *ret_has,
                           struct error *e);
/* Whether the domain that was found last is as c->xml defines it; for drivers whose definitions cannot be changed. */
bool libvirt_identify_is_defined(const struct libvirt_call *c);

/* ---- libvirt_volume.c: servers' files on storage of the hypervisor's own ---- */
/* After the server's files of this machine are made. */
void libvirt_volume_prepare(struct libvirt *lv, const struct hypervisor_prepare *what, hypervisor_done_fn done,
                            void *arg);
/* On the worker: a copy of the server's disk that others may be copies of. */
void libvirt_volume_snapshot(struct libvirt_call *c, virDomainPtr domain);
/* On the worker, when a start has failed: if that is for want of the server's disk, the call's error says so. */
void libvirt_volume_explain(struct libvirt_call *c);
/* On the worker: by its datastore and its path there; what is not there is no error. */
int libvirt_volume_delete(struct libvirt_call *c, const char *store, const char *name);
/* That datastore's web server. */
struct http_datastore libvirt_volume_web(const struct libvirt_call *c, const char *store);
/* On the worker: before and after the domain is undefined. What is not there is no error. */
int libvirt_volume_remove_disk(struct libvirt_call *c);
int libvirt_volume_remove_folder(struct libvirt_call *c);
/* On the worker: its only one, or the one that the settings name; NULL with the call's error. Caller frees. */
char *libvirt_volume_datastore(struct libvirt_call *c, virConnectPtr conn);

/* ---- libvirt_beside.c: imported machines whose definitions take no marks; on the worker ---- */
/* Those of the machine with that UUID; an error when that is not known. */
int libvirt_beside_read(struct libvirt_call *c, const char *id, struct domain_xml_marks *ret, bool *ret_has,
                        struct error *e);
/* NULL: takes them away. Returns the code. */
int libvirt_beside_mark(struct libvirt_call *c, const char *marks);
/* Before domains are listed: notes those of them that were imported, when the agent's notes were lost. */
int libvirt_beside_regain(struct libvirt_call *c, virDomainPtr *domains, int count);
/* Of its disk "[DATASTORE] PATH": its size, 0 when it is not known. / Deletes it; what is not there is no error. */
int64_t libvirt_beside_bytes(struct libvirt_call *c, const char *path);
int libvirt_beside_delete(struct libvirt_call *c, const char *path);
/* Its disks are deleted: what else there is of it is to go. / Once its domain is undefined: it goes. */
int libvirt_beside_begin_end(struct libvirt_call *c);
int libvirt_beside_end(struct libvirt_call *c);

/* ---- libvirt_image.c: copies of servers' disks on the hypervisor's storage, which images stand for ---- */
#define LIBVIRT_VOLUME_IMAGES "virga-images" /* their folder */
/* On the worker, before it is made: that this agent has to remove it when the image is gone. Returns the code. */
int libvirt_image_note(struct libvirt_call *c, const char *image_id);
/* Looks after the next ones; on the loop, now and then. */
void libvirt_image_tidy(struct libvirt *lv);

/* ---- libvirt_connect.c ---- */
void libvirt_connect(struct libvirt *lv);
/* The connection is of no use any more: tells the listener and makes a new one. Only when `generation` is the present
 * one. */
void libvirt_connect_drop(struct libvirt *lv, unsigned generation, const char *why);

/* Has a guest limited that has just started (libvirt_limit.c): nobody waits for it. */
void libvirt_connect_limit(struct libvirt *lv, const char *id);
/* A timer's: has all domains listed. */
void libvirt_connect_look(void *lv);

/* The hypervisor is being freed. */
void libvirt_connect_forget(void);

/* ---- libvirt_domain.c: work, on the worker ---- */
void libvirt_domain_act(struct libvirt_call *c);
void libvirt_domain_list(struct libvirt_call *c);
/* 0 with *ret NULL when there is no such domain; an error when there is one that is not ours. */
int libvirt_domain_find(struct libvirt_call *c, virDomainPtr *ret);
/* For virDomainUndefineFlags: what the driver keeps beside the definition goes too; the firmware's variables may stay.
 */
unsigned libvirt_domain_undefine_flags(const struct profile *p, bool leaves_nvram);
int libvirt_domain_state(struct libvirt_call *c, virDomainPtr domain, enum hypervisor_domain *ret);

/* ---- libvirt_move.c ---- */
void libvirt_move(struct hypervisor *h, const struct hypervisor_move *move, hypervisor_text_fn done, void *arg);
void libvirt_move_change(struct hypervisor *h, const char *server_id, bool force);
void libvirt_move_free(struct libvirt *lv);

/* ---- libvirt_check.c: on the worker ---- */
/* Whether the guest of that definition (the other host's, of one that runs) can run on this host: kind of machine,
 * devices, disks, processor. `cpu`: the other host's own processor, which is compared when the guest has that one;
 * NULL: not known. 0, or the call's code with a sentence that says what is missing. */
int libvirt_check_guest(struct libvirt_call *c, const char *definition, const char *cpu);

/* ---- libvirt_cpu.c ---- */
/* On the worker: fills c->cpu, if the driver has models of processors. What cannot be read is not known, no failure. */
void libvirt_cpu_read(struct libvirt_call *c, virConnectPtr conn);
/* On the worker: c->text is what all of c->cpus have in common: {"model","description","features":[]}. */
void libvirt_cpu_baseline(struct libvirt_call *c);
/* On the loop: what the call has read is known from now on. */
void libvirt_cpu_keep(struct libvirt *lv, struct libvirt_call *c);
/* On the loop: the baseline of the host's pool; id 0: none. */
void libvirt_cpu_set_baseline(struct libvirt *lv, const struct guest_cpu_baseline *b);
/* What guests get, by `cpu` and `baseline` (id 0: none), which stay the caller's. */
struct guest_cpu_host libvirt_cpu_host(const struct libvirt_cpu *cpu, const struct guest_cpu_baseline *baseline,
                                       const struct settings *settings, bool kvm);
/* The processor of that guest, into `host`; in the arena. */
void libvirt_cpu_choose(const struct libvirt *lv, const struct spec *spec, struct arena *a,
                        struct domain_xml_host *host);

/* ---- libvirt_send.c: work, on the worker ---- */
void libvirt_send_guest(struct libvirt_call *c);
/* Whether what moves by that URI is encrypted: this host has what QEMU needs for it, and may; or libvirt's own
 * connection, through which it goes, is. */
bool libvirt_send_can_encrypt(const struct libvirt_call *c, const char *uri);
void libvirt_send_abort(struct libvirt_call *c);
void libvirt_send_force(struct libvirt_call *c);
/* c->text: a JSON object of os-migrations' figures; "" when none can be had. */
void libvirt_send_measure(struct libvirt_call *c);

/* ---- libvirt_layer.c: work, on the worker ---- */
/* The server c->id goes on with an overlay of its disk, and c->clone gets one too. */
void libvirt_layer_clone(struct libvirt_call *c);
/* The same of containers: c->clone has the files of c->id from now on. No connection is needed; it may take long. */
void libvirt_layer_clone_tree(struct libvirt_call *c);
/* The server's disk needs no other file any more. */
void libvirt_layer_flatten(struct libvirt_call *c);
/* c->text: how far that is; "" when it cannot be said. */
void libvirt_layer_measure(struct libvirt_call *c);
/* The server's disk is the file that its guest writes to or wrote to last, also after a clone that an agent before this
 * one has begun. `domain` may be NULL. */
int libvirt_layer_settle(struct libvirt_call *c, virDomainPtr domain);
/* The root disk's device; caller frees. NULL after a failure. */
char *libvirt_layer_device(struct libvirt_call *c, virDomainPtr domain);
/* A definition without what libvirt has seen of the disk's files; NULL: it has nothing of that. Caller frees. */
char *libvirt_layer_plain(const struct libvirt_call *c, const char *xml);
/* Before a saved guest starts: it looks at the files that there are. */
int libvirt_layer_fix_saved(struct libvirt_call *c, virDomainPtr domain);

/* ---- libvirt_raw.c: work, on the worker ---- */
/* The raw disk `root` as it is at one moment is in the file `to`. `domain` may be NULL. */
void libvirt_raw_copy(struct libvirt_call *c, virDomainPtr domain, const char *root, const char *to);
/* c->clone begins with what c->id has on its root disk. It may take long. */
void libvirt_raw_clone(struct libvirt_call *c);
/* A raw disk names no other file: all that is to be found out is that it is there. */
void libvirt_raw_flatten(struct libvirt_call *c);

/* ---- libvirt_snapshot.c: work, on the worker ---- */
/* What the specification says of a copy of its disk: the image of freezing, the owner of going on. */
void libvirt_snapshot_ask(struct libvirt_call *c, const struct spec *spec);
/* True: the guest's file systems are frozen, as c->freezes wants. A failure is one of the call only if it must be. */
bool libvirt_snapshot_freeze(struct libvirt_call *c, virDomainPtr domain);
/* A copy of the server's root disk for c->move->image_id; c->text says where. */
void libvirt_snapshot_take(struct libvirt_call *c);

/* ---- libvirt_network.c: work, on the worker ---- */
void libvirt_network_apply(struct libvirt_call *c);
void libvirt_network_remove(struct libvirt_call *c);
/* Fills c->networks. */
int libvirt_network_list(struct libvirt_call *c);

/* ---- libvirt_filter.c ---- */
/* Makes sure that the filter of ports with port security is defined; false, after a warning, when it is not to be used
 * or cannot be. */
bool libvirt_filter_ensure(virConnectPtr conn, const struct settings *settings);

/* ---- libvirt_guard.c: work, on the worker; nothing where the agent is not the one who filters ---- */
/* As libvirt_filter_ensure, for the agent's own rules. */
bool libvirt_guard_ensure(struct libvirt_call *c);
/* What the server may send is c->guard from now on; before it starts. */
int libvirt_guard_put(struct libvirt_call *c);
/* The same, but what other ports of it may send stays as it is, until libvirt_guard_put: they are there still. */
int libvirt_guard_add(struct libvirt_call *c);
/* The server is not any more; before its folder goes. */
void libvirt_guard_forget(const struct libvirt_call *c, const char *server_id);
/* Removes what libvirt and its emulators logged of the server's domain. */
void libvirt_log_forget(struct libvirt_call *c, const char *server_id);
/* The same of a domain that has a name of its own. */
void libvirt_log_forget_domain(struct libvirt_call *c, const char *name);
/* Rules that somebody has taken away from a server that runs are put back. `ports`: what libvirt_guard_look appended,
 * once for all. */
void libvirt_guard_look(const struct libvirt_call *c, struct strbuf *ports);
void libvirt_guard_heal(const struct libvirt_call *c, const char *server_id, const struct strbuf *ports);
/* The host's last. */
void libvirt_guard_end(const struct libvirt_call *c);

/* ---- libvirt_adjust.c: work, on the worker ---- */
/* A domain that is on gets what c->xml has, as far as that goes while it is on: its nics, and what they may send. */
int libvirt_adjust(struct libvirt_call *c, virDomainPtr domain);
/* Before that: the files of its further disks. */
void libvirt_adjust_fit(struct libvirt_call *c);

/* ---- libvirt_link.c: work, on the worker ---- */
/* The nics of a running container that libvirt has left without a name get theirs, their size of frames, and are
 * switched on. */
int libvirt_link_up(struct libvirt_call *c, virDomainPtr domain);

/* ---- libvirt_probe.c ---- */
void libvirt_probe(struct hypervisor *h, const struct hypervisor_probe *probe, hypervisor_done_fn done, void *arg);

/* ---- libvirt_console.c: work, on the worker ---- */
/* What a running domain prints is kept from now on; nothing where the hypervisor does that. */
void libvirt_console_follow(const struct libvirt_call *c, virDomainPtr domain, const char *server_id);

/* ---- libvirt_limit.c: work, on the worker ---- */
/* What libvirt does not limit of a running guest is limited now, or it is switched off and the call fails; nothing
 * where the hypervisor needs no help. Cheap when it is so already. */
int libvirt_limit(struct libvirt_call *c, virDomainPtr domain);
/* After the guest's end. */
void libvirt_limit_forget(const struct libvirt_call *c, const char *server_id);

/* ---- libvirt_import.c: work, on the worker ---- */
/* c->text: {"machines": [...]}, the domains that are not ours, each with what keeps it from being imported ("problem")
 * or null. */
void libvirt_import_tell(struct libvirt_call *c);
/* As libvirt_domain_find, but a domain that is not ours (yet, or any more) is none. */
int libvirt_import_find(struct libvirt_call *c, virDomainPtr *ret);
/* Makes the domain of that UUID ours by c->xml, our marks; nothing when it is. */
int libvirt_import(struct libvirt_call *c, virDomainPtr *domain);
/* Before an imported server's folder goes: its disks go too, or, when it is released, the domain is no more ours and
 * *domain NULL. */
int libvirt_import_clear(struct libvirt_call *c, virDomainPtr *domain);

/* ---- libvirt_guest.c: work, on the worker ---- */
/* By QEMU's guest agent: c->user gets c->password. */
void libvirt_guest_password(struct libvirt_call *c);
/* c->text: {"nics": [...]}, as the guest has them. */
void libvirt_guest_addresses(struct libvirt_call *c);

/* ---- libvirt_stats_single.c ---- */
/* -1 with libvirt's error. The caller frees ret->params with virTypedParamsFree; `domain` stays the caller's. */
int libvirt_stats_single(virDomainPtr domain, virDomainStatsRecord *ret);

/* ---- libvirt_nics.c ---- */
/* On the worker: the MAC of the domain's nic whose end on the host is called `device`, "" when that cannot be found. */
const char *libvirt_nics_mac(struct libvirt_call *c, virDomainPtr domain, const char *server_id, const char *device);
/* On the loop: what was not used in the round is forgotten. */
void libvirt_nics_keep(struct libvirt_nics *n);

/* ---- libvirt_stats.c and libvirt_inventory.c: work, on the worker ---- */
void libvirt_stats_sample(struct libvirt_call *c);
void libvirt_stats_diagnose(struct libvirt_call *c);
void libvirt_inventory_read(struct libvirt_call *c);
/* Which processors are left for servers without cells, into the call's facts. */
void libvirt_inventory_divide(struct libvirt_call *c, virConnectPtr conn);
