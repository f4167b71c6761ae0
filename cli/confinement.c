/* Only emulators need it: containers have their own page, other hypervisors confine by themselves. */
#include "cli/confinement.h"
#include "common/model/machine.h"
#include "common/strbuf.h"
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *trait, *name;
} parts[] = {{MACHINE_TRAIT_APPARMOR, "AppArmor"},
             {MACHINE_TRAIT_SELINUX, "SELinux"},
             {MACHINE_TRAIT_USER, "unprivileged user"},
             {MACHINE_TRAIT_SECCOMP, "seccomp"}};
enum { APPARMOR, SELINUX, USER, SECCOMP, PARTS };

static bool has(const struct host_row *host, size_t part)
{
    return host->traits && store_host_has_trait(host, parts[part].trait);
}

static bool concerns(const struct host_row *host)
{
    return host->traits && store_host_has_trait(host, MACHINE_TRAIT_EMULATORS);
}

static const char *take(struct strbuf *text, struct arena *a)
{
    const char *copy = arena_strdup(a, text->data);
    strbuf_done(text);
    return copy;
}

const char *confinement_text(const struct host_row *host, struct arena *a)
{
    struct strbuf text;
    if (!concerns(host))
        return NULL;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < PARTS; i++) {
        if (has(host, i))
            strbuf_appendf(&text, "%s%s", text.size ? ", " : "", parts[i].name);
    }
    return text.size ? take(&text, a) : "none";
}

const char *confinement_lack(const struct host_row *host, struct arena *a)
{
    struct strbuf text;
    if (!concerns(host))
        return NULL;
    strbuf_init(&text, 0);
    if (!has(host, APPARMOR) && !has(host, SELINUX))
        strbuf_append_text(&text, "neither AppArmor nor SELinux");
    if (!has(host, USER))
        strbuf_appendf(&text, "%sno unprivileged user", text.size ? ", " : "");
    if (!has(host, SECCOMP))
        strbuf_appendf(&text, "%sno seccomp", text.size ? ", " : "");
    const char *lack = text.size ? arena_strdup(a, text.data) : NULL;
    strbuf_done(&text);
    return lack;
}
