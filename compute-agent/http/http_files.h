/* Serves the files of servers that are on their way to other hosts, over mutual TLS: each server's to the one host that
 * is to have it. Listens only while there is something to serve. Loop thread; requests run on threads of their own.
 *
 * GET /files/SERVER: a JSON object {"files": [{"name","size_bytes","sha512"}], "base": {"name","format","size_bytes",
 * "sha512"} or null}; "base" is the image that the root disk is an overlay of. GET /files/SERVER/running: the same for
 * a running guest, whose disks have "virtual_bytes" and no checksum. GET /files/SERVER/share: {"share": TEXT}; the
 * folder has a file share.TEXT now, and whoever finds it there shares the folder. GET /files/SERVER/NAME and
 * /files/SERVER/base: the bytes, from an offset when the request has a Range. GET /files/SERVER/console: what its
 * serial console has said, /files/SERVER/domain: its guest's definition. */
#pragma once
#include "common/error.h"

struct http_files;
struct identity;

struct http_files_setup {
    const char *listen;    /* address:port */
    const char *instances; /* folder with a folder per server */
    const struct identity *identity;
};
/* The setup's texts and the identity outlive it. */
struct http_files *http_files_new(const struct http_files_setup *setup);
/* Ends what is under way. */
void http_files_free(struct http_files **f);
/* From now on the host `peer_id` may read the server's files, and `domain`, which is copied (NULL: its guest does not
 * run). ERR_IO when nothing can listen there. */
int http_files_allow(struct http_files *f, const char *server_id, const char *peer_id, const char *domain,
                     struct error *e);
/* Nobody may any more. */
void http_files_deny(struct http_files *f, const char *server_id);
