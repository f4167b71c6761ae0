/* The connection goes to the configured address, while TLS and the Host header use the API's fixed name. */
#include "compute-agent/http/http_setup.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_SETUP_CONNECT_MS 10000L

static void http_setup_global(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

int http_client_split_url(const char *url, char **ret_host, char **ret_port, struct error *e)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parsed = curl_url();
    if (!parsed)
        abort();
    bool good = !curl_url_set(parsed, CURLUPART_URL, url, 0) && !curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) &&
                !strcmp(scheme, "https") && !curl_url_get(parsed, CURLUPART_HOST, &host, 0) &&
                !curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (good) {
        size_t size = strlen(host);
        bool brackets = host[0] == '[' && host[size - 1] == ']';
        *ret_host = memory_strdup(brackets ? host + 1 : host);
        (*ret_host)[brackets ? size - 2 : size] = '\0';
        *ret_port = memory_strdup(port);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return good ? 0 : error_set(e, ERR_INVALID, "The API's address must look like https://host:8775, not \"%s\"", url);
}

int http_setup_init(struct http_setup *s, const char *url, const struct http_client_identity *identity, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, http_setup_global);
    *s = (struct http_setup){0};
    char *host = NULL, *port = NULL;
    const char *name = identity->server_name ? identity->server_name : HTTP_CLIENT_NAME;
    int code = http_client_split_url(url, &host, &port, e);
    if (code)
        return code;
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, strchr(host, ':') ? "%s:%s:[%s]:%s" : "%s:%s:%s:%s", name, port, host, port);
    s->connect_to = curl_slist_append(NULL, text.data);
    strbuf_reset(&text);
    strbuf_appendf(&text, "https://%s:%s", name, port);
    s->base = strbuf_take(&text);
    s->shown = memory_strdup(url);
    s->ca_file = memory_strdup(identity->ca_file);
    s->cert_file = memory_strdup(identity->cert_file);
    s->key_file = memory_strdup(identity->key_file);
    free(host);
    free(port);
    return 0;
}

void http_setup_done(struct http_setup *s)
{
    curl_slist_free_all(s->connect_to);
    free(s->base);
    free(s->shown);
    free(s->ca_file);
    free(s->cert_file);
    free(s->key_file);
    *s = (struct http_setup){0};
}

void http_setup_apply(const struct http_setup *s, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, s->connect_to);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (s->cert_file) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, s->cert_file);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, s->key_file);
    }
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "virga-agent/" VIRGA_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_SETUP_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

char *http_setup_url(const struct http_setup *s, const char *path)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, "%s%s", s->base, path);
    return strbuf_take(&text);
}

CURLcode http_setup_perform(const struct http_setup *s, CURL *easy, const struct http_setup_transfer *t)
{
    char *url = http_setup_url(s, t->path);
    long stall_s = (long)(t->stall_ms / 1000);
    http_setup_apply(s, easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->text);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, t->progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t->arg);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall_s > 0 ? stall_s : 1L);
    CURLcode outcome = curl_easy_perform(easy);
    free(url);
    return outcome;
}

int http_setup_error(const struct http_setup *s, CURLcode outcome, const char *text, struct error *e)
{
    const char *why = text[0] ? text : curl_easy_strerror(outcome);
    int code = outcome == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
    return error_set(e, code, "%s does not answer: %s", s->shown, why);
}
