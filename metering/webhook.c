/* Webhooks through curl's multi interface, driven from the meter's timer. Redirects are not followed. */
#include "metering/webhook.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <curl/curl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

struct webhook {
    CURLM *multi;
    CURL *easy; /* NULL while idle */
    struct curl_slist *headers;
    char *secret, *body;
};

struct webhook *webhook_new(const char *secret)
{
    struct webhook *w = memory_new(sizeof(*w));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    w->multi = curl_multi_init();
    w->secret = secret && *secret ? memory_strdup(secret) : NULL;
    return w;
}

static void drop(struct webhook *w)
{
    if (w->easy) {
        curl_multi_remove_handle(w->multi, w->easy);
        curl_easy_cleanup(w->easy);
    }
    curl_slist_free_all(w->headers);
    free(w->body);
    w->easy = NULL;
    w->headers = NULL;
    w->body = NULL;
}

void webhook_free(struct webhook **w)
{
    if (!*w) {
        return;
    }
    drop(*w);
    curl_multi_cleanup((*w)->multi);
    if ((*w)->secret) {
        sodium_memzero((*w)->secret, strlen((*w)->secret));
    }
    free((*w)->secret);
    free(*w);
    *w = NULL;
}

bool webhook_busy(const struct webhook *w)
{
    return w->easy != NULL;
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

static void add_header(struct webhook *w, const char *name, const char *value)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    strbuf_appendf(&text, "%s: %s", name, value);
    w->headers = curl_slist_append(w->headers, text.data);
    strbuf_done(&text);
}

static void sign(struct webhook *w)
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char text[2 * sizeof(mac) + 8] = "sha256=";
    if (!w->secret) {
        return;
    }
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)w->secret, strlen(w->secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)w->body, strlen(w->body));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2hex(text + strlen("sha256="), 2 * sizeof(mac) + 1, mac, sizeof(mac));
    add_header(w, "X-Virga-Signature", text);
}

int webhook_send(struct webhook *w, const char *url, const char *id, const char *body, struct error *e)
{
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a URL of http or https", url);
    }
    w->easy = curl_easy_init();
    w->body = memory_strdup(body);
    add_header(w, "Content-Type", "application/json");
    add_header(w, "X-Virga-Delivery", id);
    sign(w);
    curl_easy_setopt(w->easy, CURLOPT_URL, url);
    curl_easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, w->body);
    curl_easy_setopt(w->easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(w->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(w->multi, w->easy);
    return 0;
}

bool webhook_step(struct webhook *w, long *ret_status)
{
    int running = 0, left = 0;
    CURLMsg *message;
    if (!w->easy) {
        return false;
    }
    curl_multi_perform(w->multi, &running);
    while ((message = curl_multi_info_read(w->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            *ret_status = 0;
            if (message->data.result == CURLE_OK) {
                curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, ret_status);
            }
            drop(w);
            return true;
        }
    }
    return false;
}
