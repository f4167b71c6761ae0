/* What is stored: a JSON document {"status", "type", "headers": [[name, value]...], "body"} in a secretbox
 * (XSalsa20-Poly1305) under a key derived from the Idempotency-Key, since answers may hold secrets (passwords, private
 * keys) that no row may show. The row's id is another hash of the same, so the row does not give the secret away. */
#include "api/http/idempotency.h"
#include "api/http/exchange.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/log.h"
#include "db/store_idempotency.h"
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define IDEMPOTENCY_PURGE_BATCH   500 /* rows a transaction, so that nobody waits for long */
#define IDEMPOTENCY_PURGE_BATCHES 200 /* a run */

struct idempotency {
    struct exchange *x;
    char id[65], request[65];
    unsigned char secret[crypto_secretbox_KEYBYTES];
};

bool idempotency_applies(const struct exchange *x)
{
    return x->headers.key && x->request.route->kind == ROUTE_WRITE && !strcmp(x->request.method, "POST") &&
           *x->request.credential.user_id;
}

static void idempotency_hash_text(crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
}

/* BLAKE2b of `purpose` and all that the key belongs to. */
static void idempotency_derive(const struct exchange *x, const char *purpose, unsigned char ret[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    idempotency_hash_text(&state, purpose);
    idempotency_hash_text(&state, x->headers.key);
    idempotency_hash_text(&state, x->request.credential.project_id);
    idempotency_hash_text(&state, x->request.credential.user_id);
    idempotency_hash_text(&state, x->request.path);
    crypto_generichash_final(&state, ret, 32);
}

static void idempotency_start(struct exchange *x, struct idempotency *ret)
{
    unsigned char hash[32];
    ret->x = x;
    idempotency_derive(x, "virga idempotency id", hash);
    sodium_bin2hex(ret->id, sizeof(ret->id), hash, sizeof(hash));
    idempotency_derive(x, "virga idempotency secret", ret->secret);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    idempotency_hash_text(&state, x->uri.query);
    crypto_generichash_update(&state, (const unsigned char *)x->request.raw, x->request.raw_size);
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(ret->request, sizeof(ret->request), hash, sizeof(hash));
}

static void idempotency_print(const struct reply *reply, struct strbuf *to)
{
    struct json_out out;
    json_out_init(&out, to);
    json_out_object(&out, NULL);
    json_out_int(&out, "status", reply->status);
    json_out_text(&out, "type", reply->content_type);
    json_out_array(&out, "headers");
    for (size_t i = reply->field_kept; i < reply->field_count; i++) {
        json_out_array(&out, NULL);
        json_out_text(&out, NULL, reply->fields[i].name);
        json_out_text(&out, NULL, reply->fields[i].value);
        json_out_array_end(&out);
    }
    json_out_array_end(&out);
    json_out_text_n(&out, "body", reply->body.data, reply->body.size);
    json_out_object_end(&out);
}

static int idempotency_store(struct idempotency *i, struct db_conn *c, struct error *e)
{
    struct strbuf plain;
    struct arena *a = &i->x->request.arena;
    strbuf_init(&plain, 0);
    idempotency_print(&i->x->reply, &plain);
    size_t sealed_size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.size;
    unsigned char *sealed = arena_alloc(a, sealed_size);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)plain.data, plain.size, sealed,
                          i->secret);
    strbuf_done(&plain);
    size_t text_size = sodium_base64_encoded_len(sealed_size, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_alloc(a, text_size);
    sodium_bin2base64(text, text_size, sealed, sealed_size, sodium_base64_VARIANT_ORIGINAL);
    return store_idempotency_answer(c, i->id, text, e);
}

