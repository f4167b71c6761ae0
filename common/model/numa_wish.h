/* What flavors and images say about cells, pages and processors, in the words of OpenStack (hw:cpu_policy,
 * hw:numa_nodes, hw:mem_page_size, hw:cpu_sockets ... and the images' hw_...), with Nova's rules about which of both
 * wins and Nova's sentences where they contradict (nova/virt/hardware.py, nova/exception.py). Pure. */
#pragma once
#include "common/model/numa.h"

struct json_map;

/* Returns the value of a name, NULL when it is not there; text is borrowed. */
typedef const char *(*numa_wish_fn)(void *arg, const char *name);
struct numa_wish {
    numa_wish_fn flavor, image;
    void *flavor_arg, *image_arg;
    int64_t vcpus, memory_mib; /* the flavor's */
};
/* A numa_wish_fn over the pairs of a struct json_map; NULL: none. */
const char *numa_wish_from_map(void *map, const char *name);
/* Over a struct json_object (json_value); NULL: none. */
const char *numa_wish_from_json(void *object, const char *name);

/* *ret_any: something was asked for that placement must fit; *ret is filled only then. ERR_INVALID: a bad value, or
 * flavor and image contradict; nothing is filled. */
int numa_wish_read(const struct numa_wish *w, struct numa_request *ret, bool *ret_any, struct error *e);

/* How the guest sees its processors: sockets * cores * threads is their number. */
struct numa_shape {
    int32_t sockets, cores, threads;
};
/* Nova's choice among the shapes that are possible: few threads, sockets rather than cores, what is preferred first. */
int numa_wish_shape(const struct numa_wish *w, struct numa_shape *ret, struct error *e);

/* Whether a value is good for an extra spec of this kind, whatever else there is; names of other kinds are. The
 * sentence is Nova's validator's (nova/api/validation/extra_specs/base.py). */
int numa_wish_check_spec(const char *name, const char *value, struct error *e);
