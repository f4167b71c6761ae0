/* An image that this host has made of a server, on its way to the API: on a worker, for it takes as long as the image
 * is large. Loop thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

struct host;
struct host_upload;

struct host_upload_result {
    int code;
    bool transient; /* send it again */
    const struct error *error;
};
typedef void (*host_upload_fn)(void *arg, const struct host_upload_result *result);
/* `made`: {"file" or "data", "format", "template"?} as the hypervisor gave it. Ends with its callback, unless it is
 * freed before. The file is removed when it is not to be sent again. With `stopped` nothing is sent: it only removes
 * the file. */
struct host_upload *host_upload_new(struct host *h, const char *image_id, const char *made, bool stopped,
                                    host_upload_fn done, void *arg);
/* It ends soon, with its callback. */
void host_upload_stop(struct host_upload *u);
/* No callback comes any more. NULL is fine. */
void host_upload_forget(struct host_upload *u);
