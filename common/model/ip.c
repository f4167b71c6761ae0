/* Addresses: see ip.h. Text forms go through inet_pton and inet_ntop, which touch no name service; all else is
 * arithmetic on 16 bytes. */
#include "common/model/ip.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bits_of(int version)
{
    return version == 4 ? 32 : 128;
}

/* inet_pton reads a dotted quad strictly (no octal, no missing parts). */
bool ip_parse(const char *text, struct ip *ret)
{
    struct ip found = {0};
    if (text == NULL)
        return false;
    if (inet_pton(AF_INET, text, found.bytes + 12) == 1)
        found.version = 4;
    else if (inet_pton(AF_INET6, text, found.bytes) == 1)
        found.version = 6;
    else
        return false;
    *ret = found;
    return true;
}

char *ip_text(const struct ip *address, char ret[IP_TEXT_SIZE])
{
    const void *bytes = address->version == 4 ? address->bytes + 12 : address->bytes;
    if (inet_ntop(address->version == 4 ? AF_INET : AF_INET6, bytes, ret, IP_TEXT_SIZE) == NULL)
        ret[0] = 0;
    return ret;
}

char *ip_key(const struct ip *address, char ret[IP_KEY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        ret[2 * i] = digits[address->bytes[i] >> 4];
        ret[2 * i + 1] = digits[address->bytes[i] & 15];
    }
    ret[32] = 0;
    return ret;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool ip_key_parse(const char *key, int version, struct ip *ret)
{
    struct ip found = {.version = version};
    if (key == NULL || strlen(key) != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int high = hex_value(key[2 * i]), low = hex_value(key[2 * i + 1]);
        if (high < 0 || low < 0 || (version == 4 && i < 12 && (high | low) != 0))
            return false;
        found.bytes[i] = (unsigned char)(high << 4 | low);
    }
    *ret = found;
    return true;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    if (a->version != b->version)
        return a->version - b->version;
    return memcmp(a->bytes, b->bytes, 16);
}

bool ip_add(const struct ip *address, uint64_t delta, struct ip *ret)
{
    struct ip sum = *address;
    unsigned carry = 0;
    int end = address->version == 4 ? 12 : 0;
    for (int i = 15; i >= end; i--) {
        carry += sum.bytes[i] + (unsigned)(delta & 255);
        sum.bytes[i] = (unsigned char)(carry & 255);
        carry >>= 8;
        delta >>= 8;
    }
    if (carry != 0 || delta != 0)
        return false;
    *ret = sum;
    return true;
}

bool ip_subtract(const struct ip *address, uint64_t delta, struct ip *ret)
{
    struct ip rest = *address;
    unsigned borrow = 0;
    int end = address->version == 4 ? 12 : 0;
    for (int i = 15; i >= end; i--) {
        unsigned need = (unsigned)(delta & 255) + borrow, have = rest.bytes[i];
        borrow = have < need;
        rest.bytes[i] = (unsigned char)((have + (borrow ? 256U : 0U) - need) & 255U);
        delta >>= 8;
    }
    if (borrow != 0 || delta != 0)
        return false;
    *ret = rest;
    return true;
}

uint64_t ip_distance(const struct ip *first, const struct ip *last)
{
    unsigned char gap[16];
    unsigned borrow = 0;
    uint64_t low = 0;
    if (ip_compare(first, last) >= 0)
        return 0;
    for (int i = 15; i >= 0; i--) {
        unsigned need = first->bytes[i] + borrow, have = last->bytes[i];
        borrow = have < need;
        gap[i] = (unsigned char)((have + (borrow ? 256U : 0U) - need) & 255U);
    }
    for (int i = 0; i < 8; i++)
        if (gap[i] != 0)
            return UINT64_MAX;
    for (int i = 8; i < 16; i++)
        low = low << 8 | gap[i];
    return low;
}

bool ip_is_multicast(const struct ip *address)
{
    return address->version == 4 ? (address->bytes[12] & 0xf0) == 0xe0 : address->bytes[0] == 0xff;
}

bool ip_is_unspecified(const struct ip *address)
{
    static const unsigned char zero[16];
    return memcmp(address->bytes, zero, 16) == 0;
}

bool ip_is_loopback(const struct ip *address)
{
    static const unsigned char one[16] = {[15] = 1};
    return address->version == 4 ? address->bytes[12] == 127 : memcmp(address->bytes, one, 16) == 0;
}

bool ip_is_link_local(const struct ip *address)
{
    if (address->version == 4)
        return address->bytes[12] == 169 && address->bytes[13] == 254;
    return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

/* Sets every bit behind the first `prefix` ones of the address to `value`. */
static struct ip fill_host(const struct ip *address, int prefix, bool value)
{
    struct ip result = *address;
    int offset = 128 - bits_of(address->version);
    for (int i = 0; i < 16; i++) {
        int kept = prefix + offset - 8 * i; /* leading bits of this byte that belong to the network */
        unsigned mask = kept >= 8 ? 0U : kept <= 0 ? 255U : 255U >> kept;
        if (address->version == 4 && i < 12)
            mask = 0;
        unsigned byte = result.bytes[i];
        result.bytes[i] = (unsigned char)((value ? byte | mask : byte & ~mask) & 255U);
    }
    return result;
}

struct ip_net ip_net_of(const struct ip *address, int prefix)
{
    assert(prefix >= 0 && prefix <= bits_of(address->version));
    return (struct ip_net){.base = fill_host(address, prefix, false), .prefix = prefix};
}

static bool parse_prefix(const char *text, int most, int *ret)
{
    int value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 3)
        return false;
    for (const char *at = text; *at != 0; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (*at - '0');
    }
    if (value > most)
        return false;
    *ret = value;
    return true;
}

bool ip_net_parse(const char *text, struct ip_net *ret)
{
    char head[IP_TEXT_SIZE];
    struct ip address;
    if (text == NULL)
        return false;
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
    if (length >= sizeof(head))
        return false;
    memcpy(head, text, length);
    head[length] = 0;
    if (!ip_parse(head, &address))
        return false;
    int prefix = bits_of(address.version);
    if (slash != NULL && !parse_prefix(slash + 1, prefix, &prefix))
        return false;
    *ret = ip_net_of(&address, prefix);
    return true;
}

char *ip_net_text(const struct ip_net *net, char ret[IP_NET_TEXT_SIZE])
{
    char base[IP_TEXT_SIZE];
    snprintf(ret, IP_NET_TEXT_SIZE, "%s/%d", ip_text(&net->base, base), net->prefix);
    return ret;
}

bool ip_net_contains(const struct ip_net *net, const struct ip *address)
{
    struct ip last = ip_net_last(net);
    return net->base.version == address->version && ip_compare(&net->base, address) <= 0 &&
           ip_compare(address, &last) <= 0;
}

bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b)
{
    return ip_net_contains(a, &b->base) || ip_net_contains(b, &a->base);
}

