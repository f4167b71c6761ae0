/* The server: what its tenant wants, what its host last said, and the OpenStack words that follow from both. Pure: no
 * I/O, no clock.
 *
 *   desired (rows written by the API)          observed (rows written from agents' reports)
 *   exists / power / host / revision           state / revision / fault
 *
 * `status`, `task_state` and `vm_state` are a function of desired, observed, placement and the running operation; they
 * are stored nowhere. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What the tenant wants the domain to be. Stored as text (server_power_name). */
enum server_power {
    SERVER_POWER_RUNNING,
    SERVER_POWER_STOPPED,
    SERVER_POWER_PAUSED,
    SERVER_POWER_SUSPENDED,
    SERVER_POWER_COUNT
};

/* What the host last reported. Stored as text (server_state_name). */
enum server_state {
    SERVER_STATE_NONE,     /* nothing yet, or removed from its host */
    SERVER_STATE_BUILDING, /* the agent works on the first start */
    SERVER_STATE_RUNNING,
    SERVER_STATE_STOPPED,
    SERVER_STATE_PAUSED,
    SERVER_STATE_SUSPENDED,
    SERVER_STATE_CRASHED, /* the domain died by itself; the agent reports, the tenant decides */
    SERVER_STATE_SHELVED, /* on no host, its disk is an image; only the controller says so */
    SERVER_STATE_GONE,    /* the agent removed every trace; the row goes to history */
    SERVER_STATE_COUNT
};

/* Where placement is. */
enum server_placement {
    SERVER_PLACEMENT_WAITING,
    SERVER_PLACEMENT_PLACED,
    SERVER_PLACEMENT_FAILED,
    SERVER_PLACEMENT_COUNT
};

/* The running one-time operation, if any (see operation.h); the ones that change what a status shows. Those from
 * RESIZE_PREP on are moves between hosts (see migration.h). */
enum server_operation {
    SERVER_OPERATION_NONE,
    SERVER_OPERATION_REBOOT_SOFT,
    SERVER_OPERATION_REBOOT_HARD,
    SERVER_OPERATION_IMAGE_SNAPSHOT, /* an image is made of it: its host is asked for its disk */
    SERVER_OPERATION_IMAGE_BACKUP,   /* the same for one that rotates */
    SERVER_OPERATION_IMAGE_PENDING,  /* the host copies the disk */
    SERVER_OPERATION_IMAGE_UPLOADING,
    SERVER_OPERATION_FLATTENING,       /* its disk is made to need no other; nothing else of it changes */
    SERVER_OPERATION_SHELVING,         /* it is switched off, to be shelved */
    SERVER_OPERATION_SHELVING_PENDING, /* an image is made of it, as above */
    SERVER_OPERATION_SHELVING_UPLOADING,
    SERVER_OPERATION_SHELVED,          /* at rest: it is off on its host, and its disk is an image as well */
    SERVER_OPERATION_OFFLOADING,       /* its host removes it */
    SERVER_OPERATION_UNSHELVING,       /* it starts: where it is, or on any host from its image */
    SERVER_OPERATION_RESIZE_PREP,      /* a host is looked for, the guest is switched off */
    SERVER_OPERATION_RESIZE_MIGRATING, /* its disks are on their way */
    SERVER_OPERATION_RESIZE_FINISH,    /* it starts on the target */
    SERVER_OPERATION_RESIZED,          /* waits for confirmResize or revertResize */
    SERVER_OPERATION_RESIZE_REVERTING,
    SERVER_OPERATION_MIGRATING,  /* live */
    SERVER_OPERATION_REBUILDING, /* evacuated from a dead host */
    SERVER_OPERATION_COUNT
};
/* The server is between two hosts: what its tenant wants of its power waits, and reports of its hosts only say what is
 * there. */
bool server_operation_moves(enum server_operation o);
/* It is on its way to the shelf or back, or rests there on its host: whoever moves it decides what becomes of it (once
 * it is on no host, its state alone says that). */
bool server_operation_shelves(enum server_operation o);
/* An image is being made of it, or its disk flattened, which changes nothing of it: only a delete and its host's death
 * come before the end. */
bool server_operation_images(enum server_operation o);

struct server_situation {
    bool exists; /* desired */
    enum server_power power;
    enum server_state state; /* observed */
    enum server_placement placement;
    enum server_operation operation;
    bool fault;  /* the last attempt failed for good: status ERROR until something succeeds */
    bool silent; /* its host is not heard: what it said last need not be so any more */
};

/* OpenStack's words; static text, task_state NULL for none. */
struct server_words {
    const char *status;     /* "BUILD", "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "REBOOT", "HARD_REBOOT", "RESIZE",
                               "VERIFY_RESIZE", "REVERT_RESIZE", "MIGRATING", "REBUILD", "SHELVED",
                               "SHELVED_OFFLOADED", "UNKNOWN",
                               "ERROR", "DELETED" */
    const char *vm_state;   /* "building", "active", "stopped", "paused", "suspended", "resized", "error", "deleted" */
    const char *task_state; /* "scheduling", "spawning", "powering-off", "powering-on", "pausing", ..., "deleting" */
    int power_state;        /* 0 none, 1 running, 3 paused, 4 shutdown, 6 crashed, 7 suspended */
};
struct server_words server_words(const struct server_situation *s);

