/* A dead host's disks are taken over where they can be reached, with all that they need, and stay whose they are. */
#include "common/child.h"
#include "common/memory.h"
#include "compute-agent/storage/adopt.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/storage.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER "01890000-1111-7222-8333-0123456789ab"
#define DEAD   "01890000-9999-7222-8333-00000000000a"
#define ALIVE  "01890000-9999-7222-8333-00000000000b"

struct world {
    char instances[256], tpm[256], folder[320];
    struct settings settings;
    struct spec spec;
    struct adopt what;
};

static void shell(const char *text)
{
    char script[1024];
    struct child child = {.argv = (const char *[]){"bash", "-ec", script, NULL}, .deadline_ms = 60000};
    struct error e = {0};
    snprintf(script, sizeof(script), "cd %s; %s", scratch_folder(), text);
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

static void begin(struct world *w)
{
    struct error e = {0};
    scratch_clear(scratch_folder());
    mkdir(scratch_folder(), 0700);
    shell("mkdir instances images tpm");
    snprintf(w->instances, sizeof(w->instances), "%s/instances", scratch_folder());
    snprintf(w->tpm, sizeof(w->tpm), "%s/tpm", scratch_folder());
    snprintf(w->folder, sizeof(w->folder), "%s/" SERVER, w->instances);
    w->settings = (struct settings){.instances_dir = w->instances, .tpm_dir = w->tpm};
    w->spec = (struct spec){.exists = true, .root_gib = 1};
    memcpy(w->spec.id, SERVER, UUID_SIZE);
    w->what = (struct adopt){.settings = &w->settings, .host_id = ALIVE, .spec = &w->spec, .root = "root.qcow2"};
    CHECK_OK(owner_take(w->folder, DEAD, &e), &e);
    shell("qemu-img create -q -f qcow2 images/i.qcow2 8M; qemu-img create -q -f qcow2 -b $PWD/images/i.qcow2 -F qcow2 "
          "instances/" SERVER "/root.qcow2 64M; sha256sum instances/" SERVER "/root.qcow2 >before");
}

TEST("hosts that share a folder read the same name of it, others another")
{
    struct world w;
    char first[UUID_SIZE], second[UUID_SIZE];
    begin(&w);
    CHECK(adopt_storage(&w.settings, first) && adopt_storage(&w.settings, second));
    CHECK_TEXT(first, second);
    struct settings other = {.instances_dir = w.tpm}, none = {.instances_dir = "/proc/self/fdinfo/none"};
    CHECK(adopt_storage(&other, second) && strcmp(first, second) != 0);
    CHECK(!adopt_storage(&none, second));
    shell("[ \"$(ls -A instances | sort | tr '\\n' ' ')\" = '" SERVER
          " .storage ' ] || [ \"$(ls -A instances | sort | tr "
          "'\\n' ' ')\" = '.storage " SERVER " ' ]");
}

TEST("a folder that an agent was making when it was killed goes when the next one of its host begins, and no other")
{
    struct world w;
    begin(&w);
    shell("mkdir instances/" SERVER "." ALIVE "." SERVER " instances/" SERVER "." DEAD "." SERVER " instances/" SERVER
          "." ALIVE ".x; echo " ALIVE " >instances/" SERVER "." ALIVE "." SERVER "/owner");
    owner_tidy(w.instances, ALIVE);
    shell("[ ! -e instances/" SERVER "." ALIVE "." SERVER " ]; ls instances/" SERVER "." DEAD "." SERVER
          " instances/" SERVER "." ALIVE ".x instances/" SERVER "/owner");
    owner_tidy(w.instances, DEAD);
    shell("[ \"$(ls instances | wc -l)\" = 2 ]");
    owner_tidy("/proc/self/fdinfo/none", ALIVE);
}

TEST("disks that are here become this host's as they are, and the dead one leaves them alone when it is back")
{
    struct world w;
    struct adopt_found found;
    struct error e = {0};
    begin(&w);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(adopt_disks(&w.what, &found, &e), &e);
        CHECK(found.disks && !found.lost_tpm);
    }
    CHECK(owner_is_shared(w.folder) && owner_is_other(w.folder, DEAD) && !owner_is_other(w.folder, ALIVE));
    CHECK_OK(storage_remove(&w.settings, DEAD, SERVER, &e), &e);
    shell("sha256sum -c --quiet before");
}

TEST("where no disk is nothing is taken")
{
    struct world w;
    struct adopt_found found;
    struct error e = {0};
    begin(&w);
    shell("rm instances/" SERVER "/root.qcow2");
    CHECK_OK(adopt_disks(&w.what, &found, &e), &e);
    CHECK(!found.disks && owner_is_other(w.folder, ALIVE));
}

TEST("a disk whose image cannot be had is refused and stays the dead host's")
{
    struct world w;
    struct adopt_found found;
    struct error e = {0};
    begin(&w);
    shell("rm images/i.qcow2");
    CHECK_INT(adopt_disks(&w.what, &found, &e), ERR_NOT_FOUND);
    CHECK(strstr(error_text(&e), "/images/i.qcow2") && owner_is_other(w.folder, ALIVE));
}

TEST("what a TPM has stored is lost unless it was kept beside the disks")
{
    struct world w;
    struct adopt_found found;
    struct error e = {0};
    struct json_pair wants = {.key = "hw:tpm_version", .value = "2.0"};
    begin(&w);
    w.spec.flavor_extra = (struct json_map){.pairs = &wants, .count = 1};
    CHECK_OK(adopt_disks(&w.what, &found, &e), &e);
    CHECK(found.disks && found.lost_tpm);
    shell("touch instances/" SERVER "/tpm-2.0.state");
    CHECK_OK(adopt_disks(&w.what, &found, &e), &e);
    CHECK(found.disks && !found.lost_tpm);
}
