/* Whose servers a host's are: the driver that it began with. A host that is told another one, by a slip in a setting,
 * would find none of its servers and report all of them as crashed. */
#pragma once
#include "common/error.h"

/* The host whose identity is in `folder` has this driver from now on, or had it before. Blocking. ERR_INVALID with a
 * sentence: it had another. ERR_IO. */
int driver_mark_check(const char *folder, const char *driver, struct error *e);
/* Nothing of the host's servers is left: it may have another driver from now on. */
void driver_mark_forget(const char *folder);
