/* Images that stand for a template on a hypervisor's own storage (VMware ESX): servers are copies of it. Pure. */
#pragma once
#include "common/error.h"
#include "common/model/machine.h"
#include <stdbool.h>

/* The image property that names it: a path on the host's datastore. */
#define IMAGE_TEMPLATE_PROPERTY "vmware_template"
/* Whether it is the path of a .vmdk below a datastore's root. */
bool image_template_is_path(const char *text);
/* ERR_INVALID naming the property: it is no such path, or it is missing though flavor or image ask for that
 * hypervisor. */
int image_template_check(const struct machine_wish *w, struct error *e);
