/* libcurl's multi interface on our loop: it names sockets to watch and one time-out, we call it back. One multi handle
 * per client, so that thousands of fake hosts do not search each other's connections. A lane has one easy handle that
 * is reused, and a line of requests. */
#include "compute-agent/http/http_client.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/http/http_setup.h"
#include "compute-agent/loop.h"
#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_CLIENT_BODY_LIMIT ((size_t)64 << 20)

struct http_request {
    struct http_request *next;
    char *method, *url, *body;
    size_t size;
    int64_t timeout_ms;
    http_done_fn done;
    void *arg;
};
struct http_client_lane {
    struct http_client *client;
    CURL *easy; /* NULL until the lane is first used */
    struct http_request *head, **tail;
    bool running, fresh; /* fresh: the next request wants a new connection */
    struct strbuf answer;
    char error[CURL_ERROR_SIZE];
};
struct http_client {
    struct loop *loop;
    struct http_setup setup;
    CURLM *multi;
    struct loop_timer *timer;
    struct curl_slist *headers;
    struct http_client_lane lanes[HTTP_LANE_COUNT];
    struct http_client_socket *sockets;
};
struct http_client_socket {
    struct http_client *client;
    struct http_client_socket *next;
    struct loop_watch *watch;
    curl_socket_t fd;
};

static void http_client_start_next(struct http_client_lane *lane);

static void http_client_request_free(struct http_request *r)
{
    free(r->method);
    free(r->url);
    free(r->body);
    free(r);
}

static void http_client_finish(struct http_client_lane *lane, CURLcode outcome)
{
    struct http_client *c = lane->client;
    struct http_request *r = lane->head;
    struct error error = {0};
    struct http_answer answer = {.body = lane->answer.data, .size = lane->answer.size};
    long status = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    if (outcome == CURLE_OK)
        answer.status = (int)status;
    else
        http_setup_error(&c->setup, outcome, lane->error, &error);
    answer.error = &error;
    curl_multi_remove_handle(c->multi, lane->easy);
    lane->running = false;
    lane->head = r->next;
    if (!lane->head)
        lane->tail = &lane->head;
    http_done_fn done = r->done;
    void *arg = r->arg;
    http_client_request_free(r);
    done(arg, &answer); /* may send on this lane */
    if (!lane->running)
        strbuf_reset(&lane->answer);
    http_client_start_next(lane);
}

static void http_client_collect(struct http_client *c)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
        struct http_client_lane *lane = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&lane);
        http_client_finish(lane, m->data.result);
    }
}

static void http_client_due(void *arg)
{
    struct http_client *c = arg;
    int running;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    http_client_collect(c);
}

static int http_client_set_timer(CURLM *multi, long delay_ms, void *arg)
{
    struct http_client *c = arg;
    (void)multi;
    if (delay_ms < 0)
        loop_timer_stop(c->timer);
    else
        loop_timer_start(c->timer, delay_ms, 0);
    return 0;
}

static void http_client_ready(void *arg, int fd, unsigned events)
{
    struct http_client_socket *s = arg;
    struct http_client *c = s->client;
    int flags = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
                (events & (LOOP_ERROR | LOOP_HANGUP) ? CURL_CSELECT_ERR : 0);
    int running;
    curl_multi_socket_action(c->multi, fd, flags, &running); /* may free `s` */
    http_client_collect(c);
}

static void http_client_forget_socket(struct http_client_socket *s)
{
    struct http_client_socket **at = &s->client->sockets;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    loop_watch_free(&s->watch);
    free(s);
}

static int http_client_set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    struct http_client *c = arg;
    struct http_client_socket *s = socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            http_client_forget_socket(s);
        curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    if (!s) {
        s = memory_new(sizeof(*s));
        s->client = c;
        s->fd = fd;
        s->next = c->sockets;
        c->sockets = s;
        s->watch = loop_watch_new(c->loop, fd, http_client_ready, s);
        curl_multi_assign(c->multi, fd, s);
    }
    if (s->watch)
        loop_watch_set(s->watch, (what & CURL_POLL_IN ? (unsigned)LOOP_READ : 0) |
                                     (what & CURL_POLL_OUT ? (unsigned)LOOP_WRITE : 0));
    return 0;
}

