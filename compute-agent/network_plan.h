/* What one of the cloud's networks should be on this host. */
#pragma once
#include "common/json_in.h"
#include <stddef.h>
#include <stdint.h>

struct network_host {
    const char *mac, *ip, *name; /* name: the guest's host name */
};
struct network_plan {
    const char *id, *name;            /* the cloud's UUID and the tenant's name for it */
    int64_t mtu;                      /* 0: default */
    struct json_list subnets;         /* struct spec_subnet */
    const struct network_host *hosts; /* DHCP reservations, sorted by MAC and address */
    size_t host_count;
};
