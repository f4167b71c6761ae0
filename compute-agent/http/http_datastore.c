/* One request, one handle: these are rare. What a host whose certificate is not to be verified says is taken as libvirt
 * takes it. */
#include "compute-agent/http/http_datastore.h"
#include "common/strbuf.h"
#include "compute-agent/password.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HTTP_DATASTORE_CENTER "ha-datacenter" /* a host's own, without vCenter */

struct http_datastore_address {
    char *user, *host, *port, *path, *query;
};

static char *http_datastore_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    curl_url_get(url, part, &text, CURLU_URLDECODE);
    return text;
}

static int http_datastore_parse(const struct http_datastore *d, struct http_datastore_address *ret, struct error *e)
{
    CURLU *url = curl_url();
    if (!url)
        abort();
    bool bad = curl_url_set(url, CURLUPART_URL, d->uri, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK;
    *ret = (struct http_datastore_address){.path = http_datastore_part(url, CURLUPART_PATH),
                                           .user = http_datastore_part(url, CURLUPART_USER),
                                           .host = http_datastore_part(url, CURLUPART_HOST),
                                           .port = http_datastore_part(url, CURLUPART_PORT),
                                           .query = http_datastore_part(url, CURLUPART_QUERY)};
    curl_url_cleanup(url);
    return bad || !ret->host ? error_set(e, ERR_INVALID, "hypervisor_uri %.80s names no host", d->uri) : 0;
}

static void http_datastore_forget(struct http_datastore_address *a)
{
    curl_free(a->path);
    curl_free(a->user);
    curl_free(a->host);
    curl_free(a->port);
    curl_free(a->query);
}

static bool http_datastore_asks(const struct http_datastore_address *a, const char *word)
{
    return a->query && strstr(a->query, word) != NULL;
}

/* Slashes stay. */
static void http_datastore_escape(CURL *easy, struct strbuf *to, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "/");
        char *part = size ? curl_easy_escape(easy, text, (int)size) : NULL;
        if (part)
            strbuf_append_text(to, part);
        curl_free(part);
        text += size;
        if (*text == '/')
            strbuf_append_char(to, *text++);
    }
}

static bool http_datastore_plain(const struct http_datastore_address *a)
{
    return http_datastore_asks(a, "transport=http") && !http_datastore_asks(a, "transport=https");
}

/* vpx://vcenter/DATACENTER/.../HOST. */
static void http_datastore_center(CURL *easy, struct strbuf *to, const struct http_datastore *d,
                                  const struct http_datastore_address *a)
{
    struct strbuf first;
    bool managed = a->path && a->path[0] == '/' && a->path[1]; /* of one host nothing follows */
    strbuf_init(&first, 0);
    if (managed)
        strbuf_appendf(&first, "%.*s", (int)strcspn(a->path + 1, "/"), a->path + 1);
    http_datastore_escape(easy, to, d->datacenter ? d->datacenter : managed ? first.data : HTTP_DATASTORE_CENTER);
    strbuf_done(&first);
}

static void http_datastore_print(CURL *easy, struct strbuf *url, const struct http_datastore *d,
                                 const struct http_datastore_address *a, const char *path)
{
    strbuf_appendf(url, "%s://%s%s%s/folder/", http_datastore_plain(a) ? "http" : "https", a->host, a->port ? ":" : "",
                   a->port ? a->port : "");
    http_datastore_escape(easy, url, path);
    strbuf_append_text(url, "?dcPath=");
    http_datastore_center(easy, url, d, a);
    strbuf_append_text(url, "&dsName=");
    http_datastore_escape(easy, url, d->datastore);
}

int http_datastore_url(const struct http_datastore *d, const char *path, struct strbuf *ret, struct error *e)
{
    struct http_datastore_address a;
    CURL *easy = curl_easy_init();
    if (!easy)
        abort();
    int code = http_datastore_parse(d, &a, e);
    if (!code)
        http_datastore_print(easy, ret, d, &a, path);
    http_datastore_forget(&a);
    curl_easy_cleanup(easy);
    return code;
}

