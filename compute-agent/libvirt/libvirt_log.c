/* libvirt, and the emulators that it starts, write a log of each domain and leave it when the domain goes: a host that
 * has had a million servers would keep a million of them. Best effort: what cannot be removed is no reason to keep a
 * server. */
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include <errno.h>
#include <unistd.h>

#define LOG_ROTATED 9 /* by virtlogd ("NAME.log.0") or logrotate ("NAME.log.1"): at most so many */

static void log_remove(const char *path)
{
    if (unlink(path) && errno != ENOENT)
        log_debug("a domain's log stays", "path=%s error=\"%m\"", path);
}

void libvirt_log_forget_domain(struct libvirt_call *c, const char *name)
{
    for (const struct profile_log *l = c->profile->logs; l && l->before; l++) {
        const char *path = arena_printf(&c->arena, "%s%s%s", l->before, name, l->after);
        log_remove(path);
        for (int i = 0; i <= LOG_ROTATED; i++)
            log_remove(arena_printf(&c->arena, "%s.%d", path, i));
    }
}

void libvirt_log_forget(struct libvirt_call *c, const char *id)
{
    char name[NAMES_DOMAIN_SIZE];
    libvirt_log_forget_domain(c, names_domain(&c->names, id, name));
}
