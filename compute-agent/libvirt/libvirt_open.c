/* Connections to hypervisors that may ask who is there. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/password.h"
#include "compute-agent/settings.h"
#include <stdlib.h>
#include <string.h>

/* libvirt would print its errors to standard error; ours go into the callers' hands. */
static void libvirt_open_quiet(void *arg, virErrorPtr error)
{
    (void)arg;
    (void)error;
}

bool libvirt_open_begin(void)
{
    setenv("LIBVIRT_DEBUG", "error", 0); /* its ESX driver warns of each word that it does not know */
    if (virInitialize() < 0)
        return false;
    virSetErrorFunc(NULL, libvirt_open_quiet);
    return true;
}

/* libvirt frees the results. */
static int libvirt_open_answer(virConnectCredentialPtr asked, unsigned count, void *arg)
{
    const struct strbuf *password = arg;
    for (unsigned i = 0; i < count; i++) {
        if (asked[i].type != VIR_CRED_PASSPHRASE && asked[i].type != VIR_CRED_NOECHOPROMPT)
            return -1;
        asked[i].result = strdup(password->data);
        asked[i].resultlen = (unsigned)password->size;
    }
    return 0;
}

static virConnectPtr libvirt_open_with(const struct settings *settings, struct error *e)
{
    int types[] = {VIR_CRED_PASSPHRASE, VIR_CRED_NOECHOPROMPT};
    struct strbuf password;
    virConnectAuth auth = {.credtype = types, .ncredtype = 2, .cb = libvirt_open_answer, .cbdata = &password};
    virConnectPtr conn = NULL;
    if (password_read(settings->password_file, &password, e) == 0)
        conn = virConnectOpenAuth(settings->hypervisor_uri, &auth, 0);
    password_done(&password);
    return conn;
}

virConnectPtr libvirt_open(const struct settings *settings, struct error *e)
{
    virConnectPtr conn =
        settings->password_file ? libvirt_open_with(settings, e) : virConnectOpen(settings->hypervisor_uri);
    if (!conn && !e->code && virGetLastErrorCode() == VIR_ERR_CONFIG_UNSUPPORTED)
        error_set(e, ERR_NOT_IMPLEMENTED,
                  "This machine's libvirt was built without the driver for %s: %s cannot be used",
                  profile_find(settings->hypervisor_uri)->driver, settings->hypervisor_uri);
    else if (!conn && !e->code)
        error_set(e, ERR_UNAVAILABLE, "Cannot connect to the hypervisor: %s", virGetLastErrorMessage());
    return conn;
}
