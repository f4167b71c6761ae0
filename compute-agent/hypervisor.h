/* What the agent wants of a hypervisor, and of the host around it: domains, their files, their networks. A vtable; the
 * libvirt implementation serves real hosts, the fake one tests and benches.
 *
 * Everything is asynchronous and for the loop's thread: a call returns at once and its callback comes later, exactly
 * once, never from inside the call. The caller keeps at most one call under way per server. What is passed in must stay
 * as it is until the callback comes; what a callback gets lives for the callback only.
 *
 * Errors say whether trying again may help: `transient` covers the connection being away, a call given up as lost, a
 * busy host. */
#pragma once
#include "common/error.h"
#include "common/model/ip.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spec;
struct json_list;
struct json_out;
struct guest_cpu_baseline;
struct network_plan;
struct hypervisor;

enum hypervisor_domain {
    HYPERVISOR_ABSENT,  /* no such domain */
    HYPERVISOR_SHUTOFF, /* defined, not running */
    HYPERVISOR_RUNNING,
    HYPERVISOR_PAUSED,
    HYPERVISOR_SAVED,   /* not running, its memory is on disk */
    HYPERVISOR_CRASHED, /* not running, and not because anybody wanted that */
    HYPERVISOR_DOMAIN_COUNT
};

enum hypervisor_action {
    HYPERVISOR_CREATE,   /* define if need be, start */
    HYPERVISOR_DEFINE,   /* define if need be */
    HYPERVISOR_START,    /* a defined one; from its saved memory when there is one */
    HYPERVISOR_SHUTDOWN, /* press the power button; returns at once */
    HYPERVISOR_REBOOT,   /* ask the guest to reboot; returns at once, an event tells when it did */
    HYPERVISOR_DESTROY,  /* pull the plug */
    HYPERVISOR_RESET,    /* pull the plug and start again */
    HYPERVISOR_PAUSE,
    HYPERVISOR_RESUME,
    HYPERVISOR_SAVE,    /* managed save */
    HYPERVISOR_DISCARD, /* drop the managed save */
    HYPERVISOR_REMOVE,  /* destroy, undefine, delete files, everything; what is not there is no error */
    HYPERVISOR_ADJUST,  /* a running or paused one: its processors, memory, nics and what they may send are as the
                           specification says, and it has the disks that this has */
    HYPERVISOR_LOOK,    /* only say what is there */
    HYPERVISOR_ACTION_COUNT
};

struct hypervisor_result {
    int code; /* 0 or an error code */
    bool transient;
    bool restart;                  /* ADJUST failed: a restart would do it, if trying again does not ... */
    bool lacks;                    /* ... or would not: it has not what the server is to have, and runs as it was */
    const struct error *error;     /* NULL when code is 0 */
    enum hypervisor_domain domain; /* what is there now; only when code is 0 */
};
typedef void (*hypervisor_done_fn)(void *arg, const struct hypervisor_result *result);

/* One server that is on the host: a domain with this cloud's and this host's ids, or files without a domain. */
struct hypervisor_found {
    char server_id[UUID_SIZE];
    enum hypervisor_domain domain;
    bool traces; /* files, a domain or both */
};
struct hypervisor_list {
    struct hypervisor_result result;
    const struct hypervisor_found *servers;
    size_t server_count;
    const char *const *networks; /* ids of this host's networks */
    size_t network_count;
};
typedef void (*hypervisor_list_fn)(void *arg, const struct hypervisor_list *list);

/* Text as an answer: a console's log, JSON of diagnostics or inventory. */
typedef void (*hypervisor_text_fn)(void *arg, const struct hypervisor_result *result, const char *text, size_t size);

/* Cumulative counters of one nic, while it is plugged. */
struct hypervisor_nic {
    char mac[IP_MAC_SIZE];      /* "": the hypervisor does not tell */
    char network_id[UUID_SIZE]; /* "" until somebody knows: hypervisors do not */
    uint64_t in_bytes, out_bytes;
};
/* What people look at and nobody pays for. */
enum hypervisor_figure {
    HYPERVISOR_STEAL_NS, /* its processors were ready to run and had to wait */
    HYPERVISOR_MEMORY_MAX_KIB,
    HYPERVISOR_BALLOON_KIB,   /* what the balloon leaves the guest */
    HYPERVISOR_AVAILABLE_KIB, /* this and what follows as the guest's driver counts */
    HYPERVISOR_UNUSED_KIB,
    HYPERVISOR_USABLE_KIB,
    HYPERVISOR_SWAP_IN_KIB,
    HYPERVISOR_SWAP_OUT_KIB,
    HYPERVISOR_MAJOR_FAULTS,
    HYPERVISOR_FIGURES
};
#define HYPERVISOR_UNTOLD (-1)
/* Cumulative counters of one domain. */
struct hypervisor_sample {
    char server_id[UUID_SIZE];
    int64_t at_us;
    uint64_t cpu_ns, disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops, net_in_bytes, net_out_bytes;
    uint64_t memory_rss_kib;
    int64_t figures[HYPERVISOR_FIGURES]; /* HYPERVISOR_UNTOLD where the hypervisor does not tell */
    struct hypervisor_nic *nics;         /* what net_in_bytes and net_out_bytes are made of */
    size_t nic_count;
};
/* The samples are valid during the call, and may be changed in it. */
typedef void (*hypervisor_samples_fn)(void *arg, const struct hypervisor_result *result,
                                      struct hypervisor_sample *samples, size_t count);

