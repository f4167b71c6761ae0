/* IP address management: which addresses a port gets. Free ones are rows of subnet_free (ranges), held ones rows of
 * port_address; an address moves from one to the other in the caller's transaction, so none is lost or given twice.
 * Each step is a search in an index: O(log n) also when the subnet is nearly full. */
#pragma once
#include "common/model/ip.h"
#include "db/store_subnet.h"

/* What somebody asks for: a subnet, an address, both, or (as a list of none) whatever there is. */
struct ip_request {
    const char *subnet_id, *ip; /* NULL: not said; ip may be in any text form */
};
struct ip_assigned {
    const char *subnet_id, *ip; /* canonical text */
};

/* Makes the ranges of a new subnet from its pools, or again after the pools changed (what ports hold stays held). */
int store_ipam_fill(struct db_conn *c, const struct subnet_row *subnet, struct arena *a, struct error *e);

/* Takes addresses for a port: those of `requests`, or with count 0 what Neutron chooses by itself: one of an IPv4
 * subnet, one of a stateful IPv6 subnet, and the EUI-64 address in each SLAAC subnet. `subnets`: all of the network;
 * none gives no address. Writes subnet_free only: store_ipam_hold must follow. ERR_INVALID (InvalidIpForNetwork,
 * InvalidIpForSubnet, ...), ERR_CONFLICT (IpAddressGenerationFailure: the network is full; IpAddressInUse). */
struct ipam_query {
    const char *network_id, *mac, *device_owner;
    const struct subnet_row *subnets;
    size_t subnet_count;
    const struct ip_request *requests;
    size_t request_count;
};
int store_ipam_take(struct db_conn *c, const struct ipam_query *query, struct arena *a, struct ip_assigned **ret,
                    size_t *ret_count, struct error *e);
/* Writes port_address. ERR_CONFLICT (IpAddressInUse) when one is held already. */
int store_ipam_hold(struct db_conn *c, const char *network_id, const char *port_id, const struct ip_assigned *list,
                    size_t count, struct error *e);
/* Gives one address back; it rests behind all others that are free. */
int store_ipam_release(struct db_conn *c, const char *port_id, const struct ip_assigned *address, int64_t now_us,
                       struct arena *a, struct error *e);
/* The JSON of port.fixed_ips and back. */
char *store_ipam_print(const struct ip_assigned *list, size_t count, struct arena *a);
int store_ipam_parse(const char *json, struct arena *a, struct ip_assigned **ret, size_t *ret_count, struct error *e);
