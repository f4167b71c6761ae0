/* One after the other, in the order of the specification. */
#include "compute-agent/senders.h"
#include <stdio.h>
#include <string.h>

struct senders {
    senders_fn each;
    void *arg;
};

static void senders_tell(const struct senders *s, const char *mac, const char *prefix)
{
    struct ip_net net;
    char canonical[IP_MAC_SIZE];
    if (ip_net_parse(prefix, &net) && ip_mac_parse(mac, canonical))
        s->each(s->arg, canonical, &net);
}

/* RFC 4291, appendix A: the address that a guest gives itself. */
static void senders_tell_link_local(const struct senders *s, const char *mac)
{
    unsigned b[6] = {0};
    char text[IP_TEXT_SIZE];
    if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
        return;
    snprintf(text, sizeof(text), "fe80::%02x%02x:%02xff:fe%02x:%02x%02x", b[0] ^ 2, b[1], b[2], b[3], b[4], b[5]);
    senders_tell(s, mac, text);
}

void senders_each(const struct spec_nic *nic, senders_fn each, void *arg)
{
    const struct senders s = {each, arg};
    const struct spec_address *addresses = nic->addresses.items;
    const struct spec_pair *pairs = nic->allowed_address_pairs.items;
    senders_tell(&s, nic->mac, "0.0.0.0");
    senders_tell(&s, nic->mac, "::");
    senders_tell_link_local(&s, nic->mac);
    for (size_t i = 0; i < nic->addresses.count; i++)
        senders_tell(&s, nic->mac, addresses[i].ip);
    for (size_t i = 0; i < nic->allowed_address_pairs.count; i++) {
        senders_tell(&s, pairs[i].mac_address, pairs[i].ip_address);
        if (strcmp(pairs[i].mac_address, nic->mac) != 0)
            senders_tell_link_local(&s, pairs[i].mac_address);
    }
}