enum hypervisor_event_kind {
    HYPERVISOR_EVENT_DOMAIN, /* the domain is now as `domain` says */
    HYPERVISOR_EVENT_REBOOT, /* the guest has rebooted */
    HYPERVISOR_EVENT_UNSURE, /* something happened to it: list again */
};
struct hypervisor_event {
    enum hypervisor_event_kind kind;
    char server_id[UUID_SIZE];
    enum hypervisor_domain domain;
    int64_t at_us;
    const char *reason; /* for the log; static */
};
/* What the hypervisor tells by itself, on the loop. */
struct hypervisor_listener {
    void *arg;
    /* The connection is there (again): whatever was known of domains is stale, list them. */
    void (*on_up)(void *arg);
    void (*on_down)(void *arg, const char *why);
    /* Only domains with our ids. */
    void (*on_event)(void *arg, const struct hypervisor_event *event);
};

struct hypervisor_prepare {
    const struct spec *spec;
    bool first;                     /* nothing of this server has existed: its disk may be made */
    const struct spec *source;      /* the server that it is a clone of, for as long as this takes; NULL: it is none,
                                       or that one is not here */
    void (*on_progress)(void *arg); /* may be called once: this takes long (the image has to be fetched) */
};

/* A server's move from one host to another, seen from one of them. Each kind may be repeated. */
enum hypervisor_move_kind {
    HYPERVISOR_MOVE_RELEASE, /* the domain goes (switched off if need be), its files stay */
    HYPERVISOR_MOVE_SERVE, /* from now on `peer` may read the server's files, until another move of the server comes */
    HYPERVISOR_MOVE_RECEIVE,  /* its files are fetched from `peer` (unless that is this host), disks grown to the
                            specification */
    HYPERVISOR_MOVE_READY,    /* everything is made and checked that a running guest of `peer` needs to come here */
    HYPERVISOR_MOVE_SEND,     /* the running guest goes to `peer`; when it is away already, that is success, failure
                            that it runs here and nothing moves it */
    HYPERVISOR_MOVE_ARRIVE,   /* says that the guest is here, owned by this host */
    HYPERVISOR_MOVE_ADOPT,    /* the files of a dead host, where this one reaches them: whether its disks are here, what
                            they need is fetched, and nobody else may remove them any more */
    HYPERVISOR_MOVE_DISCARD,  /* HYPERVISOR_REMOVE, also of what is half made */
    HYPERVISOR_MOVE_SNAPSHOT, /* no move: a copy of its disk as it is now, whole and by itself, while it goes on; the
                           callback's text: {"file", to be removed by the caller, or "data"; "format"} */
    HYPERVISOR_MOVE_FLATTEN,  /* no move: its disk needs no other file any more; it may be on all along */
    HYPERVISOR_MOVE_FIT,      /* no move: the files of the disks that the specification has more; the guest that is on
                           gets them when it is adjusted to that one */
    HYPERVISOR_MOVE_COUNT
};
struct hypervisor_move {
    enum hypervisor_move_kind kind;
    const char *server_id;
    const char *image_id;                             /* SNAPSHOT: what it is for */
    const struct spec *spec;                          /* RECEIVE, READY, ADOPT, FIT; as the server will be here */
    const char *peer_id, *peer_address;               /* the other host; NULL for DISCARD */
    const char *source_id;                            /* DISCARD: the migration's source, NULL: not known */
    bool same_host;                                   /* it stays where it is */
    bool from_here;                                   /* this host is the migration's source */
    bool paused;                                      /* ARRIVE: what the tenant wants it to be */
    const char *peer_cpu;                             /* READY: JSON object of the source's inventory */
    const char *hint;                                 /* SEND: JSON object that the target's READY gave */
    int64_t bandwidth_mibps;                          /* SEND: 0 for none */
    bool auto_converge, post_copy, force;             /* SEND; force: it must end soon, whatever it costs the guest */
    bool cancelled;                                   /* SEND: only one that has begun before is to end */
    int64_t parallel;                                 /* SEND: connections; 0: one, in the oldest way */
    const char *compress;                             /* SEND: "xbzrle", "mt", or NULL */
    void (*on_progress)(void *arg, const char *json); /* SEND, FLATTEN: an object of os-migrations' figures */
};

