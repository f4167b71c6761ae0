/* The documents on the config drive, as Nova writes them (its versions of meta_data.json up to 2020-10-14,
 * network_data.json as in its schema). */
#include "common/json_out.h"
#include "common/model/ip.h"
#include "compute-agent/storage/base64.h"
#include "compute-agent/storage/config_drive.h"
#include <stdio.h>
#include <string.h>

void config_drive_meta_data(const struct spec *spec, struct strbuf *ret)
{
    struct json_out o;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_text(&o, "uuid", spec->id);
    json_out_text(&o, "hostname", spec->hostname);
    json_out_text(&o, "name", spec->name);
    json_out_int(&o, "launch_index", 0);
    json_out_text(&o, "availability_zone", spec->zone);
    json_out_text(&o, "project_id", spec->project_id);
    json_out_object(&o, "meta");
    for (size_t i = 0; i < spec->metadata.count; i++)
        json_out_text(&o, spec->metadata.pairs[i].key, spec->metadata.pairs[i].value);
    json_out_object_end(&o);
    if (spec->key) {
        json_out_object(&o, "public_keys");
        json_out_text(&o, spec->key->name, spec->key->public);
        json_out_object_end(&o);
        json_out_array(&o, "keys");
        json_out_object(&o, NULL);
        json_out_text(&o, "name", spec->key->name);
        json_out_text(&o, "type", "ssh");
        json_out_text(&o, "data", spec->key->public);
        json_out_object_end(&o);
        json_out_array_end(&o);
    }
    json_out_array(&o, "devices");
    json_out_array_end(&o);
    json_out_object_end(&o);
}

/* ---- network_data.json ---- */

static void config_drive_link(struct json_out *o, const struct spec_nic *nic, size_t index)
{
    json_out_object(o, NULL);
    json_out_textf(o, "id", "tap%.11s", nic->port_id);
    json_out_text(o, "vif_id", nic->port_id);
    json_out_text(o, "type", "bridge");
    if (nic->network.mtu > 0)
        json_out_int(o, "mtu", nic->network.mtu);
    else
        json_out_null(o, "mtu");
    json_out_text(o, "ethernet_mac_address", nic->mac);
    json_out_object_end(o);
    (void)index;
}

static const struct spec_subnet *config_drive_subnet_of(const struct spec_nic *nic, const struct ip *address)
{
    const struct spec_subnet *subnets = nic->network.subnets.items;
    for (size_t i = 0; i < nic->network.subnets.count; i++) {
        struct ip_net net;
        if (ip_net_parse(subnets[i].cidr, &net) && ip_net_contains(&net, address))
            return &subnets[i];
    }
    return NULL;
}

