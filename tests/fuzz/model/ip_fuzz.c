/* Addresses, networks and MACs: what is taken is written canonically, read again and is the same. */
#include "common/model/ip.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void check_address(const char *text)
{
    struct ip address, again;
    char canonical[IP_TEXT_SIZE], key[IP_KEY_SIZE];
    if (!ip_parse(text, &address))
        return;
    assert(ip_parse(ip_text(&address, canonical), &again) && ip_compare(&address, &again) == 0);
    assert(ip_key_parse(ip_key(&address, key), address.version, &again) && ip_compare(&address, &again) == 0);
}

static void check_net(const char *text)
{
    struct ip_net net, again;
    struct ip first, last;
    char canonical[IP_NET_TEXT_SIZE];
    if (!ip_net_parse(text, &net))
        return;
    assert(ip_net_parse(ip_net_text(&net, canonical), &again));
    assert(again.prefix == net.prefix && ip_compare(&again.base, &net.base) == 0);
    ip_net_hosts(&net, &first, &last);
    assert(ip_net_contains(&net, &first) && ip_net_contains(&net, &last) && ip_compare(&first, &last) <= 0);
    assert(ip_net_is_host(&net, &first) && ip_net_overlaps(&net, &again));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *text = malloc(size + 1), mac[IP_MAC_SIZE], again[IP_MAC_SIZE];
    memcpy(text, data, size);
    text[size] = 0;
    check_address(text);
    check_net(text);
    if (ip_mac_parse(text, mac))
        assert(ip_mac_parse(mac, again) && strcmp(mac, again) == 0);
    free(text);
    return 0;
}