static size_t http_client_receive(char *data, size_t size, size_t count, void *arg)
{
    struct http_client_lane *lane = arg;
    return strbuf_append(&lane->answer, data, size * count) ? 0 : size * count;
}

static void http_client_open_lane(struct http_client_lane *lane)
{
    struct http_client *c = lane->client;
    lane->easy = curl_easy_init();
    if (!lane->easy)
        abort();
    http_setup_apply(&c->setup, lane->easy);
    curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(lane->easy, CURLOPT_ERRORBUFFER, lane->error);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, http_client_receive);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void http_client_start_next(struct http_client_lane *lane)
{
    struct http_request *r = lane->head;
    if (lane->running || !r)
        return;
    if (!lane->easy)
        http_client_open_lane(lane);
    strbuf_reset(&lane->answer);
    lane->error[0] = '\0';
    curl_easy_setopt(lane->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(lane->easy, CURLOPT_FRESH_CONNECT, lane->fresh ? 1L : 0L);
    if (r->body) {
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->size);
    } else {
        curl_easy_setopt(lane->easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST, r->method);
    lane->fresh = false;
    lane->running = true;
    curl_multi_add_handle(lane->client->multi, lane->easy);
}

int http_client_new(struct loop *loop, const char *url, const struct http_client_identity *identity,
                    struct http_client **ret, struct error *e)
{
    struct http_client *c = memory_new(sizeof(*c));
    int code = http_setup_init(&c->setup, url, identity, e);
    if (code) {
        free(c);
        return code;
    }
    c->loop = loop;
    c->multi = curl_multi_init();
    c->timer = loop_timer_new(loop, http_client_due, c);
    c->headers = curl_slist_append(NULL, "Content-Type: application/json");
    c->headers = curl_slist_append(c->headers, "Expect:");
    if (!c->multi || !c->headers)
        abort();
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, http_client_set_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, http_client_set_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    for (int i = 0; i < HTTP_LANE_COUNT; i++) {
        c->lanes[i].client = c;
        c->lanes[i].tail = &c->lanes[i].head;
        strbuf_init(&c->lanes[i].answer, HTTP_CLIENT_BODY_LIMIT);
    }
    *ret = c;
    return 0;
}

static void http_client_close_lane(struct http_client_lane *lane)
{
    if (lane->running)
        curl_multi_remove_handle(lane->client->multi, lane->easy);
    if (lane->easy)
        curl_easy_cleanup(lane->easy);
    while (lane->head) {
        struct http_request *next = lane->head->next;
        http_client_request_free(lane->head);
        lane->head = next;
    }
    strbuf_done(&lane->answer);
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    *client = NULL;
    if (!c)
        return;
    for (int i = 0; i < HTTP_LANE_COUNT; i++)
        http_client_close_lane(&c->lanes[i]);
    curl_multi_cleanup(c->multi);
    while (c->sockets)
        http_client_forget_socket(c->sockets);
    curl_slist_free_all(c->headers);
    loop_timer_free(&c->timer);
    http_setup_done(&c->setup);
    free(c);
}

void http_client_send(struct http_client *c, enum http_lane lane_id, const char *method, const char *path,
                      const char *body, size_t size, int64_t timeout_ms, http_done_fn done, void *arg)
{
    assert(path[0] == '/');
    struct http_client_lane *lane = &c->lanes[lane_id];
    struct http_request *r = memory_new(sizeof(*r));
    r->method = memory_strdup(method);
    r->url = http_setup_url(&c->setup, path);
    if (body) {
        r->body = memory_new(size + 1);
        memcpy(r->body, body, size);
        r->size = size;
    }
    r->timeout_ms = timeout_ms;
    r->done = done;
    r->arg = arg;
    *lane->tail = r;
    lane->tail = &r->next;
    http_client_start_next(lane);
}

void http_client_reconnect(struct http_client *c)
{
    for (int i = 0; i < HTTP_LANE_COUNT; i++)
        c->lanes[i].fresh = true;
}
