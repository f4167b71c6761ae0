/* Words for the log. */
#include "compute-agent/hypervisor.h"

const char *hypervisor_domain_name(enum hypervisor_domain domain)
{
    static const char *const names[HYPERVISOR_DOMAIN_COUNT] = {"absent", "shutoff", "running",
                                                               "paused", "saved",   "crashed"};
    return names[domain];
}

const char *hypervisor_action_name(enum hypervisor_action action)
{
    static const char *const names[HYPERVISOR_ACTION_COUNT] = {"create",  "define", "start", "shutdown", "reboot",
                                                               "destroy", "reset",  "pause", "resume",   "save",
                                                               "discard", "remove", "look"};
    return names[action];
}
