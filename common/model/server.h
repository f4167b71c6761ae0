/* The server: what its tenant wants, what its host last said, and the OpenStack words that follow from both. Pure: no I/O, no clock.
 *
 *   desired (rows written by the API)          observed (rows written from agents' reports)
 *   exists / power / host / revision           state / revision / fault
 *
 * `status`, `task_state` and `vm_state` are a function of desired, observed, placement and the running operation; they are stored nowhere. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What the tenant wants the domain to be. Stored as text (server_power_name). */
enum server_power { SERVER_POWER_RUNNING, SERVER_POWER_STOPPED, SERVER_POWER_PAUSED, SERVER_POWER_SUSPENDED, SERVER_POWER_COUNT };

/* What the host last reported. Stored as text (server_state_name). */
enum server_state {
    SERVER_STATE_NONE,     /* nothing yet, or removed from its host */
    SERVER_STATE_BUILDING, /* the agent works on the first start */
    SERVER_STATE_RUNNING,
    SERVER_STATE_STOPPED,
    SERVER_STATE_PAUSED,
    SERVER_STATE_SUSPENDED,
    SERVER_STATE_CRASHED, /* the domain died by itself; the agent reports, the tenant decides */
    SERVER_STATE_GONE,    /* the agent removed every trace; the row goes to history */
    SERVER_STATE_COUNT
};

/* Where placement is. */
enum server_placement { SERVER_PLACEMENT_WAITING, SERVER_PLACEMENT_PLACED, SERVER_PLACEMENT_FAILED, SERVER_PLACEMENT_COUNT };

/* The running one-time operation, if any (see operation.h); the ones that change what a status shows. */
enum server_operation {
    SERVER_OPERATION_NONE,
    SERVER_OPERATION_REBOOT_SOFT,
    SERVER_OPERATION_REBOOT_HARD,
    SERVER_OPERATION_COUNT
};

struct server_situation {
    bool exists; /* desired */
    enum server_power power;
    enum server_state state; /* observed */
    enum server_placement placement;
    enum server_operation operation;
    bool fault; /* the last attempt failed for good: status ERROR until something succeeds */
};

/* OpenStack's words; static text, task_state NULL for none. */
struct server_words {
    const char *status;     /* "BUILD", "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "REBOOT", "HARD_REBOOT", "ERROR", "DELETED" */
    const char *vm_state;   /* "building", "active", "stopped", "paused", "suspended", "error", "deleted" */
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
    SERVER_ACTION_DELETE,
    SERVER_ACTION_COUNT
};
/* Whether Nova allows `action` now (a delete always wins). On true *ret_power is the desired power afterwards. */
bool server_allows(const struct server_situation *s, enum server_action action, enum server_power *ret_power);

/* Text forms for rows and messages; *_parse: -1 when unknown. */
const char *server_power_name(enum server_power p);
int server_power_parse(const char *text);
const char *server_state_name(enum server_state s);
int server_state_parse(const char *text);
const char *server_placement_name(enum server_placement p);
int server_placement_parse(const char *text);
const char *server_action_name(enum server_action a); /* as os-instance-actions shows it: "start", "stop", "reboot", "delete" ... */
