/* The API's side of the agents' protocol in the same process, on the test's loop: it stands in for the HTTP client (the
 * functions of http_client.h are defined here), keeps what is wanted and what was reported, and can lose, refuse and
 * repeat. One host, one cloud. */
#pragma once
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "common/uuid.h"
#include "compute-agent/http/http_client.h"
#include "compute-agent/loop.h"
#include "tests/unit/check.h"

#define CLOUD_SERVERS 8
#define CLOUD_EVENTS  4096

struct cloud_server {
    char id[UUID_SIZE];
    bool wanted; /* the row is there */
    bool exists;
    const char *power, *action;
    char operation_id[UUID_SIZE];
    int64_t revision;
    const char *network; /* NULL: no nic */
    const char *pair;    /* an address that it may send from besides; NULL: none */
    int64_t ephemeral_gib, swap_mib;
    /* What was reported last: */
    char state[16], error[128], done_operation[UUID_SIZE];
    int64_t state_revision, state_at_us;
    int64_t resumed;   /* events that said that it is being started again */
    int64_t off_at_us; /* of the last one */
};
struct cloud_event {
    int64_t seq;
    char server_id[UUID_SIZE], state[16];
};
enum cloud_loss { CLOUD_GOOD, CLOUD_UNREACHABLE, CLOUD_LOSE_ANSWER, CLOUD_REFUSE };

struct http_client {
    struct loop *loop;
    struct cloud_request *head, **tail;
    struct loop_timer *timer;
};
struct cloud_request {
    struct cloud_request *next;
    struct http_client *client;
    enum http_lane lane;
    char *method, *path, *body;
    http_done_fn done;
    void *arg;
};
static struct {
    struct cloud_server servers[CLOUD_SERVERS];
    size_t server_count;
    int64_t revision, event_seq;
    struct cloud_event events[CLOUD_EVENTS];
    size_t event_count;
    char inventory[512], answer[512];
    const char *query; /* asked with the next desired answer: a kind */
    const char *verdict;
    bool removable;
    size_t reports, polls, verdicts, samples;
    enum cloud_loss (*loss)(const char *path);
    int64_t page; /* servers in an answer, 0: as many as asked for */
    struct http_client *client;
} cloud;

static struct cloud_server *cloud_find(const char *id)
{
    for (size_t i = 0; i < cloud.server_count; i++) {
        if (strcmp(cloud.servers[i].id, id) == 0)
            return &cloud.servers[i];
    }
    return NULL;
}

/* ---- answers ---- */

