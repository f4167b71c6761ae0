/* The check that Nova makes when a server is created or resized: common/model/numa_wish.h over the two JSON columns. */
#include "api/compute/server_cells.h"
#include "common/memory.h"
#include "common/model/numa_wish.h"
#include <stdlib.h>
#include <string.h>

static int check(const struct numa_wish *wish, struct error *e)
{
    struct numa_request *asked = memory_new(sizeof(*asked));
    struct numa_shape shape;
    bool any;
    int rc = numa_wish_read(wish, asked, &any, e);
    free(asked);
    return rc ? rc : numa_wish_shape(wish, &shape, e);
}

int server_cells_check(struct request *request, const struct flavor_row *flavor, const char *image_properties)
{
    const char *properties = image_properties != NULL ? image_properties : "{}";
    struct json_doc specs, image;
    int rc = json_in_parse(flavor->extra_specs, strlen(flavor->extra_specs), &specs, &request->error);
    if (rc)
        return rc;
    rc = json_in_parse(properties, strlen(properties), &image, &request->error);
    if (!rc) {
        struct numa_wish wish = {.flavor = numa_wish_from_json,
                                 .image = numa_wish_from_json,
                                 .flavor_arg = specs.root,
                                 .image_arg = image.root,
                                 .vcpus = flavor->vcpus,
                                 .memory_mib = flavor->memory_mib};
        rc = check(&wish, &request->error);
        json_in_done(&image);
    }
    json_in_done(&specs);
    return rc;
}