/* One question by HTTP to a guest, inside its own network and only to its own address. */
struct hypervisor_probe {
    const char *server_id, *network_id, *address, *path;
    int64_t port, timeout_ms, status_from, status_to;
};

struct hypervisor_ops {
    /* Connects and keeps reconnecting; on_up says when. */
    void (*start)(struct hypervisor *h, const struct hypervisor_listener *listener);
    void (*list)(struct hypervisor *h, hypervisor_list_fn done, void *arg);
    /* Image, disk, config drive. Calls on_progress before done. */
    void (*prepare)(struct hypervisor *h, const struct hypervisor_prepare *what, hypervisor_done_fn done, void *arg);
    /* `spec` is needed for CREATE and DEFINE; START and RESET take over its changes when it is given. */
    void (*act)(struct hypervisor *h, enum hypervisor_action action, const char *server_id, const struct spec *spec,
                hypervisor_done_fn done, void *arg);
    /* The callback gets a JSON object for the API, or "". `move` must stay as it is until then; result->domain as for
     * act. NULL: this hypervisor cannot. */
    void (*move)(struct hypervisor *h, const struct hypervisor_move *move, hypervisor_text_fn done, void *arg);
    /* The move under way of that server is to be given up (`force` false), or forced to its end. It ends with its
     * callback all the same. */
    void (*move_change)(struct hypervisor *h, const char *server_id, bool force);
    /* Makes the network as planned, its reservations too; idempotent. A plan without hosts still makes it. */
    void (*network_apply)(struct hypervisor *h, const struct network_plan *plan, hypervisor_done_fn done, void *arg);
    void (*network_remove)(struct hypervisor *h, const char *network_id, hypervisor_done_fn done, void *arg);
    /* The last `lines` lines of the serial console (-1: all that is kept). */
    void (*console_log)(struct hypervisor *h, const char *server_id, int64_t lines, hypervisor_text_fn done, void *arg);
    /* A JSON object. */
    void (*diagnostics)(struct hypervisor *h, const char *server_id, hypervisor_text_fn done, void *arg);
    /* QEMU's guest agent in the guest sets it; both texts are copied. NULL: this hypervisor cannot. */
    void (*set_password)(struct hypervisor *h, const char *server_id, const char *user, const char *password,
                         hypervisor_text_fn done, void *arg);
    /* A JSON object: what QEMU's guest agent in the guest says of its nics. NULL: this hypervisor cannot. */
    void (*addresses)(struct hypervisor *h, const char *server_id, hypervisor_text_fn done, void *arg);
    /* A JSON object: the machines that are nobody's server. NULL: this hypervisor cannot. */
    void (*foreign)(struct hypervisor *h, hypervisor_text_fn done, void *arg);
    /* The processor of the host's pool (its texts are copied), for guests that start from now on; inventory tells what
     * comes of it. id 0: there is none. NULL: this hypervisor has no models of processors. */
    void (*set_baseline)(struct hypervisor *h, const struct guest_cpu_baseline *baseline);
    /* A JSON object {"model","description","features"}: what all of these processors (const char *, descriptions of
     * hosts' inventories) have in common. NULL: this hypervisor cannot. */
    void (*baseline)(struct hypervisor *h, const struct json_list *cpus, hypervisor_text_fn done, void *arg);
    /* Code 0: it answers with such a status. `transient`: it cannot be asked from here. Else the sentence says what is
     * wrong with its answer. `probe` must stay as it is until then. NULL: this hypervisor's guests cannot be asked. */
    void (*probe)(struct hypervisor *h, const struct hypervisor_probe *probe, hypervisor_done_fn done, void *arg);
    void (*inventory)(struct hypervisor *h, hypervisor_text_fn done, void *arg);
    void (*samples)(struct hypervisor *h, hypervisor_samples_fn done, void *arg);
    /* No callback comes after it has returned; what runs is waited for or given up. */
    void (*free)(struct hypervisor *h);
};
/* First in every implementation's own struct. */
struct hypervisor {
    const struct hypervisor_ops *ops;
};

/* Static text for logs. */
const char *hypervisor_domain_name(enum hypervisor_domain domain);
const char *hypervisor_action_name(enum hypervisor_action action);
/* "release", "serve" ...; -1 when unknown. */
const char *hypervisor_move_name(enum hypervisor_move_kind kind);
int hypervisor_move_parse(const char *text);
