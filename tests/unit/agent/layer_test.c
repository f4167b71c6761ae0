/* Disks that share layers: each step may be the last before a crash, and no disk loses anything; layers go when nobody
 * names them. */
#include "common/child.h"
#include "common/memory.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/layer.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <string.h>
#include <unistd.h>

#define SOURCE "01890000-1111-7222-8333-0123456789ab"
#define CLONE  "01890000-2222-7222-8333-0123456789ab"

struct world {
    struct settings settings;
    char instances[256], disk[384], next[448], clone[384];
    char *layer;
};

static void shell(const char *text)
{
    char script[1024];
    struct child child = {.argv = (const char *[]){"bash", "-ec", script, NULL}, .deadline_ms = 60000};
    struct error e = {0};
    snprintf(script, sizeof(script),
             "cd %s/instances; has() { qemu-io -r -f qcow2 -c \"read -q -P $2 $3 4k\" $1/root.qcow2; }; %s",
             scratch_folder(), text);
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

static void begin(struct world *w)
{
    struct error e = {0};
    scratch_clear(scratch_folder());
    CHECK(mkdir(scratch_folder(), 0700) == 0);
    snprintf(w->instances, sizeof(w->instances), "%s/instances", scratch_folder());
    snprintf(w->disk, sizeof(w->disk), "%s/" SOURCE "/root.qcow2", w->instances);
    snprintf(w->next, sizeof(w->next), "%s/" SOURCE "/root." CLONE ".qcow2", w->instances);
    snprintf(w->clone, sizeof(w->clone), "%s/" CLONE "/root.qcow2", w->instances);
    w->settings = (struct settings){.instances_dir = w->instances};
    CHECK(mkdir(w->instances, 0700) == 0);
    shell("mkdir " SOURCE " " CLONE "; cd " SOURCE "; qemu-img create -q -f qcow2 ../base.qcow2 8M; "
          "qemu-img create -q -f qcow2 -b $PWD/../base.qcow2 -F qcow2 root.qcow2 64M; "
          "qemu-io -f qcow2 -c 'write -q -P 1 0 4k' root.qcow2");
    w->layer = layer_path(&w->settings, CLONE);
    int hold = -1;
    CHECK_OK(layer_hold(&w->settings, &hold, &e), &e);
    layer_release(&w->settings, hold);
}

static void end(struct world *w)
{
    free(w->layer);
}

TEST("a disk and its clone share what was there and write apart")
{
    struct world w;
    struct error e = {0};
    begin(&w);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    CHECK_OK(layer_overlay(w.layer, w.clone, &e), &e);
    CHECK_OK(layer_overlay(w.layer, w.clone, &e), &e);
    CHECK(layer_is_split(w.disk, w.layer) && layer_is(w.instances, w.layer) && !layer_is(w.instances, w.disk));
    shell("qemu-io -f qcow2 -c 'write -q -P 2 4k 4k' " SOURCE "/root.qcow2; "
          "qemu-io -f qcow2 -c 'write -q -P 3 8k 4k' " CLONE "/root.qcow2; has " SOURCE " 1 0; has " CLONE " 1 0; "
          "has " SOURCE " 2 4k; has " CLONE " 0 4k; has " SOURCE " 0 8k; has " CLONE " 3 8k; "
          "qemu-img info " CLONE "/root.qcow2 | grep -q "
          "'virtual size: 64 MiB'");
    end(&w);
}

TEST("the chain of a disk ends with what is no layer")
{
    struct world w;
    struct error e = {0};
    struct arena arena;
    const char **files = NULL;
    size_t count = 0;
    begin(&w);
    arena_init(&arena);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    CHECK_OK(layer_chain(w.instances, w.disk, &arena, &files, &count, &e), &e);
    CHECK_INT(count, 2);
    CHECK_TEXT(files[0], w.layer);
    CHECK(strstr(files[1], "/base.qcow2") != NULL);
    arena_done(&arena);
    end(&w);
}

TEST("a chain that has no end is an error")
{
    struct world w;
    struct error e = {0};
    struct arena arena;
    const char **files = NULL;
    size_t count = 0;
    begin(&w);
    arena_init(&arena);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    shell("for f in $PWD/.layers/*.qcow2; do qemu-img rebase -q -u -f qcow2 -F qcow2 -b $f $f; done");
    CHECK_INT(layer_chain(w.instances, w.disk, &arena, &files, &count, &e), ERR_CORRUPT);
    CHECK_CONTAINS(error_text(&e), "too many files");
    arena_done(&arena);
    end(&w);
}

TEST("layers go when neither a disk nor another layer names them, and not while somebody holds")
{
    struct world w;
    struct error e = {0};
    int hold = -1;
    begin(&w);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    CHECK_OK(layer_overlay(w.layer, w.clone, &e), &e);
    shell("rm " SOURCE "/root.qcow2");
    layer_tidy(&w.settings);
    shell("has " CLONE " 1 0");
    CHECK_OK(layer_hold(&w.settings, &hold, &e), &e);
    shell("mv " CLONE "/root.qcow2 " CLONE "/root.qcow2.move");
    layer_tidy(&w.settings);
    CHECK(access(w.layer, F_OK) == 0);
    layer_release(&w.settings, hold);
    CHECK(access(w.layer, F_OK) == 0); /* what is on its way counts */
    shell("rm " CLONE "/root.qcow2.move");
    CHECK(layer_forget(&w.settings));
    shell("[ ! -e .layers ]");
    end(&w);
}

TEST("a disk that was being split when its agent died is whole, and is split again")
{
    static const char *const crashes[] = {
        "",                                                 /* the overlay was made */
        "ln " SOURCE "/root.qcow2 .layers/" CLONE ".qcow2", /* and the layer has its name */
        "ln " SOURCE "/root.qcow2 .layers/" CLONE ".qcow2; mv " SOURCE "/root.qcow2.next " SOURCE "/root.qcow2"};
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        struct world w;
        struct error e = {0};
        begin(&w);
        shell("qemu-img create -q -u -f qcow2 -b $PWD/.layers/" CLONE ".qcow2 -F qcow2 " SOURCE "/root.qcow2.next 64M");
        shell(crashes[i]);
        shell("has " SOURCE " 1 0");
        CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
        CHECK_OK(layer_overlay(w.layer, w.clone, &e), &e);
        shell("has " SOURCE " 1 0; has " CLONE " 1 0; qemu-io -f qcow2 -c 'write -q -P 2 0 4k' " SOURCE
              "/root.qcow2; has " CLONE " 1 0");
        end(&w);
    }
}

