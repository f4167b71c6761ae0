/* The extra specs are text; what is no number, or less than the flavor itself, gives no headroom. */
#include "compute-agent/xml/domain_room.h"
#include <stdlib.h>
#include <string.h>

#define DOMAIN_ROOM_VCPUS_MOST  255
#define DOMAIN_ROOM_MEMORY_MOST ((int64_t)1 << 30)

static int64_t number_of(const struct json_pair *pair, const char *name, int64_t least, int64_t most)
{
    char *end = NULL;
    long long number = strcmp(pair->key, name) == 0 ? strtoll(pair->value, &end, 10) : 0;
    return end && end != pair->value && *end == '\0' && number > least && number <= most ? number : least;
}

struct domain_room domain_room_of(const struct spec *spec)
{
    const struct domain_room none = {.max_vcpus = spec->vcpus, .max_memory_mib = spec->memory_mib};
    struct domain_room room = none;
    if (spec->cells)
        return none;
    for (size_t i = 0; i < spec->flavor_extra.count; i++) {
        const struct json_pair *pair = &spec->flavor_extra.pairs[i];
        if (strncmp(pair->key, "hw:", 3) == 0)
            return none;
        room.max_vcpus = number_of(pair, DOMAIN_ROOM_VCPUS, room.max_vcpus, DOMAIN_ROOM_VCPUS_MOST);
        room.max_memory_mib = number_of(pair, DOMAIN_ROOM_MEMORY_MIB, room.max_memory_mib, DOMAIN_ROOM_MEMORY_MOST);
    }
    room.memory = room.max_memory_mib > spec->memory_mib;
    return room;
}
