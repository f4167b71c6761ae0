/* Files on a datastore of a VMware ESX host, by its web server (URLs /folder/PATH?dcPath=&dsName=, as VMware's "HTTP
 * Access to vSphere Server Files" has it), for what libvirt's driver has no call for. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

struct http_datastore {
    const char
        *uri; /* libvirt's: esx://user@host:port/?no_verify=1&transport=http, or vpx://user@vcenter/DATACENTER/HOST */
    const char *password_file; /* NULL: no password */
    const char *datastore;
    const char *datacenter; /* its path; NULL: a host's own or, under vpx://, the first part of the URI's path */
    long deadline_s;        /* a transfer without progress for so long is broken off */
};
struct strbuf;
/* Where a file or folder is found there. ERR_INVALID when the URI names no host. */
int http_datastore_url(const struct http_datastore *d, const char *path, struct strbuf *ret, struct error *e);
/* Puts a file of this machine there, in place of what is there; folders are made. ERR_UNAVAILABLE when the host does
 * not answer, ERR_HYPERVISOR when it refuses, ERR_IO. */
int http_datastore_put(const struct http_datastore *d, const char *path, const char *file, struct error *e);
int http_datastore_find(const struct http_datastore *d, const char *path, bool *ret_there, struct error *e);
/* A small file, behind what `ret` has; what is longer than it may become is cut off. */
int http_datastore_get(const struct http_datastore *d, const char *path, struct strbuf *ret, bool *ret_there,
                       struct error *e);
/* A file, or a folder with all that it holds. What is not there is no error. */
int http_datastore_remove(const struct http_datastore *d, const char *path, struct error *e);
