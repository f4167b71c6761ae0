/* Addresses: IPv4 and IPv6 arithmetic, prefixes, ranges and MACs. Pure: no I/O, no name lookups, any thread.
 *
 * An address is kept as 16 bytes in network order; IPv4 uses the last four, so that comparing and adding are the same
 * for both. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip {
    int version;             /* 4 or 6; 0: none */
    unsigned char bytes[16]; /* network order; IPv4 in bytes 12..15 behind zeros */
};
#define IP_TEXT_SIZE 46 /* "ffff:...:255.255.255.255" with the terminator */
#define IP_KEY_SIZE  33

/* Dotted quad without leading zeros, or any RFC 4291 form (no zone, no prefix). False when it is neither. */
bool ip_parse(const char *text, struct ip *ret);
/* The canonical text (RFC 5952 for IPv6) into `ret`, which is returned. */
char *ip_text(const struct ip *address, char ret[IP_TEXT_SIZE]);
/* 32 hex digits that sort as the addresses do, whatever the collation; and back. */
char *ip_key(const struct ip *address, char ret[IP_KEY_SIZE]);
bool ip_key_parse(const char *key, int version, struct ip *ret);

/* <0, 0, >0; addresses of different versions: 4 sorts before 6. */
int ip_compare(const struct ip *a, const struct ip *b);
/* The address `delta` further; false when that leaves the version's space (*ret is untouched then). */
bool ip_add(const struct ip *address, uint64_t delta, struct ip *ret);
bool ip_subtract(const struct ip *address, uint64_t delta, struct ip *ret);
/* last - first, UINT64_MAX when it is more; 0 when last < first. */
uint64_t ip_distance(const struct ip *first, const struct ip *last);

bool ip_is_multicast(const struct ip *address);
bool ip_is_loopback(const struct ip *address);
bool ip_is_link_local(const struct ip *address);
bool ip_is_unspecified(const struct ip *address);

/* A prefix: the network's base address and the number of leading bits. */
struct ip_net {
    struct ip base;
    int prefix;
};
#define IP_NET_TEXT_SIZE (IP_TEXT_SIZE + 4)
/* "10.0.0.0/24", "fd00::/64"; host bits are allowed and cleared; without "/n" the prefix is the whole address. */
bool ip_net_parse(const char *text, struct ip_net *ret);
/* "base/prefix" with the canonical base. */
char *ip_net_text(const struct ip_net *net, char ret[IP_NET_TEXT_SIZE]);
/* The network of `prefix` bits that `address` is in; asserts that prefix fits the version. */
struct ip_net ip_net_of(const struct ip *address, int prefix);
bool ip_net_contains(const struct ip_net *net, const struct ip *address);
bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b);
/* All bits of the host part set: IPv4's broadcast address. */
struct ip ip_net_last(const struct ip_net *net);
/* Whether a host may have this address: inside, and for IPv4 below /31 neither network nor broadcast address, for IPv6
 * below /127 not the subnet-router anycast address (the base). */
bool ip_net_is_host(const struct ip_net *net, const struct ip *address);
/* First and last address that a host may have. */
void ip_net_hosts(const struct ip_net *net, struct ip *ret_first, struct ip *ret_last);

/* A closed range of one version. */
struct ip_range {
    struct ip first, last;
};
bool ip_range_contains(const struct ip_range *range, const struct ip *address);
bool ip_range_overlaps(const struct ip_range *a, const struct ip_range *b);
/* What remains of `range` without `hole`: 0, 1 or 2 ranges in ret. */
size_t ip_range_without(const struct ip_range *range, const struct ip *hole, struct ip_range ret[2]);

#define IP_MAC_SIZE 18
/* Six octets in hex, ':' or '-' between them or nothing ("fa163e000102"); gives lower case with colons. */
bool ip_mac_parse(const char *text, char ret[IP_MAC_SIZE]);
/* fa:16:3e and the low 24 bits of `suffix`: a locally administered unicast address as Neutron makes them. */
char *ip_mac_make(uint32_t suffix, char ret[IP_MAC_SIZE]);
/* The address that a host with this MAC gives itself in a /64 (RFC 4291, modified EUI-64). False unless the prefix is
 * an IPv6 one of at most 64 bits and `mac` is in the form of ip_mac_parse. */
bool ip_eui64(const struct ip_net *net, const char *mac, struct ip *ret);