static void cloud_print_server(struct json_out *o, const struct cloud_server *s)
{
    json_out_object(o, NULL);
    json_out_text(o, "id", s->id);
    json_out_int(o, "revision", s->revision);
    json_out_bool(o, "exists", s->exists);
    json_out_text(o, "power", s->power);
    json_out_text(o, "name", "n");
    json_out_text(o, "hostname", "h");
    json_out_int(o, "vcpus", 1);
    json_out_int(o, "memory_mib", 64);
    json_out_int(o, "root_gib", 1);
    json_out_int(o, "ephemeral_gib", s->ephemeral_gib);
    json_out_int(o, "swap_mib", s->swap_mib);
    json_out_array(o, "nics");
    if (s->network) {
        char mac[24];
        snprintf(mac, sizeof(mac), "fa:16:3e:00:00:%.2s", s->id + 34);
        json_out_object(o, NULL);
        json_out_text(o, "port_id", s->id);
        json_out_text(o, "mac", mac);
        json_out_array(o, "addresses");
        json_out_object(o, NULL);
        json_out_textf(o, "ip", "10.0.0.%ld", strtol(s->id + 34, NULL, 16));
        json_out_object_end(o);
        json_out_array_end(o);
        json_out_bool(o, "port_security", true);
        json_out_array(o, "allowed_address_pairs");
        if (s->pair) {
            json_out_object(o, NULL);
            json_out_text(o, "ip_address", s->pair);
            json_out_object_end(o);
        }
        json_out_array_end(o);
        json_out_object(o, "network");
        json_out_text(o, "id", s->network);
        json_out_object_end(o);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    if (s->action) {
        json_out_object(o, "operation");
        json_out_text(o, "id", s->operation_id);
        json_out_text(o, "action", s->action);
        json_out_object_end(o);
    }
    json_out_object_end(o);
}

static int64_t cloud_number(const char *path, const char *name)
{
    const char *at = strstr(path, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* False: nothing to say, the request stays parked. */
static bool cloud_desired(const struct cloud_request *r, struct strbuf *ret)
{
    int64_t since = cloud_number(r->path, "?since="), wait = cloud_number(r->path, "wait_ms="), highest = since,
            listed = 0;
    int64_t limit = cloud.page ? cloud.page : cloud_number(r->path, "limit=");
    struct json_out o;
    size_t left = 0;
    for (size_t i = 0; i < cloud.server_count; i++)
        left += cloud.servers[i].wanted && cloud.servers[i].revision > since;
    if (!left && wait && !cloud.query)
        return false;
    cloud.polls++;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_array(&o, "servers");
    for (int64_t revision = since + 1; revision <= cloud.revision && listed < limit; revision++) {
        for (size_t i = 0; i < cloud.server_count; i++) {
            if (cloud.servers[i].wanted && cloud.servers[i].revision == revision) {
                cloud_print_server(&o, &cloud.servers[i]);
                highest = revision;
                listed++;
            }
        }
    }
    json_out_array_end(&o);
    json_out_int(&o, "revision", highest);
    json_out_bool(&o, "more", (int64_t)left > listed);
    json_out_array(&o, "queries");
    if (cloud.query) {
        json_out_object(&o, NULL);
        json_out_text(&o, "id", "query-1");
        json_out_text(&o, "kind", cloud.query);
        json_out_text(&o, "server_id", cloud.servers[0].id);
        json_out_object_end(&o);
        cloud.query = NULL;
    }
    json_out_array_end(&o);
    json_out_int(&o, "queries_us", 0);
    json_out_object_end(&o);
    return true;
}

static void cloud_copy(char *to, size_t size, json_value *value)
{
    snprintf(to, size, "%s", json_in_text(value) ? json_in_text(value) : "");
}

static void cloud_take_event(json_value *event)
{
    int64_t seq = 0, at_us = 0;
    json_in_int(json_in_member(event, "seq"), &seq);
    json_in_int(json_in_member(event, "at_us"), &at_us);
    if (seq <= cloud.event_seq)
        return;
    CHECK_INT(seq, cloud.event_seq + 1); /* none is missing */
    cloud.event_seq = seq;
    CHECK(cloud.event_count < CLOUD_EVENTS);
    struct cloud_event *e = &cloud.events[cloud.event_count++];
    e->seq = seq;
    cloud_copy(e->server_id, sizeof(e->server_id), json_in_member(event, "server_id"));
    cloud_copy(e->state, sizeof(e->state), json_in_member(event, "state"));
    struct cloud_server *s = cloud_find(e->server_id);
    if (!s)
        return;
    CHECK(at_us >= s->state_at_us);
    s->state_at_us = at_us;
    memcpy(s->state, e->state, sizeof(s->state));
    if (json_in_has(event, "resuming")) {
        s->resumed++;
        s->off_at_us = at_us;
    }
    cloud_copy(s->error, sizeof(s->error), json_in_member(json_in_member(event, "error"), "message"));
    json_in_int(json_in_member(event, "revision"), &s->state_revision);
    if (json_in_has(event, "operation_id"))
        cloud_copy(s->done_operation, sizeof(s->done_operation), json_in_member(event, "operation_id"));
    if (strcmp(s->state, "gone") == 0)
        s->wanted = false;
}

static void cloud_report(const struct cloud_request *r, struct strbuf *ret)
{
    struct json_doc doc;
    struct json_out o;
    struct arena arena;
    struct error e = {0};
    CHECK_OK(json_in_parse(r->body, strlen(r->body), &doc, &e), &e);
    json_value *events = json_in_member(doc.root, "events");
    for (size_t i = 0; i < json_in_count(events); i++)
        cloud_take_event(json_in_item(events, i));
    arena_init(&arena);
    if (json_in_has(doc.root, "inventory"))
        snprintf(cloud.inventory, sizeof(cloud.inventory), "%s",
                 json_in_print(json_in_member(doc.root, "inventory"), &arena));
    arena_done(&arena);
    cloud.samples += json_in_count(json_in_member(doc.root, "samples"));
    cloud.reports++;
    json_in_done(&doc);
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_int(&o, "accepted_seq", cloud.event_seq);
    json_out_object_end(&o);
}

static void cloud_verdict(const struct cloud_request *r, struct strbuf *ret)
{
    struct json_out o;
    cloud.verdicts++;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_text(&o, "id", strrchr(r->path, '/') + 1);
    json_out_text(&o, "verdict", cloud.verdict ? cloud.verdict : "unknown");
    json_out_bool(&o, "removable", cloud.removable);
    json_out_object_end(&o);
}

/* False: parked. */
static bool cloud_serve(const struct cloud_request *r, struct strbuf *ret)
{
    if (strncmp(r->path, "/agent/v1/desired", 17) == 0)
        return cloud_desired(r, ret);
    if (strcmp(r->path, "/agent/v1/report") == 0)
        cloud_report(r, ret);
    else if (strncmp(r->path, "/agent/v1/servers/", 18) == 0)
        cloud_verdict(r, ret);
    else if (strncmp(r->path, "/agent/v1/queries/", 18) == 0)
        snprintf(cloud.answer, sizeof(cloud.answer), "%s", r->body);
    return true;
}

static void cloud_request_free(struct cloud_request *r)
{
    free(r->method);
    free(r->path);
    free(r->body);
    free(r);
}

/* True when the request was answered. */
static bool cloud_answer(struct cloud_request *r, enum cloud_loss loss)
{
    struct strbuf body;
    struct error e = {0};
    struct http_answer answer = {.status = 200, .error = &e};
    strbuf_init(&body, 0);
    bool served = loss == CLOUD_UNREACHABLE || loss == CLOUD_REFUSE || cloud_serve(r, &body);
    if (loss == CLOUD_REFUSE)
        answer.status = 503;
    if (loss == CLOUD_UNREACHABLE || loss == CLOUD_LOSE_ANSWER) {
        answer.status = 0;
        error_set(&e, ERR_UNAVAILABLE, "lost by the test");
        strbuf_reset(&body);
    }
    answer.body = body.data;
    answer.size = body.size;
    if (served)
        r->done(r->arg, &answer);
    strbuf_done(&body);
    return served;
}

/* One request a round; parked ones are looked at again whenever something changes. */
static void cloud_turn(void *arg)
{
    struct http_client *c = arg;
    for (struct cloud_request **at = &c->head; *at;) {
        struct cloud_request *r = *at;
        *at = r->next;
        if (!*at)
            c->tail = at;
        enum cloud_loss loss = cloud.loss ? cloud.loss(r->path) : CLOUD_GOOD;
        if (cloud_answer(r, loss)) {
            cloud_request_free(r);
            at = &c->head; /* the list may have changed */
            continue;
        }
        r->next = *at;
        *at = r;
        if (!r->next)
            c->tail = &r->next;
        at = &r->next;
    }
}

static void cloud_changed(void)
{
    if (cloud.client)
        loop_timer_start(cloud.client->timer, 0, 0);
}

/* ---- the HTTP client ---- */

int http_client_new(struct loop *loop, const char *url, const struct http_client_identity *identity,
                    struct http_client **ret, struct error *e)
{
    struct http_client *c = memory_new(sizeof(*c));
    (void)url, (void)identity, (void)e;
    c->loop = loop;
    c->tail = &c->head;
    c->timer = loop_timer_new(loop, cloud_turn, c);
    cloud.client = c;
    *ret = c;
    return 0;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    *client = NULL;
    if (!c)
        return;
    cloud.client = NULL;
    while (c->head) {
        struct cloud_request *next = c->head->next;
        cloud_request_free(c->head);
        c->head = next;
    }
    loop_timer_free(&c->timer);
    free(c);
}

void http_client_send(struct http_client *c, enum http_lane lane, const char *method, const char *path,
                      const char *body, size_t size, int64_t timeout_ms, http_done_fn done, void *arg)
{
    struct cloud_request *r = memory_new(sizeof(*r));
    (void)size, (void)timeout_ms;
    r->client = c;
    r->lane = lane;
    r->method = memory_strdup(method);
    r->path = memory_strdup(path);
    r->body = memory_strdup(body);
    r->done = done;
    r->arg = arg;
    *c->tail = r;
    c->tail = &r->next;
    cloud_changed();
}

void http_client_reconnect(struct http_client *c)
{
    (void)c;
}

/* ---- what a test does ---- */

__attribute__((unused)) static struct cloud_server *cloud_add(unsigned number, const char *power, const char *network)
{
    struct cloud_server *s = &cloud.servers[cloud.server_count++];
    CHECK(cloud.server_count <= CLOUD_SERVERS);
    *s = (struct cloud_server){.wanted = true, .exists = true, .power = power, .network = network};
    snprintf(s->id, sizeof(s->id), "01890000-0000-7000-8000-0000000000%02x", number);
    s->revision = ++cloud.revision;
    cloud_changed();
    return s;
}

__attribute__((unused)) static void cloud_want(struct cloud_server *s, bool exists, const char *power,
                                               const char *action)
{
    s->exists = exists;
    s->power = power;
    s->action = action;
    s->revision = ++cloud.revision;
    if (action)
        snprintf(s->operation_id, sizeof(s->operation_id), "01890000-0000-7000-8000-%012lx",
                 (unsigned long)s->revision);
    cloud_changed();
}

/* What is wanted has been carried out, or has failed for good. */
__attribute__((unused)) static bool cloud_settled(const struct cloud_server *s)
{
    if (!s->exists)
        return strcmp(s->state, "gone") == 0;
    return s->state_revision == s->revision;
}
