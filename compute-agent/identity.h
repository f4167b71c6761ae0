/* Who this host is: a UUID file (never the host's name), a key, a certificate that the cloud's internal CA has signed
 * for it.
 *
 * Files in `dir`: host_id, key.pem (0600), ca.pem, cloud (JSON: cloud_id, name, url), and cert.pem, which is written
 * last: with it the host has joined. Everything may be interrupted anywhere and done again. Loop thread. */
#pragma once
#include "common/error.h"
#include "common/uuid.h"
#include "compute-agent/http/http_client.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct worker_pool;

struct identity {
    char *dir, *key_file, *cert_file, *ca_file;
    char host_id[UUID_SIZE];
    /* After joining: */
    bool joined;
    char *cloud_id, *name, *url;
    int64_t not_before_us, not_after_us; /* of the certificate */
    bool serves;                         /* it is good for other hosts that connect here, too */
    bool renewed;                        /* by this process */
};

/* Makes the folder and the host's UUID when they are missing and reads what is there. ERR_IO, ERR_CORRUPT. */
int identity_load(const char *dir, struct identity *ret, struct error *e);
void identity_done(struct identity *i);
struct http_client_identity identity_http(const struct identity *i);

/* Result of joining or renewing: `code` 0 or ERR_UNAVAILABLE, ERR_TIMEOUT (try again), others (the token is not
 * accepted, ...). */
typedef void (*identity_done_fn)(void *arg, int code, const struct error *error);
/* Joins the cloud at `url` with `token`; on success *i is complete. It tries once. */
void identity_join(struct identity *i, struct loop *loop, struct worker_pool *pool, const char *url, const char *token,
                   identity_done_fn done, void *arg);
/* When a third of the certificate's life or less is left, or once when an older API has signed it for clients only. */
bool identity_wants_renewal(const struct identity *i, int64_t now_us);
/* Asks over `client` for a new certificate; on success the files are replaced and the client is told to reconnect. */
void identity_renew(struct identity *i, struct loop *loop, struct http_client *client, struct worker_pool *pool,
                    identity_done_fn done, void *arg);
