/* The words are those of scheduler/reading/host_kind.h. */
#include "common/model/image_template.h"
#include <string.h>
#include <strings.h>

bool image_template_is_path(const char *text)
{
    size_t size = strlen(text);
    if (size <= 5 || size > 200 || strcmp(text + size - 5, ".vmdk") != 0 || text[0] == '/' || strstr(text, ".."))
        return false;
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~' || strchr("[]<>&\"'\\", *c))
            return false;
    }
    return true;
}

/* hypervisor_type of hosts that report CUSTOM_IMAGE_TEMPLATES. */
static const char *const image_template_hypervisors[] = {"vmware"};

static bool image_template_is_for(const char *hypervisor)
{
    for (size_t i = 0; i < sizeof(image_template_hypervisors) / sizeof(image_template_hypervisors[0]); i++) {
        if (strcasecmp(image_template_hypervisors[i], hypervisor) == 0)
            return true;
    }
    return false;
}

/* The name of what asks for such a hypervisor; NULL: nothing does. */
static const char *image_template_asked(const struct machine_wish *w)
{
    const struct {
        const char *what, *value;
    } rows[] = {{"the image's hypervisor_type", w->image(w->image_arg, "hypervisor_type")},
                {"the image's img_hv_type", w->image(w->image_arg, "img_hv_type")},
                {"the flavor's hypervisor_type", w->flavor(w->flavor_arg, "hypervisor_type")},
                {"the flavor's hypervisor_type", w->flavor(w->flavor_arg, "capabilities:hypervisor_type")}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].value && image_template_is_for(rows[i].value))
            return rows[i].what;
    }
    return NULL;
}

int image_template_check(const struct machine_wish *w, struct error *e)
{
    const char *template = w->image(w->image_arg, IMAGE_TEMPLATE_PROPERTY),
               *asked = template ? NULL : image_template_asked(w);
    if (asked)
        return error_set(e, ERR_INVALID,
                         "Image property " IMAGE_TEMPLATE_PROPERTY
                         " is missing: %s is vmware, where servers are copies of a "
                         "template on the host's datastore (such as templates/debian-12.vmdk)",
                         asked);
    if (template && !image_template_is_path(template))
        return error_set(e, ERR_INVALID,
                         "Image property " IMAGE_TEMPLATE_PROPERTY ": \"%.64s\" is no path of a .vmdk on a datastore",
                         template);
    return 0;
}
