/* One easy handle, one transfer. A server that ignores the range and sends all from the start makes the file start
 * over. */
#include "compute-agent/http/http_download.h"
#include "compute-agent/http/http_setup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct http_transfer {
    const struct http_download *what;
    CURL *easy;
    int fd;
    int64_t at; /* bytes in the file */
    bool begun; /* the answer's status has been looked at */
    int code;   /* what went wrong on our side */
    struct error *error;
};

static const char *what_of(const struct http_transfer *t)
{
    return t->what->what ? t->what->what : "image";
}

static bool http_download_begin(struct http_transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->begun = true;
    if (status == 200 && t->at > 0) {
        if (ftruncate(t->fd, 0))
            t->code = error_set(t->error, ERR_IO, "%s: %s", t->what->file, strerror(errno));
        t->at = 0;
    }
    return t->code == 0 && (status == 200 || status == 206);
}

static size_t http_download_write(char *data, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    size_t left = size * count;
    if (!t->begun && !http_download_begin(t))
        return 0;
    if (t->at + (int64_t)left > t->what->size_bytes) {
        t->code = error_set(t->error, ERR_PEER, "More is sent than the %lld bytes of the %s",
                            (long long)t->what->size_bytes, what_of(t));
        return 0;
    }
    while (left > 0) {
        ssize_t put = pwrite(t->fd, data, left, t->at);
        if (put <= 0) {
            int code = put < 0 && (errno == ENOSPC || errno == EDQUOT) ? ERR_NO_SPACE : ERR_IO;
            t->code = error_set(t->error, code, "The %s cannot be written to %s: %s", what_of(t), t->what->file,
                                strerror(errno));
            return 0;
        }
        data += put;
        left -= (size_t)put;
        t->at += put;
    }
    return size * count;
}

static int http_download_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const struct http_transfer *t = arg;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return t->what->stop && atomic_load(t->what->stop);
}

static int http_download_judge(struct http_transfer *t, const struct http_setup *setup, CURLcode outcome,
                               const char *text)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->code)
        return t->code;
    if (status == 404)
        return error_set(t->error, ERR_NOT_FOUND, "The %s is not there any more", what_of(t));
    if (status >= 400 && status != 416) {
        int code = status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_FORBIDDEN;
        return error_set(t->error, code, "The answer to the request for the %s is %ld", what_of(t), status);
    }
    if (outcome != CURLE_OK && status != 416) {
        http_setup_error(setup, outcome, text, t->error);
        return ERR_UNAVAILABLE;
    }
    if (t->at == t->what->size_bytes)
        return 0;
    if (status == 416 && ftruncate(t->fd, 0) == 0)
        return error_set(t->error, ERR_UNAVAILABLE, "What was fetched of the %s before does not fit; it starts over",
                         what_of(t));
    return error_set(t->error, ERR_UNAVAILABLE, "The %s ended after %lld of %lld bytes", what_of(t), (long long)t->at,
                     (long long)t->what->size_bytes);
}

static int http_download_perform(struct http_transfer *t, const struct http_setup *setup)
{
    char text[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(t->easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->at);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, http_download_write);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    const struct http_setup_transfer how = {t->what->path, t->what->stall_ms, http_download_progress, t, text};
    return http_download_judge(t, setup, http_setup_perform(setup, t->easy, &how), text);
}

int http_download(const struct http_download *d, struct error *e)
{
    struct http_setup setup;
    struct http_transfer t = {.what = d, .error = e};
    int code = http_setup_init(&setup, d->url, &d->identity, e);
    if (code)
        return code;
    t.fd = open(d->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    t.at = t.fd < 0 ? 0 : lseek(t.fd, 0, SEEK_END);
    t.easy = curl_easy_init();
    if (!t.easy)
        abort();
    if (t.fd >= 0 && t.at > d->size_bytes && ftruncate(t.fd, 0) == 0)
        t.at = 0;
    if (t.fd < 0)
        code = error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", d->file, strerror(errno));
    else if (t.at < d->size_bytes)
        code = http_download_perform(&t, &setup);
    curl_easy_cleanup(t.easy);
    if (t.fd >= 0)
        close(t.fd);
    http_setup_done(&setup);
    return code;
}

static size_t http_download_append(char *data, size_t size, size_t count, void *arg)
{
    return strbuf_append(arg, data, size * count) ? 0 : size * count;
}

int http_download_text(const struct http_download *d, struct strbuf *ret, struct error *e)
{
    struct http_setup setup;
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;
    int code = http_setup_init(&setup, d->url, &d->identity, e);
    if (code)
        return code;
    CURL *easy = curl_easy_init();
    if (!easy)
        abort();
    char *url = http_setup_url(&setup, d->path);
    http_setup_apply(&setup, easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_download_append);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)d->stall_ms);
    CURLcode outcome = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (outcome != CURLE_OK) {
        http_setup_error(&setup, outcome, text, e);
        code = ERR_UNAVAILABLE;
    } else if (status != 200) {
        code = error_set(e,
                         status == 404   ? ERR_NOT_FOUND
                         : status >= 500 ? ERR_UNAVAILABLE
                                         : ERR_FORBIDDEN,
                         "The answer to the request for the %s is %ld", d->what, status);
    }
    free(url);
    curl_easy_cleanup(easy);
    http_setup_done(&setup);
    return code;
}
