/* One question to a guest, by HTTP: inside the network that the interface leads to, and nowhere else. Blocking; any
 * thread. */
#pragma once
#include "common/error.h"
#include "compute-agent/hypervisor.h"
#include <stdbool.h>

/* `interface`: the bridge of the guest's network. Nothing but the status of the answer is looked at; redirections are
 * not followed, no proxy is asked, no name resolved. *ret_asked false: it could not be asked from here (the host has no
 * address in that network, or the address is the host's own). ERR_PEER, ERR_TIMEOUT. */
int http_probe(const struct hypervisor_probe *probe, const char *interface, bool *ret_asked, struct error *e);
