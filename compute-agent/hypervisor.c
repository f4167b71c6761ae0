/* Words for the log, and for tasks. */
#include "compute-agent/hypervisor.h"
#include <string.h>

const char *hypervisor_domain_name(enum hypervisor_domain domain)
{
    static const char *const names[HYPERVISOR_DOMAIN_COUNT] = {"absent", "shutoff", "running",
                                                               "paused", "saved",   "crashed"};
    return names[domain];
}

const char *hypervisor_action_name(enum hypervisor_action action)
{
    static const char *const names[HYPERVISOR_ACTION_COUNT] = {"create",  "define", "start",  "shutdown", "reboot",
                                                               "destroy", "reset",  "pause",  "resume",   "save",
                                                               "discard", "remove", "adjust", "look"};
    return names[action];
}

static const char *const move_names[HYPERVISOR_MOVE_COUNT] = {
    "release", "serve", "receive", "ready", "send", "arrive", "adopt", "discard", "snapshot", "flatten", "fit"};

const char *hypervisor_move_name(enum hypervisor_move_kind kind)
{
    return move_names[kind];
}

int hypervisor_move_parse(const char *text)
{
    for (int i = 0; i < HYPERVISOR_MOVE_COUNT; i++) {
        if (strcmp(move_names[i], text) == 0)
            return i;
    }
    return -1;
}
