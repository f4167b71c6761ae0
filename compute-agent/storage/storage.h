/* A server's files: a folder with its disks (overlays on images of the cache), its config drive and its console's log.
 * Loop thread; the work is done on workers. */
#pragma once
#include "compute-agent/hypervisor.h"

struct identity;
struct loop;
struct profile;
struct settings;
struct strbuf;
struct storage;

struct storage_setup {
    const struct settings *settings; /* these outlive the storage */
    const struct identity *identity;
    const struct profile *profile;
    struct loop *loop;
    const char *url; /* the API's */
};
/* ERR_IO when the folders cannot be made. */
int storage_new(const struct storage_setup *setup, struct storage **ret, struct error *e);
/* Stops downloads and waits for what runs; callbacks do not come any more. */
void storage_free(struct storage **s);
/* As hypervisor_ops.prepare says. Image and config drive are worked on at the same time. */
void storage_prepare(struct storage *s, const struct hypervisor_prepare *what, hypervisor_done_fn done, void *arg);
/* As HYPERVISOR_MOVE_ADOPT says. The callback gets what adopt.h finds as {"disks", "lost_tpm"}. */
void storage_adopt(struct storage *s, const struct spec *spec, hypervisor_text_fn done, void *arg);
/* Blocking, any thread: where an image of a server is made, in the server's folder, so that it goes with it; the
 * caller frees. What was left there by an agent that died is removed when the next one starts. */
char *storage_image_path(const struct settings *settings, const char *server_id, const char *image_id);
/* The folder of a server; caller frees. Any thread. */
char *storage_folder(const struct settings *settings, const char *server_id);
/* Blocking, any thread: removes a server's files, unless they are another host's (owner.h). */
int storage_remove(const struct settings *settings, const char *host_id, const char *server_id, struct error *e);
/* A domain that was there before is this server's from now on, and stays as it is: `definition` is kept for whoever
 * wants to know. Its disks are where they were. ERR_IO. */
int storage_import(const struct settings *settings, const char *host_id, const char *server_id, const char *definition,
                   struct error *e);
/* That definition. ERR_NOT_FOUND, ERR_IO. */
int storage_import_read(const struct settings *settings, const char *server_id, struct strbuf *ret);
bool storage_is_imported(const struct settings *settings, const char *server_id);
/* Blocking, any thread: ids of servers that have a folder which is not another host's. The caller frees each and the
 * list. */
char **storage_list(const struct settings *settings, const char *host_id, size_t *ret_count);
/* Whether the instances' file system can do O_DIRECT. */
bool storage_direct_io(const struct storage *s);