struct ip ip_net_last(const struct ip_net *net)
{
    return fill_host(&net->base, net->prefix, true);
}

void ip_net_hosts(const struct ip_net *net, struct ip *ret_first, struct ip *ret_last)
{
    struct ip first = net->base, last = ip_net_last(net);
    if (net->prefix < bits_of(net->base.version) - 1) {
        ip_add(&first, 1, &first);
        if (net->base.version == 4)
            ip_subtract(&last, 1, &last);
    }
    *ret_first = first;
    *ret_last = last;
}

bool ip_net_is_host(const struct ip_net *net, const struct ip *address)
{
    struct ip_range hosts;
    ip_net_hosts(net, &hosts.first, &hosts.last);
    return ip_range_contains(&hosts, address);
}

bool ip_range_contains(const struct ip_range *range, const struct ip *address)
{
    return address->version == range->first.version && ip_compare(&range->first, address) <= 0 &&
           ip_compare(address, &range->last) <= 0;
}

bool ip_range_overlaps(const struct ip_range *a, const struct ip_range *b)
{
    return ip_range_contains(a, &b->first) || ip_range_contains(b, &a->first);
}

size_t ip_range_without(const struct ip_range *range, const struct ip *hole, struct ip_range ret[2])
{
    size_t count = 0;
    if (!ip_range_contains(range, hole)) {
        ret[0] = *range;
        return 1;
    }
    struct ip_range below = *range, above = *range;
    if (ip_compare(&range->first, hole) < 0 && ip_subtract(hole, 1, &below.last))
        ret[count++] = below;
    if (ip_compare(hole, &range->last) < 0 && ip_add(hole, 1, &above.first))
        ret[count++] = above;
    return count;
}

bool ip_mac_parse(const char *text, char ret[IP_MAC_SIZE])
{
    char found[IP_MAC_SIZE];
    if (text == NULL)
        return false;
    char between = strlen(text) == 12 ? 0 : text[0] != 0 && text[1] != 0 ? text[2] : 0;
    if (strlen(text) != (between == 0 ? 12U : 17U) || (between != 0 && between != ':' && between != '-'))
        return false;
    const char *at = text;
    for (int i = 0; i < 6; i++) {
        int high = hex_value(at[0]), low = high < 0 ? -1 : hex_value(at[1]);
        if (low < 0 || (between != 0 && i < 5 && at[2] != between))
            return false;
        found[3 * i] = "0123456789abcdef"[high];
        found[3 * i + 1] = "0123456789abcdef"[low];
        found[3 * i + 2] = i < 5 ? ':' : 0;
        at += between != 0 ? 3 : 2;
    }
    memcpy(ret, found, IP_MAC_SIZE);
    return true;
}

char *ip_mac_make(uint32_t suffix, char ret[IP_MAC_SIZE])
{
    snprintf(ret, IP_MAC_SIZE, "fa:16:3e:%02x:%02x:%02x", suffix >> 16 & 255U, suffix >> 8 & 255U, suffix & 255U);
    return ret;
}

bool ip_eui64(const struct ip_net *net, const char *mac, struct ip *ret)
{
    unsigned octet[6];
    if (net->base.version != 6 || net->prefix > 64 || strlen(mac) != 17)
        return false;
    for (int i = 0; i < 6; i++) {
        int high = hex_value(mac[3 * i]), low = hex_value(mac[3 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        octet[i] = (unsigned)(high << 4 | low);
    }
    struct ip result = net->base;
    const unsigned tail[8] = {octet[0] ^ 2U, octet[1], octet[2], 0xff, 0xfe, octet[3], octet[4], octet[5]};
    for (int i = 0; i < 8; i++)
        result.bytes[8 + i] = (unsigned char)(tail[i] & 255U);
    *ret = result;
    return true;
}
