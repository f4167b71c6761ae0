/* POST /agent/v1/join: a host enrols with a one-time token. POST /agent/v1/renew: it gets the next certificate.
 *
 * Joining again with the same token is answered again until the host has reported once: an answer that was lost costs
 * nothing, a token that was used up is worth nothing. */
#include "api/agent/agent.h"
#include "api/agent/certificate.h"
#include "api/api.h"
#include "api/config.h"
#include "common/log.h"
#include "common/uuid.h"
#include <gnutls/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct join_body {
    const char *token, *host_id, *csr, *name;
};
#define AT(member) offsetof(struct join_body, member)
static const struct json_field join_fields[] = {
    {.name = "token", .kind = JSON_TEXT, .offset = AT(token), .flags = JSON_REQUIRED, .min = 1, .max = 512},
    {.name = "host_id", .kind = JSON_TEXT, .offset = AT(host_id), .flags = JSON_REQUIRED, .min = 36, .max = 36},
    {.name = "csr", .kind = JSON_TEXT, .offset = AT(csr), .flags = JSON_REQUIRED, .min = 1, .max = 65536},
    {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .flags = JSON_NULLABLE, .max = 255},
};
static const struct json_table join_table = {
    .fields = join_fields, .count = JSON_COUNT(join_fields), .open = true, .seen_offset = JSON_NO_SEEN};
static const struct json_field renew_fields[] = {
    {.name = "csr", .kind = JSON_TEXT, .offset = AT(csr), .flags = JSON_REQUIRED, .min = 1, .max = 65536},
};
static const struct json_table renew_table = {
    .fields = renew_fields, .count = JSON_COUNT(renew_fields), .open = true, .seen_offset = JSON_NO_SEEN};

/* The row's key: SHA-256 in hex of what stands before the first dot. */
static const char *hash_token(struct arena *a, const char *token)
{
    unsigned char digest[32];
    char *text = arena_alloc(a, 2 * sizeof(digest) + 1);
    gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strcspn(token, "."), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

/* Whether the token admits this host now. One answer for all that is wrong with it. */
static int check_token(struct request *request, const struct join_body *b, struct host_token_row *ret)
{
    struct host_token_row token;
    struct host_row host;
    int rc = store_host_token_get(request->conn, hash_token(&request->arena, b->token), &request->arena, &token,
                                  &request->error);
    bool good = !rc && token.expires_us > request->now_us;
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (good && token.used_us != 0) {
        good = token.host_id != NULL && strcmp(token.host_id, b->host_id) == 0;
        rc = good ? store_host_get(request->conn, b->host_id, &request->arena, &host, &request->error) : 0;
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        good = good && !rc && host.seen_us == 0;
    }
    error_clear(&request->error);
    if (!good)
        return error_set(&request->error, ERR_FORBIDDEN, "The join token is unknown, used or expired");
    *ret = token;
    return 0;
}

/* On a worker: the signature, once the token looks good. */
static int join_prepare(struct request *request, struct reply *reply)
{
    const struct join_body *b = request->body;
    struct certificate *made = arena_alloc(&request->arena, sizeof(*made));
    struct host_token_row token;
    int rc = 0;
    (void)reply;
    for (const char *p = b->host_id; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            rc = ERR_INVALID;
    if (rc || !uuid_valid(b->host_id))
        return error_set(&request->error, ERR_INVALID, "host_id: not a UUID in lower case");
    rc = check_token(request, b, &token);
    if (!rc)
        rc =
            certificate_sign(request->api->config->pki_dir, b->csr, b->host_id, &request->arena, made, &request->error);
    request->state = made;
    return rc;
}

static int join_enrol(struct request *request, struct reply *reply)
{
    const struct join_body *b = request->body;
    const struct certificate *made = request->state;
    struct host_token_row token;
    int rc = check_token(request, b, &token);
    if (!rc)
        rc = store_host_enrol(request->conn, b->host_id, token.name, token.zone, made->fingerprint, request->now_us,
                              &request->error);
    if (!rc)
        rc = store_host_token_use(request->conn, hash_token(&request->arena, b->token), b->host_id, request->now_us,
                                  &request->error);
    if (rc)
        return rc;
    log_info("host joined", "host=%s name=%s", b->host_id, token.name);
    reply->status = 201;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "host_id", b->host_id);
    json_out_text(&reply->out, "name", token.name);
    json_out_text(&reply->out, "certificate", made->pem);
    json_out_text(&reply->out, "ca", made->ca_pem);
    json_out_text(&reply->out, "cloud_id", made->cloud_id);
    json_out_object_end(&reply->out);
    return 0;
}

static int renew_prepare(struct request *request, struct reply *reply)
{
    const struct join_body *b = request->body;
    struct certificate *made = arena_alloc(&request->arena, sizeof(*made));
    (void)reply;
    request->state = made;
    return certificate_sign(request->api->config->pki_dir, b->csr, request->credential.host_id, &request->arena, made,
                            &request->error);
}

static int join_renew(struct request *request, struct reply *reply)
{
    const struct certificate *made = request->state;
    struct host_row host;
    int rc = agent_host(request, &host);
    if (!rc)
        rc = store_host_renew(request->conn, host.id, made->fingerprint, request_client_fingerprint(request),
                              &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "certificate", made->pem);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/join",
     .permission = PERMISSION_JOIN,
     .kind = ROUTE_WRITE,
     .body = &join_table,
     .body_size = sizeof(struct join_body),
     .body_limit = 128 << 10,
     .before = join_prepare,
     .handler = join_enrol},
    {.method = "POST",
     .pattern = "/renew",
     .permission = PERMISSION_AGENT,
     .kind = ROUTE_WRITE,
     .body = &renew_table,
     .body_size = sizeof(struct join_body),
     .body_limit = 128 << 10,
     .before = renew_prepare,
     .handler = join_renew},
};
const struct route_table join_routes = ROUTE_TABLE(rows);
