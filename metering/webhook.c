/* Webhooks and mails through curl's multi interface, driven from the meter's timer. Redirects are not followed. */
#include "metering/webhook.h"
#include "common/clock.h"
#include "common/library.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <curl/curl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 10000

#define CURL_FUNCTIONS(X)                                                                                              \
    X(easy_cleanup)                                                                                                    \
    X(easy_getinfo)                                                                                                    \
    X(easy_init)                                                                                                       \
    X(easy_setopt)                                                                                                     \
    X(global_init)                                                                                                     \
    X(multi_add_handle)                                                                                                \
    X(multi_cleanup)                                                                                                   \
    X(multi_info_read)                                                                                                 \
    X(multi_init)                                                                                                      \
    X(multi_perform)                                                                                                   \
    X(multi_remove_handle)                                                                                             \
    X(slist_append)                                                                                                    \
    X(slist_free_all)
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
#define CURL_NAME(name)   "curl_" #name,
/* libcurl's functions. It brings some twenty libraries with it and is loaded when there is something to tell. */
static struct {
    CURL_FUNCTIONS(CURL_MEMBER)
} curl;
static const char *const curl_names[] = {CURL_FUNCTIONS(CURL_NAME)};

struct webhook {
    CURLM *multi; /* NULL until the first is sent */
    CURL *easy;   /* NULL while idle */
    struct curl_slist *headers;
    size_t body_at; /* of a mail: what was read of it */
    char *secret, *body;
};

struct webhook *webhook_new(const char *secret)
{
    struct webhook *w = memory_new(sizeof(*w));
    w->secret = secret && *secret ? memory_strdup(secret) : NULL;
    return w;
}

static void drop(struct webhook *w)
{
    if (!w->multi) {
        return;
    }
    if (w->easy) {
        curl.multi_remove_handle(w->multi, w->easy);
        curl.easy_cleanup(w->easy);
    }
    curl.slist_free_all(w->headers);
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
    if ((*w)->multi) {
        curl.multi_cleanup((*w)->multi);
    }
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
    w->headers = curl.slist_append(w->headers, text.data);
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

static int begin(struct webhook *w, struct error *e)
{
    int rc = w->multi ? 0 : library_load(VIRGA_LIBCURL, curl_names, sizeof(curl_names) / sizeof(*curl_names), &curl, e);
    if (!rc && !w->multi) {
        curl.global_init(CURL_GLOBAL_DEFAULT);
        w->multi = curl.multi_init();
    }
    return rc;
}

int webhook_send(struct webhook *w, const char *url, const char *id, const char *body, struct error *e)
{
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a URL of http or https", url);
    }
    int rc = begin(w, e);
    if (rc) {
        return rc;
    }
    w->easy = curl.easy_init();
    w->body = memory_strdup(body);
    add_header(w, "Content-Type", "application/json");
    add_header(w, "X-Virga-Delivery", id);
    sign(w);
    curl.easy_setopt(w->easy, CURLOPT_URL, url);
    curl.easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
    curl.easy_setopt(w->easy, CURLOPT_POSTFIELDS, w->body);
    curl.easy_setopt(w->easy, CURLOPT_WRITEFUNCTION, ignore);
    curl.easy_setopt(w->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl.easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
    curl.multi_add_handle(w->multi, w->easy);
    return 0;
}

static size_t read_mail(char *data, size_t size, size_t count, void *arg)
{
    struct webhook *w = arg;
    size_t left = strlen(w->body + w->body_at), room = size * count, most = left < room ? left : room;
    memcpy(data, w->body + w->body_at, most);
    w->body_at += most;
    return most;
}

static void write_mail(struct webhook *w, const struct webhook_mail *m, const char *id)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char name[2 * sizeof(digest) + 1], date[64];
    time_t now = (time_t)(clock_now_us() / CLOCK_SECOND_US);
    struct tm tm;
    struct strbuf text;
    crypto_hash_sha256(digest, (const unsigned char *)id, strlen(id));
    sodium_bin2hex(name, sizeof(name), digest, sizeof(digest));
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    strbuf_init(&text, 1 << 20);
    strbuf_appendf(&text,
                   "Date: %s\r\nFrom: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%.40s@virga>\r\n"
                   "X-Virga-Delivery: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n\r\n%s",
                   date, m->from, m->to, m->subject, name, id, m->text);
    w->body = memory_strdup(text.data);
    w->body_at = 0;
    strbuf_done(&text);
}

static void add_recipients(struct webhook *w, const char *to)
{
    char *list = memory_strdup(to), *rest = list;
    for (char *one; (one = strtok_r(rest, ",", &rest));) {
        w->headers = curl.slist_append(w->headers, one);
    }
    free(list);
}

int webhook_send_mail(struct webhook *w, const struct webhook_mail *m, const char *id, struct error *e)
{
    if (!m->server || (strncmp(m->server, "smtp://", 7) != 0 && strncmp(m->server, "smtps://", 8) != 0)) {
        return error_set(e, ERR_INVALID, "there is no mail server: smtp_url is none of smtp and smtps");
    }
    if (!m->from || strpbrk(id, "\r\n")) {
        return error_set(e, ERR_INVALID, "mail has no sender: smtp_from is not set");
    }
    int rc = begin(w, e);
    if (rc) {
        return rc;
    }
    w->easy = curl.easy_init();
    write_mail(w, m, id);
    add_recipients(w, m->to);
    curl.easy_setopt(w->easy, CURLOPT_URL, m->server);
    curl.easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl.easy_setopt(w->easy, CURLOPT_USE_SSL, (long)(m->user ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl.easy_setopt(w->easy, CURLOPT_MAIL_FROM, m->from);
    curl.easy_setopt(w->easy, CURLOPT_MAIL_RCPT, w->headers);
    if (m->ca) {
        curl.easy_setopt(w->easy, CURLOPT_CAINFO, m->ca);
    }
    if (m->user) {
        curl.easy_setopt(w->easy, CURLOPT_USERNAME, m->user);
        curl.easy_setopt(w->easy, CURLOPT_PASSWORD, m->password ? m->password : "");
    }
    curl.easy_setopt(w->easy, CURLOPT_UPLOAD, 1L);
    curl.easy_setopt(w->easy, CURLOPT_READFUNCTION, read_mail);
    curl.easy_setopt(w->easy, CURLOPT_READDATA, w);
    curl.easy_setopt(w->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl.easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
    curl.multi_add_handle(w->multi, w->easy);
    return 0;
}

bool webhook_step(struct webhook *w, long *ret_status)
{
    int running = 0, left = 0;
    CURLMsg *message;
    if (!w->easy) {
        return false;
    }
    curl.multi_perform(w->multi, &running);
    while ((message = curl.multi_info_read(w->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            *ret_status = 0;
            if (message->data.result == CURLE_OK) {
                curl.easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, ret_status);
            }
            drop(w);
            return true;
        }
    }
    return false;
}
