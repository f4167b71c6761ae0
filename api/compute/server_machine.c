/* Both texts are read for the time of the check. */
#include "api/compute/server_machine.h"
#include "common/json_in.h"
#include "common/model/hypervisor_wish.h"
#include "common/model/image_template.h"
#include "common/model/machine.h"
#include <string.h>

static int parse(const char *text, struct json_doc *doc, struct error *e)
{
    const char *object = text && *text ? text : "{}";
    return json_in_parse(object, strlen(object), doc, e);
}

int server_machine_check(struct request *request, const char *flavor_extra, const char *image_properties)
{
    struct json_doc flavor, image;
    struct machine machine;
    int rc = parse(flavor_extra, &flavor, &request->error);
    if (rc)
        return rc;
    rc = parse(image_properties, &image, &request->error);
    if (!rc) {
        struct machine_wish wish = {.flavor = numa_wish_from_json,
                                    .image = numa_wish_from_json,
                                    .flavor_arg = flavor.root,
                                    .image_arg = image.root};
        rc = machine_read(&wish, &machine, &request->error);
        rc = rc ? rc : hypervisor_wish_check(&wish, &request->error);
        rc = rc ? rc : image_template_check(&wish, &request->error);
        json_in_done(&image);
    }
    json_in_done(&flavor);
    return rc;
}