/* Fills the reply from the stored document. */
static int idempotency_read(struct reply *reply, struct arena *a, const char *text, size_t size, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(text, size, &doc, e);
    if (rc)
        return rc;
    int64_t status = 0;
    json_in_int(json_in_member(doc.root, "status"), &status);
    reply->status = (int)status;
    reply->content_type = arena_strdup(a, json_in_text(json_in_member(doc.root, "type")));
    json_value *headers = json_in_member(doc.root, "headers");
    for (size_t i = 0; i < json_in_count(headers); i++) {
        json_value *pair = json_in_item(headers, i);
        reply_header(reply, json_in_text(json_in_item(pair, 0)), json_in_text(json_in_item(pair, 1)));
    }
    const char *body = json_in_text(json_in_member(doc.root, "body"));
    strbuf_append_text(&reply->body, body ? body : "");
    json_in_done(&doc);
    return 0;
}

static int idempotency_open(struct idempotency *i, const char *answer, struct error *e)
{
    struct arena *a = &i->x->request.arena;
    size_t room = strlen(answer), size = 0;
    unsigned char *sealed = arena_alloc(a, room + 1);
    if (sodium_base642bin(sealed, room, answer, room, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) ||
        size < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
        return error_set(e, ERR_CORRUPT, "A stored answer is damaged");
    size_t plain_size = size - crypto_secretbox_NONCEBYTES - crypto_secretbox_MACBYTES;
    unsigned char *plain = arena_alloc(a, plain_size + 1);
    if (crypto_secretbox_open_easy(plain, sealed + crypto_secretbox_NONCEBYTES, size - crypto_secretbox_NONCEBYTES,
                                   sealed, i->secret))
        return error_set(e, ERR_CORRUPT, "A stored answer is damaged");
    return idempotency_read(&i->x->reply, a, (const char *)plain, plain_size, e);
}

/* Somebody was first: their answer, or a refusal when they asked for something else. */
static int idempotency_replay(struct idempotency *i, struct db_conn *c, struct error *e)
{
    const char *request = NULL, *answer = NULL;
    int rc = store_idempotency_get(c, i->id, &i->x->request.arena, &request, &answer, e);
    if (rc)
        return rc;
    if (strcmp(request, i->request) != 0)
        return error_set(e, ERR_CONFLICT, "Idempotency-Key: it was used for a different request");
    return answer ? idempotency_open(i, answer, e) : exchange_call(i->x, i->x->request.route->handler, c);
}

static int idempotency_handler(struct db_conn *c, void *arg, struct error *e)
{
    struct exchange *x = arg;
    int rc = exchange_call(x, x->request.route->handler, c);
    return rc ? error_set(e, rc, "%s", error_text(&x->request.error)) : 0;
}

int idempotency_call(struct exchange *x, struct db_conn *c)
{
    struct idempotency i;
    struct error *e = &x->request.error;
    int64_t now_us = clock_now_us();
    bool taken = false;
    idempotency_start(x, &i);
    reply_reset(&x->reply);
    error_clear(e);
    int rc = store_idempotency_take(c, i.id, i.request, now_us, now_us - IDEMPOTENCY_LIFE_US, &taken, e);
    if (rc)
        return rc;
    if (!taken)
        return idempotency_replay(&i, c, e);
    struct error inner = {0};
    rc = db_savepoint(c, idempotency_handler, x, &inner);
    if (rc && error_http_status(e->code ? e->code : rc) >= 500)
        return rc;
    if (!rc && x->then) /* it asks somebody else: taken without an answer, so that the same request asks again */
        return 0;
    if (rc) {
        x->then = NULL;
        exchange_fault(x);
    }
    error_clear(e);
    return idempotency_store(&i, c, e);
}

static int idempotency_purge_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_idempotency_purge(c, clock_now_us() - IDEMPOTENCY_LIFE_US, IDEMPOTENCY_PURGE_BATCH, arg, e);
}

void idempotency_purge(struct api *api, void *unused)
{
    (void)unused;
    struct error e = {0};
    int64_t removed = IDEMPOTENCY_PURGE_BATCH;
    for (int batch = 0; batch < IDEMPOTENCY_PURGE_BATCHES && removed == IDEMPOTENCY_PURGE_BATCH; batch++)
        if (writer_run(api->writer, idempotency_purge_run, &removed, &e)) {
            log_warn("expired answers were not removed", "error=%s", error_text(&e));
            return;
        }
}
