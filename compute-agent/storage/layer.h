/* What servers share of their disks. When a server is cloned its disk becomes a layer, which nobody writes to any more,
 * and both servers go on with overlays on it: that takes as long for a large disk as for a small one.
 *
 *   <instances>/<source>/disk.qcow2 --+--> <instances>/.layers/<clone>.qcow2 --> what the disk was based on before
 *   <instances>/<clone>/disk.qcow2  --+
 *
 * Layers lie among the servers' folders, so hosts that share those share the layers too. Who needs a layer is written
 * in the headers of disks and layers and nowhere else: none can be counted wrong, whoever dies when. A layer is removed
 * when none of them names it. Blocking; any thread. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>

struct settings;

#define LAYER_FOLDER ".layers"
/* More are refused: each one costs the guest's reads a look. */
#define LAYER_MOST 32

/* While held, no host removes a layer; for whoever is about to name one. The caller ends it with layer_release, which
 * looks for what is not needed any more. */
int layer_hold(const struct settings *settings, int *ret_hold, struct error *e);
void layer_release(const struct settings *settings, int hold);
/* Removes layers that no disk and no layer names; nothing while somebody holds. */
void layer_tidy(const struct settings *settings);
/* At the end of all servers: nothing of it is left. False: there are layers. */
bool layer_forget(const struct settings *settings);

/* Where the layer for that clone is; caller frees. */
char *layer_path(const struct settings *settings, const char *clone_id);
/* Whether the file is a layer, by its name and the folder of the servers' folders. */
bool layer_is(const char *instances, const char *path);
/* The files behind a disk, the nearest first; more than layers only when the last one is no layer. In the arena. */
int layer_chain(const char *instances, const char *disk, struct arena *a, const char ***ret, size_t *ret_count,
                struct error *e);
/* Whether the disk has gone over from that layer to an overlay on it. */
bool layer_is_split(const char *disk, const char *layer);
/* A guest that is on goes over by itself: `next` is made for it, empty, and the disk gets the layer's name beside its
 * own. Hold; nothing when layer_is_split. */
int layer_begin(const char *disk, const char *layer, const char *next, struct error *e);
/* It has gone over: `next` gets the disk's name beside its own, by which QEMU opens it again. */
int layer_publish(const char *next, const char *disk, struct error *e);
/* Where the overlay is for a guest that is on; caller frees. And whether such a file, or the disk itself, is meant. */
char *layer_next(const char *disk, const char *clone_id);
bool layer_is_disk(const char *disk, const char *file);
/* Both at once for a disk that nobody has open. May be repeated after a crash at any moment. Hold. */
int layer_split(const char *disk, const char *layer, struct error *e);
/* A disk that nobody has open: what a crash has left half done is finished, and it has one name. An overlay that is
 * there for a guest to go over to is right whether the guest had done so or not: it adds nothing, or all that is
 * missing. */
int layer_mend(const char *disk, struct error *e);
/* The disk of a guest that is on has no names but its own and `keep` any more: nothing is behind it. */
int layer_drop_names(const char *disk, const char *keep, struct error *e);
/* A new disk over the layer, as large; nothing when there is one. Hold. */
int layer_overlay(const char *layer, const char *disk, struct error *e);
