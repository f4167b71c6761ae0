/* What a guest may send, as libvirt's network filters: one filter for all of them, and its parameters for each nic. A
 * nic with port security sends from its own MAC and addresses and from those that it is allowed besides, over IPv4, ARP
 * and IPv6, and nothing else. Pure. */
#pragma once
#include "compute-agent/spec.h"
#include <libxml/tree.h>

/* The number grows with the rules: agents of two versions may share a libvirtd. */
#define FILTER_XML_NAME "virga-port-security-1"

/* The filter. Caller frees. */
char *filter_xml_make(void);
/* Adds the reference with the nic's parameters to an <interface>. */
void filter_xml_refer(xmlNodePtr interface, const struct spec_nic *nic);
