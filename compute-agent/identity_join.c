/* Joining: on a worker, make the key and the request and see which CA the API shows (its fingerprint is in the token,
 * so that nobody in between can pass); on the loop, ask for the certificate over a connection that trusts this CA
 * alone. Renewal is the same without a token. */
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "compute-agent/identity_internal.h"
#include "compute-agent/loop.h"
#include "compute-agent/tls/pki.h"
#include "compute-agent/worker.h"
#include <stdlib.h>
#include <string.h>

#define IDENTITY_REQUEST_MS   20000
#define IDENTITY_HANDSHAKE_MS 10000

struct identity_task {
    struct worker_job job; /* first */
    struct identity *identity;
    struct loop *loop;
    identity_done_fn done;
    void *arg;
    struct http_client *client; /* of its own when joining, borrowed when renewing */
    bool joins;
    int code;
    struct error error;
    /* What the worker needs and makes: copies. */
    char *dir, *key_file, *url, *host, *port, *secret, *fingerprint, host_id[UUID_SIZE];
    struct strbuf request, ca;
};

static void identity_task_free(struct identity_task *t)
{
    if (t->joins)
        http_client_free(&t->client);
    free(t->dir);
    free(t->key_file);
    free(t->url);
    free(t->host);
    free(t->port);
    free(t->secret);
    free(t->fingerprint);
    strbuf_done(&t->request);
    strbuf_done(&t->ca);
    free(t);
}

static void identity_task_deliver(void *arg)
{
    struct identity_task *t = arg;
    t->done(t->arg, t->code, &t->error);
    identity_task_free(t);
}

/* The HTTP client must not be freed from inside its own callback, hence the detour over the loop. */
static void identity_task_end(struct identity_task *t, int code)
{
    t->code = code;
    loop_post(t->loop, identity_task_deliver, t);
}

static void identity_run(struct worker_job *job)
{
    struct identity_task *t = (struct identity_task *)job;
    t->code = pki_make_key(t->key_file, &t->error);
    if (!t->code)
        t->code = pki_make_request(t->key_file, t->host_id, &t->request, &t->error);
    if (!t->code && t->joins)
        t->code = pki_fetch_ca(t->host, t->port, t->fingerprint, IDENTITY_HANDSHAKE_MS, &t->ca, &t->error);
}

/* ---- the answer ---- */

struct identity_answer {
    const char *certificate, *name, *cloud_id, *host_id;
};
static const struct json_field answer_fields[] = {
    {.name = "certificate",
     .kind = JSON_TEXT,
     .offset = offsetof(struct identity_answer, certificate),
     .flags = JSON_REQUIRED},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct identity_answer, name)},
    {.name = "cloud_id", .kind = JSON_TEXT, .offset = offsetof(struct identity_answer, cloud_id)},
    {.name = "host_id", .kind = JSON_TEXT, .offset = offsetof(struct identity_answer, host_id)},
};
static const struct json_table answer_table = {
    .fields = answer_fields, .count = JSON_COUNT(answer_fields), .open = true, .seen_offset = JSON_NO_SEEN};

static int identity_store(struct identity_task *t, const struct identity_answer *a)
{
    struct identity *i = t->identity;
    int code = pki_check_certificate(a->certificate, t->ca.data, t->key_file, &t->error);
    if (!code && t->joins && (!a->cloud_id || !a->name || !a->host_id || strcmp(a->host_id, t->host_id) != 0))
        code = error_set(&t->error, ERR_PEER, "The API's answer lacks cloud_id, name or this host's host_id");
    if (!code && t->joins) {
        code = file_replace(i->ca_file, t->ca.data, t->ca.size, 0644, &t->error);
        if (!code) {
            identity_set_cloud(i, a->cloud_id, a->name, t->url);
            code = identity_save_cloud(i, &t->error);
        }
    }
    if (!code) /* last: with it the host has joined */
        code = file_replace(i->cert_file, a->certificate, strlen(a->certificate), 0644, &t->error);
    return code ? code : identity_read_certificate(i, &t->error);
}

static int identity_read_answer(struct identity_task *t, const struct http_answer *answer)
{
    struct json_doc doc;
    struct identity_answer a = {0};
    struct arena arena;
    int code = json_in_parse(answer->body, answer->size, &doc, &t->error);
    if (code)
        return ERR_PEER;
    arena_init(&arena);
    code = json_in_read(doc.root, &answer_table, &a, &arena, &t->error);
    if (!code)
        code = identity_store(t, &a);
    arena_done(&arena);
    json_in_done(&doc);
    return code;
}

