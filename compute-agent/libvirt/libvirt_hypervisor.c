#include "compute-agent/libvirt/libvirt_hypervisor.h"
int libvirt_hypervisor_new(const struct libvirt_setup *setup, struct hypervisor **ret, struct error *e)
{
    (void)setup;
    (void)ret;
    return error_set(e, ERR_NOT_IMPLEMENTED, "This build has no libvirt driver yet; use --hypervisor fake");
}