/* 255.255.255.0, or ffff:ffff:: */
static void config_drive_netmask(struct json_out *o, const struct ip_net *net)
{
    struct ip mask = {.version = net->base.version};
    size_t first = mask.version == 4 ? 12 : 0;
    char text[IP_TEXT_SIZE];
    for (int bit = 0; bit < net->prefix; bit++)
        mask.bytes[first + (size_t)bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    json_out_text(o, "netmask", ip_text(&mask, text));
}

static void config_drive_routes(struct json_out *o, const struct spec_subnet *subnet, int version)
{
    json_out_array(o, "routes");
    if (subnet->gateway) {
        json_out_object(o, NULL);
        json_out_text(o, "network", version == 4 ? "0.0.0.0" : "::");
        json_out_text(o, "netmask", version == 4 ? "0.0.0.0" : "::");
        json_out_text(o, "gateway", subnet->gateway);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

/* An address: by DHCP where the subnet serves it (IPv4), as it is else. */
static void config_drive_network(struct json_out *o, const struct spec_nic *nic, const struct spec_address *address,
                                 size_t index)
{
    struct ip ip;
    struct ip_net net;
    if (!ip_parse(address->ip, &ip))
        return;
    const struct spec_subnet *subnet = config_drive_subnet_of(nic, &ip);
    if (!subnet || !ip_net_parse(subnet->cidr, &net))
        return;
    bool dhcp = subnet->dhcp && ip.version == 4;
    json_out_object(o, NULL);
    json_out_textf(o, "id", "network%zu", index);
    json_out_textf(o, "type", "ipv%d%s", ip.version, dhcp ? "_dhcp" : "");
    json_out_textf(o, "link", "tap%.11s", nic->port_id);
    if (!dhcp) {
        json_out_text(o, "ip_address", address->ip);
        config_drive_netmask(o, &net);
        config_drive_routes(o, subnet, ip.version);
    }
    json_out_text(o, "network_id", nic->network.id);
    json_out_object_end(o);
}

static void config_drive_services(struct json_out *o, const struct spec *spec)
{
    const struct spec_nic *nics = spec->nics.items;
    json_out_array(o, "services");
    for (size_t i = 0; i < spec->nics.count; i++) {
        const struct spec_subnet *subnets = nics[i].network.subnets.items;
        for (size_t s = 0; s < nics[i].network.subnets.count; s++) {
            for (size_t d = 0; d < subnets[s].dns.count; d++) {
                json_out_object(o, NULL);
                json_out_text(o, "type", "dns");
                json_out_text(o, "address", ((const char **)subnets[s].dns.items)[d]);
                json_out_object_end(o);
            }
        }
    }
    json_out_array_end(o);
}

void config_drive_network_data(const struct spec *spec, struct strbuf *ret)
{
    const struct spec_nic *nics = spec->nics.items;
    struct json_out o;
    size_t index = 0;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_array(&o, "links");
    for (size_t i = 0; i < spec->nics.count; i++)
        config_drive_link(&o, &nics[i], i);
    json_out_array_end(&o);
    json_out_array(&o, "networks");
    for (size_t i = 0; i < spec->nics.count; i++) {
        const struct spec_address *addresses = nics[i].addresses.items;
        for (size_t a = 0; a < nics[i].addresses.count; a++)
            config_drive_network(&o, &nics[i], &addresses[a], index++);
    }
    json_out_array_end(&o);
    config_drive_services(&o, spec);
    json_out_object_end(&o);
}

/* ---- the small ones ---- */

static const char *config_drive_first_ipv4(const struct spec *spec)
{
    const struct spec_nic *nics = spec->nics.items;
    for (size_t i = 0; i < spec->nics.count; i++) {
        const struct spec_address *addresses = nics[i].addresses.items;
        for (size_t a = 0; a < nics[i].addresses.count; a++) {
            if (!strchr(addresses[a].ip, ':'))
                return addresses[a].ip;
        }
    }
    return "";
}

void config_drive_ec2_data(const struct spec *spec, struct strbuf *ret)
{
    struct json_out o;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_textf(&o, "instance-id", "i-%.8s", spec->id + 28);
    json_out_text(&o, "hostname", spec->hostname);
    json_out_text(&o, "local-hostname", spec->hostname);
    json_out_text(&o, "local-ipv4", config_drive_first_ipv4(spec));
    json_out_text(&o, "instance-type", spec->flavor_name);
    json_out_object(&o, "placement");
    json_out_text(&o, "availability-zone", spec->zone);
    json_out_object_end(&o);
    if (spec->key) {
        json_out_object(&o, "public-keys");
        json_out_object(&o, "0");
        json_out_text(&o, "openssh-key", spec->key->public);
        json_out_object_end(&o);
        json_out_object_end(&o);
    }
    json_out_object_end(&o);
}

/* JSON is YAML, and quotes whatever is in it. */
void config_drive_nocloud_data(const struct spec *spec, struct strbuf *ret)
{
    struct json_out o;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_text(&o, "instance-id", spec->id);
    json_out_text(&o, "local-hostname", spec->hostname);
    if (spec->key) {
        json_out_array(&o, "public-keys");
        json_out_text(&o, NULL, spec->key->public);
        json_out_array_end(&o);
    }
    json_out_object_end(&o);
}

int config_drive_user_data(const struct spec *spec, struct strbuf *ret, struct error *e)
{
    if (spec->user_data && !base64_decode(spec->user_data, ret))
        return error_set(e, ERR_INVALID, "The user data is not base64");
    return 0;
}
