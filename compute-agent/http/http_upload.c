/* One easy handle, one PUT. The checksum goes ahead in a header, so that the other side need not trust the way. */
#include "compute-agent/http/http_upload.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/http/http_setup.h"
#include "compute-agent/tls/digest.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct http_sending {
    const struct http_upload *what;
    CURL *easy;
    FILE *file;
    int64_t size;
    struct curl_slist *headers;
};

static size_t http_upload_read(char *data, size_t size, size_t count, void *arg)
{
    struct http_sending *s = arg;
    size_t got = fread(data, 1, size * count, s->file);
    return got == 0 && ferror(s->file) ? CURL_READFUNC_ABORT : got;
}

static int http_upload_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const struct http_sending *s = arg;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return atomic_load(s->what->stop);
}

static size_t http_upload_ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

static int http_upload_open(struct http_sending *s, char sum[DIGEST_SHA512_SIZE], struct error *e)
{
    struct stat about;
    const struct http_upload *u = s->what;
    int code = u->file ? digest_file(u->file, u->stop, sum, e) : digest_text(u->data, sum, e);
    if (code)
        return code;
    s->file = u->file ? fopen(u->file, "rbe") : fmemopen((char *)(uintptr_t)u->data, strlen(u->data) + 1, "r");
    if (!s->file || (u->file && fstat(fileno(s->file), &about)))
        return error_set(e, ERR_IO, "%s: %s", u->file ? u->file : "image", strerror(errno));
    s->size = u->file ? (int64_t)about.st_size : (int64_t)strlen(u->data);
    return 0;
}

static void http_upload_header(struct http_sending *s, const char *name, const char *value)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, "%s: %s", name, value);
    s->headers = curl_slist_append(s->headers, text.data);
    strbuf_done(&text);
}

static int http_upload_judge(const struct http_sending *s, const struct http_setup *setup, CURLcode outcome,
                             const char *text, struct error *e)
{
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300 && outcome == CURLE_OK)
        return 0;
    if (status >= 400 && status < 500 && status != 429 && status != 408)
        return error_set(e, ERR_CONFLICT, "The API does not take the image: %ld", status);
    if (outcome != CURLE_OK) {
        http_setup_error(setup, outcome, text, e);
        return ERR_UNAVAILABLE;
    }
    return error_set(e, ERR_UNAVAILABLE, "The answer to the image is %ld", status);
}

static int http_upload_perform(struct http_sending *s, const struct http_setup *setup, struct error *e)
{
    char text[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(s->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(s->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->size);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->easy, CURLOPT_READFUNCTION, http_upload_read);
    curl_easy_setopt(s->easy, CURLOPT_READDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, http_upload_ignore);
    const struct http_setup_transfer how = {s->what->path, s->what->stall_ms, http_upload_progress, s, text};
    return http_upload_judge(s, setup, http_setup_perform(setup, s->easy, &how), text, e);
}

int http_upload(const struct http_upload *u, struct error *e)
{
    struct http_setup setup;
    struct http_sending s = {.what = u};
    char sum[DIGEST_SHA512_SIZE];
    int code = http_upload_open(&s, sum, e);
    if (!code && !(code = http_setup_init(&setup, u->url, &u->identity, e))) {
        s.easy = curl_easy_init();
        if (!s.easy)
            abort();
        http_upload_header(&s, "X-Image-Sha512", sum);
        http_upload_header(&s, "X-Image-Format", u->format);
        if (u->template)
            http_upload_header(&s, "X-Image-Template", u->template);
        http_upload_header(&s, "Content-Type", "application/octet-stream");
        code = http_upload_perform(&s, &setup, e);
        curl_easy_cleanup(s.easy);
        curl_slist_free_all(s.headers);
        http_setup_done(&setup);
    }
    if (s.file)
        fclose(s.file);
    return code;
}