/* The actions of POST /servers/{id}/action that change power or start an operation. */
enum server_action {
    SERVER_ACTION_START,
    SERVER_ACTION_STOP,
    SERVER_ACTION_PAUSE,
    SERVER_ACTION_UNPAUSE,
    SERVER_ACTION_SUSPEND,
    SERVER_ACTION_RESUME,
    SERVER_ACTION_REBOOT_SOFT,
    SERVER_ACTION_REBOOT_HARD,
    SERVER_ACTION_RESIZE, /* and migrate: they do the same to a server */
    SERVER_ACTION_LIVE_MIGRATION,
    SERVER_ACTION_CONFIRM_RESIZE,
    SERVER_ACTION_REVERT_RESIZE,
    SERVER_ACTION_EVACUATE,
    SERVER_ACTION_CREATE_IMAGE,
    SERVER_ACTION_CREATE_BACKUP,
    SERVER_ACTION_CLONE,
    SERVER_ACTION_FLATTEN,
    SERVER_ACTION_SHELVE,
    SERVER_ACTION_SHELVE_OFFLOAD,
    SERVER_ACTION_UNSHELVE,
    SERVER_ACTION_DELETE,
    SERVER_ACTION_COUNT
};
/* Whether Nova allows `action` now (a delete always wins). On true *ret_power is the desired power afterwards; a move
 * leaves the power as it is. */
bool server_allows(const struct server_situation *s, enum server_action action, enum server_power *ret_power);

/* Text forms for rows and messages; *_parse: -1 when unknown. */
const char *server_power_name(enum server_power p);
int server_power_parse(const char *text);
const char *server_state_name(enum server_state s);
int server_state_parse(const char *text);
const char *server_placement_name(enum server_placement p);
int server_placement_parse(const char *text);
const char *
server_action_name(enum server_action a); /* as os-instance-actions shows it: "start", "stop", "reboot", "delete" ... */
const char *server_operation_name(enum server_operation o); /* "reboot-soft", "reboot-hard"; NULL for none */
int server_operation_parse(const char *text);               /* NULL gives SERVER_OPERATION_NONE */

/* Why server_allows said no, in the words of Nova's "Cannot 'stop' instance %s while it is in vm_state stopped":
 * returns "vm_state", "task_state" or "launched_at" and the offending word in *ret_value ("None" for no task or no
 * launch). NULL when it is allowed. */
const char *server_refusal(const struct server_situation *s, enum server_action action, const char **ret_value);

/* The power that a domain in `state` has at rest (a crashed one is stopped); false for states without one (none,
 * building, gone). */
bool server_power_of(enum server_state state, enum server_power *ret_power);
/* The host did what is desired: nothing is under way. */
bool server_settled(const struct server_situation *s);

/* What a host's report or an expired deadline makes of a server. The one mover of observed states: rows are changed by
 * nothing else. */
struct server_report {
    enum server_state state;
    bool current;   /* the host says that it has carried out the newest desired revision */
    bool failed;    /* carrying out failed for good */
    bool operation; /* the report names the running operation as ended */
    bool idle;      /* nothing was under way here: no deadline stands */
    bool resuming;  /* its host went down and is back: it is being brought to the desired power again */
};
enum server_outcome { SERVER_OUTCOME_OPEN, SERVER_OUTCOME_DONE, SERVER_OUTCOME_FAILED };
struct server_change {
    struct server_situation after;
    enum server_outcome outcome; /* of the running operation row */
    bool rest;                   /* no deadline stands any more */
    bool redesire;               /* the desired power was changed to what is: the host must see the new revision */
    bool resuming;               /* nobody asked, but its host is on the way to what is desired: a deadline is due */
    bool gone;                   /* every trace is removed as asked: the row goes to history */
};
/* Rules: a delete stays until the host says gone, whatever fails. A server that cannot be shelved is off, one that
 * cannot be unshelved goes back to the shelf. A failed build is a fault. A failed action goes back
 * to what is there. A guest that stops or crashes while nothing is under way becomes one that is desired stopped.
 * Success clears an earlier fault. While a server moves, or an image is made of it, only the state that is there is
 * taken over. */
void server_observe(const struct server_situation *before, const struct server_report *report,
                    struct server_change *ret);
/* The image that was being made of it is there, or never will be (its disk is flattened, or never will be): it is what
 * its tenant wants, or wanted as it is; it is shelved, or stays where it is, switched off. */
void server_end_image(const struct server_situation *before, bool made, struct server_change *ret);
/* The deadline of the transition passed: a build becomes a fault, an action goes back to what is there, a delete stays
 * a delete. */
void server_expire(const struct server_situation *before, struct server_change *ret);