TEST("a guest that went off before its overlay had the disk's name loses nothing, whether it had gone over or not")
{
    for (int over = 0; over < 2; over++) {
        struct world w;
        struct error e = {0};
        begin(&w);
        CHECK_OK(layer_begin(w.disk, w.layer, w.next, &e), &e);
        if (over)
            shell("qemu-io -f qcow2 -c 'write -q -P 5 0 4k' " SOURCE "/root." CLONE ".qcow2");
        else
            shell("qemu-io -f qcow2 -c 'write -q -P 5 0 4k' " SOURCE "/root.qcow2");
        CHECK_OK(layer_mend(w.disk, &e), &e);
        shell("has " SOURCE " 5 0; [ \"$(ls " SOURCE ")\" = root.qcow2 ]");
        CHECK(layer_is_split(w.disk, w.layer));
        end(&w);
    }
}

TEST("one that was published has a name more until it is mended")
{
    struct world w;
    struct error e = {0};
    begin(&w);
    CHECK_OK(layer_begin(w.disk, w.layer, w.next, &e), &e);
    CHECK_OK(layer_publish(w.next, w.disk, &e), &e);
    CHECK_OK(layer_publish(w.next, w.disk, &e), &e);
    CHECK(layer_is_disk(w.disk, w.next) && layer_is_disk(w.disk, w.disk) && !layer_is_disk(w.disk, w.clone));
    shell("qemu-io -f qcow2 -c 'write -q -P 6 0 4k' " SOURCE "/root." CLONE ".qcow2; has " SOURCE " 6 0");
    CHECK_OK(layer_drop_names(w.disk, w.next, &e), &e);
    CHECK(access(w.next, F_OK) == 0);
    CHECK_OK(layer_mend(w.disk, &e), &e);
    shell("has " SOURCE " 6 0; [ \"$(ls " SOURCE ")\" = root.qcow2 ]");
    end(&w);
}

TEST("a disk that cannot be read keeps every layer")
{
    struct world w;
    struct error e = {0};
    begin(&w);
    CHECK_OK(layer_split(w.disk, w.layer, &e), &e);
    shell("rm " SOURCE "/root.qcow2; mkdir " CLONE "/root.qcow2");
    layer_tidy(&w.settings);
    CHECK(access(w.layer, F_OK) == 0);
    shell("rmdir " CLONE "/root.qcow2");
    layer_tidy(&w.settings);
    CHECK(access(w.layer, F_OK) != 0);
    end(&w);
}