static void http_datastore_address(CURL *easy, const struct http_datastore *d, const struct http_datastore_address *a,
                                   const char *path)
{
    struct strbuf url;
    bool plain = http_datastore_plain(a);
    strbuf_init(&url, 0);
    http_datastore_print(easy, &url, d, a, path);
    bool verify = !http_datastore_asks(a, "no_verify=1");
    curl_easy_setopt(easy, CURLOPT_URL, url.data);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, d->deadline_s);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, d->deadline_s);
    strbuf_done(&url);
}

static int http_datastore_sign(CURL *easy, const struct http_datastore *d, const struct http_datastore_address *a,
                               struct error *e)
{
    struct strbuf password;
    if (!a->user)
        return 0;
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, a->user);
    if (!d->password_file)
        return 0;
    int code = password_read(d->password_file, &password, e);
    if (!code)
        curl_easy_setopt(easy, CURLOPT_PASSWORD, password.data);
    password_done(&password);
    return code;
}

static size_t http_datastore_swallow(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static CURL *http_datastore_begin(void)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        abort();
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_datastore_swallow);
    return easy;
}

/* `ret_there`: NULL when it is an error that there is nothing. */
static int http_datastore_run(CURL *easy, const struct http_datastore *d, const char *path, bool *ret_there,
                              struct error *e)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    struct http_datastore_address a;
    int code = http_datastore_parse(d, &a, e);
    if (!code) {
        http_datastore_address(easy, d, &a, path);
        code = http_datastore_sign(easy, d, &a, e);
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    CURLcode outcome = code ? CURLE_OK : curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (!code && outcome != CURLE_OK)
        code = error_set(e, ERR_UNAVAILABLE, "The hypervisor at %s does not answer: %s", a.host,
                         why[0] ? why : curl_easy_strerror(outcome));
    else if (!code && status >= 300 && !(ret_there && status == 404))
        code = error_set(e, ERR_HYPERVISOR, "The hypervisor answers %ld for [%s] %s", status, d->datastore, path);
    if (!code && ret_there)
        *ret_there = status != 404;
    http_datastore_forget(&a);
    return code;
}

int http_datastore_put(const struct http_datastore *d, const char *path, const char *file, struct error *e)
{
    struct stat st;
    FILE *from = fopen(file, "re");
    if (!from || fstat(fileno(from), &st)) {
        int why = errno;
        if (from)
            fclose(from);
        return error_set(e, ERR_IO, "%s: %s", file, strerror(why));
    }
    CURL *easy = http_datastore_begin();
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READDATA, from);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
    int code = http_datastore_run(easy, d, path, NULL, e);
    curl_easy_cleanup(easy);
    fclose(from);
    return code;
}

int http_datastore_find(const struct http_datastore *d, const char *path, bool *ret_there, struct error *e)
{
    CURL *easy = http_datastore_begin();
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    int code = http_datastore_run(easy, d, path, ret_there, e);
    curl_easy_cleanup(easy);
    return code;
}

static size_t http_datastore_keep(char *data, size_t size, size_t count, void *arg)
{
    strbuf_append(arg, data, size * count);
    return size * count;
}

int http_datastore_get(const struct http_datastore *d, const char *path, struct strbuf *ret, bool *ret_there,
                       struct error *e)
{
    struct strbuf text;
    CURL *easy = http_datastore_begin();
    strbuf_init(&text, ret->ceiling);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_datastore_keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    int code = http_datastore_run(easy, d, path, ret_there, e);
    if (!code && *ret_there)
        strbuf_append(ret, text.data, text.size);
    strbuf_done(&text);
    curl_easy_cleanup(easy);
    return code;
}

int http_datastore_remove(const struct http_datastore *d, const char *path, struct error *e)
{
    bool there;
    CURL *easy = http_datastore_begin();
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    int code = http_datastore_run(easy, d, path, &there, e);
    curl_easy_cleanup(easy);
    return code;
}
