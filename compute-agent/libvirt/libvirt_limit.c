/* A container's domain has the id of the process that libvirt has put over it (lxc_process.c), whose control group is
 * the container's. One that was there before has the limits that it had then. */
#include "compute-agent/cgroup.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"

/* The run that has the process has ended; the domain may have been started anew meanwhile, with another. */
static bool is_over(const struct libvirt_call *c, unsigned pid)
{
    virDomainPtr domain = virDomainLookupByID(c->conn, (int)pid);
    if (domain)
        virDomainFree(domain);
    return !domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

int libvirt_limit(struct libvirt_call *c, virDomainPtr domain)
{
    char id[UUID_SIZE];
    unsigned pid = virDomainGetID(domain);
    if (!c->profile->processes || c->settings->container_processes == 0 || pid == (unsigned)-1 ||
        virDomainGetUUIDString(domain, id) || storage_is_imported(c->settings, id))
        return 0;
    int code = cgroup_limit(&cgroup_host, (pid_t)pid, id, c->settings->container_processes, &c->error);
    if (!code || virDomainIsActive(domain) != 1 || is_over(c, pid)) {
        error_clear(&c->error);
        return 0;
    }
    virDomainDestroyFlags(domain, 0);
    error_prefix(&c->error, "The server cannot be kept from filling its host with processes");
    return c->code = code;
}

void libvirt_limit_forget(const struct libvirt_call *c, const char *server_id)
{
    if (c->profile->processes)
        cgroup_forget(&cgroup_host, server_id);
}