static int identity_refused(struct identity_task *t, const struct http_answer *answer)
{
    int code = answer->status >= 500 || answer->status == 429 ? ERR_UNAVAILABLE : ERR_FORBIDDEN;
    return error_set(&t->error, code, "The API answers %d to the request for a certificate: %.200s", answer->status,
                     answer->body);
}

static void identity_answered(void *arg, const struct http_answer *answer)
{
    struct identity_task *t = arg;
    int code;
    if (answer->status == 0)
        code = error_set(&t->error, answer->error->code, "%s", error_text(answer->error));
    else if (answer->status != 200 && answer->status != 201)
        code = identity_refused(t, answer);
    else
        code = identity_read_answer(t, answer);
    if (!code && !t->joins) {
        t->identity->renewed = true;
        http_client_reconnect(t->client);
    }
    identity_task_end(t, code);
}

/* ---- the request ---- */

static int identity_connect(struct identity_task *t)
{
    char *ca_file = identity_path(t->dir, "ca.joining.pem");
    int code = file_replace(ca_file, t->ca.data, t->ca.size, 0644, &t->error);
    struct http_client_identity as = {.ca_file = ca_file};
    if (!code)
        code = http_client_new(t->loop, t->url, &as, &t->client, &t->error);
    free(ca_file);
    return code;
}

static void identity_ask(struct identity_task *t)
{
    struct strbuf body;
    struct json_out o;
    strbuf_init(&body, 0);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    if (t->joins) {
        json_out_text(&o, "token", t->secret);
        json_out_text(&o, "host_id", t->host_id);
    }
    json_out_text(&o, "csr", t->request.data);
    json_out_object_end(&o);
    http_client_send(t->client, HTTP_LANE_OTHER, "POST", t->joins ? "/agent/v1/join" : "/agent/v1/renew", body.data,
                     body.size, IDENTITY_REQUEST_MS, identity_answered, t);
    strbuf_done(&body);
}

static void identity_prepared(struct worker_job *job, enum worker_outcome outcome)
{
    struct identity_task *t = (struct identity_task *)job;
    if (outcome != WORKER_DONE)
        t->code = error_set(&t->error, ERR_UNAVAILABLE, "No worker was free to make the key");
    if (!t->code && t->joins)
        t->code = identity_connect(t);
    if (t->code)
        identity_task_end(t, t->code);
    else
        identity_ask(t);
}

/* No deadline is set for the job, so it is never late. */
static const struct worker_class identity_class = {.run = identity_run, .done = identity_prepared};

static struct identity_task *identity_task_new(struct identity *i, identity_done_fn done, void *arg)
{
    struct identity_task *t = memory_new(sizeof(*t));
    t->identity = i;
    t->done = done;
    t->arg = arg;
    t->dir = memory_strdup(i->dir);
    t->key_file = memory_strdup(i->key_file);
    memcpy(t->host_id, i->host_id, UUID_SIZE);
    strbuf_init(&t->request, 65536);
    strbuf_init(&t->ca, 65536);
    return t;
}

/* "secret.fingerprint" */
static int identity_split_token(struct identity_task *t, const char *token)
{
    const char *dot = strrchr(token, '.');
    if (!dot || dot == token || strlen(dot + 1) != 64 || strspn(dot + 1, "0123456789abcdefABCDEF") != 64)
        return error_set(&t->error, ERR_INVALID,
                         "The token must look as `virga host add` printed it: <secret>.<64 hex digits>");
    t->secret = memory_strdup(token);
    t->secret[dot - token] = '\0';
    t->fingerprint = memory_strdup(dot + 1);
    return 0;
}

void identity_join(struct identity *i, struct loop *loop, struct worker_pool *pool, const char *url, const char *token,
                   identity_done_fn done, void *arg)
{
    struct identity_task *t = identity_task_new(i, done, arg);
    t->joins = true;
    t->loop = loop;
    t->url = memory_strdup(url);
    int code = identity_split_token(t, token);
    if (!code)
        code = http_client_split_url(url, &t->host, &t->port, &t->error);
    if (code)
        identity_task_end(t, code);
    else
        worker_submit(pool, &t->job, &identity_class, 0);
}

void identity_renew(struct identity *i, struct loop *loop, struct http_client *client, struct worker_pool *pool,
                    identity_done_fn done, void *arg)
{
    struct identity_task *t = identity_task_new(i, done, arg);
    t->loop = loop;
    t->client = client;
    t->code = file_read(i->ca_file, &t->ca, &t->error);
    if (t->code)
        identity_task_end(t, t->code);
    else
        worker_submit(pool, &t->job, &identity_class, 0);
}
