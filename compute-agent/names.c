/* The tag is FNV-1a over both ids; a UUID's last twelve digits are random in every version that the API makes. */
#include "compute-agent/names.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAMES_PREFIX "virga-"

static uint64_t names_hash(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

void names_init(struct names *n, const char *cloud_id, const char *host_id)
{
    uint64_t h = names_hash(names_hash(0xcbf29ce484222325u, cloud_id), host_id);
    snprintf(n->tag, sizeof(n->tag), "%08x", (unsigned)(h ^ (h >> 32)));
    snprintf(n->cloud_id, sizeof(n->cloud_id), "%s", cloud_id);
    snprintf(n->host_id, sizeof(n->host_id), "%s", host_id);
}

static const char *names_end(const char *id)
{
    size_t size = strlen(id);
    return size > 12 ? id + size - 12 : id;
}

char *names_domain(const struct names *n, const char *id, char ret[NAMES_DOMAIN_SIZE])
{
    snprintf(ret, NAMES_DOMAIN_SIZE, NAMES_PREFIX "%s-%s", n->tag, names_end(id));
    return ret;
}

char *names_server(const struct names *n, const char *id, char ret[NAMES_SERVER_SIZE])
{
    snprintf(ret, NAMES_SERVER_SIZE, NAMES_PREFIX "%s-%s", n->tag, id);
    return ret;
}

bool names_read_server(const struct names *n, const char *name, char ret[UUID_SIZE])
{
    if (!names_is_ours(n, name))
        return false;
    const char *id = name + sizeof(NAMES_PREFIX) - 1 + NAMES_TAG_SIZE;
    if (strlen(id) != UUID_SIZE - 1 || !uuid_valid(id))
        return false;
    memcpy(ret, id, UUID_SIZE);
    return true;
}

char *names_bridge(const char *network_id, char ret[NAMES_BRIDGE_SIZE])
{
    snprintf(ret, NAMES_BRIDGE_SIZE, "vg%s", names_end(network_id));
    return ret;
}

char *names_nic(const char *port_id, char ret[NAMES_BRIDGE_SIZE])
{
    snprintf(ret, NAMES_BRIDGE_SIZE, "vc%s", names_end(port_id));
    return ret;
}

bool names_is_ours(const struct names *n, const char *name)
{
    size_t prefix = sizeof(NAMES_PREFIX) - 1, tag = NAMES_TAG_SIZE - 1;
    return strncmp(name, NAMES_PREFIX, prefix) == 0 && strncmp(name + prefix, n->tag, tag) == 0 &&
           name[prefix + tag] == '-';
}
