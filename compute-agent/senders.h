/* Who may send by a nic with port security: its own MAC and addresses, and those that it is allowed besides. What a
 * host sends before it has an address is among them: 0.0.0.0 for DHCP and ARP probes, :: and the link-local address for
 * IPv6's. Pure. */
#pragma once
#include "common/model/ip.h"
#include "compute-agent/spec.h"

typedef void (*senders_fn)(void *arg, const char *mac, const struct ip_net *net);
/* What is no MAC or no prefix is left out. */
void senders_each(const struct spec_nic *nic, senders_fn each, void *arg);
