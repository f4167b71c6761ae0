/* GET /agent/v1/desired: what a host should do since a revision, parked until there is something. GET .../images/{id}:
 * an image's bytes. */
#include "api/agent/agent.h"
#include "api/agent/desired_view.h"
#include "api/agent/tasks.h"
#include "api/api.h"
#include "api/config.h"
#include "api/identity/token.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/seal.h"
#include "db/store_agent_query.h"
#include "db/store_cpu.h"
#include "db/store_host_work.h"
#include "db/store_image.h"
#include "db/store_server.h"
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX   500
#define WAIT_MAX_MS 60000

/* One answer in the making. */
struct answer {
    struct request *request;
    struct json_out *out;
    struct host_row host;
    int64_t since, asked, limit;
    int64_t baseline; /* that the host goes by; -1: its agent knows none */
    bool other_baseline;
    int64_t servers, queries, tasks, last_revision, last_asked;
};

static int write_server(void *arg, const struct server_row *row, struct error *e)
{
    struct answer *a = arg;
    int rc = desired_view_write(a->request->conn, NULL, row, row->id, a->host.zone, a->out, &a->request->arena, e);
    if (rc)
        return rc;
    a->servers++;
    a->last_revision = row->desired_revision;
    return 0;
}

/* What lies sealed in the row goes to its host in clear, over mutual TLS. */
static int write_opened(struct answer *a, const char *args, struct error *e)
{
    struct json_doc doc;
    struct seal_key key;
    void *secret = NULL;
    size_t size = 0;
    int rc = json_in_parse(args, strlen(args), &doc, e);
    if (rc)
        return rc;
    const char *sealed = json_in_text(json_in_member(doc.root, "sealed"));
    if (sealed != NULL) {
        token_master_key(a->request->api->tokens, &key);
        rc = seal_open(&key, sealed, &a->request->arena, &secret, &size, e);
        seal_key_wipe(&key);
    }
    if (!rc && secret != NULL) {
        json_out_object(a->out, "args");
        json_out_text(a->out, "user", json_in_text(json_in_member(doc.root, "user")));
        json_out_text(a->out, "password", secret);
        json_out_object_end(a->out);
    } else if (!rc) {
        json_out_raw(a->out, "args", args);
    }
    json_in_done(&doc);
    return rc;
}

static int write_query(void *arg, const struct agent_query_row *row, struct error *e)
{
    struct answer *a = arg;
    json_out_object(a->out, NULL);
    json_out_text(a->out, "id", row->id);
    json_out_text(a->out, "kind", row->kind);
    json_out_text(a->out, "server_id", row->server_id);
    int rc = write_opened(a, row->args, e);
    if (rc)
        return rc;
    json_out_object_end(a->out);
    a->queries++;
    a->last_asked = row->created_us;
    return 0;
}

/* The baseline of the host's pool, when it goes by another one. */
static int write_baseline(struct db_conn *c, struct answer *a, struct error *e)
{
    struct cpu_baseline_row row = {.id = 0};
    int rc = a->baseline < 0 ? 0 : store_cpu_baseline_of(c, a->host.id, &a->request->arena, &row, e);
    a->other_baseline = !rc && a->baseline >= 0 && row.id != a->baseline;
    if (!a->other_baseline)
        return rc;
    if (row.id == 0) {
        json_out_null(a->out, "cpu_baseline");
        return 0;
    }
    json_out_object(a->out, "cpu_baseline");
    json_out_int(a->out, "id", row.id);
    json_out_text(a->out, "description", row.description);
    json_out_raw(a->out, "features", row.features);
    json_out_object_end(a->out);
    return 0;
}

/* All of it as of one moment, so that the revision told is the one that was read. */
static int write_answer(struct db_conn *c, void *arg, struct error *e)
{
    struct answer *a = arg;
    bool more = false;
    bool off = false;
    int rc = agent_host(a->request, &a->host);
    rc = rc ? rc
            : store_host_work_is_off(c, a->host.id, a->request->now_us, &off, NULL, &a->request->arena,
                                     &a->request->error);
    if (!rc && off) /* its servers may be on their way elsewhere: first its report must have made the proof void */
        rc = error_set(&a->request->error, ERR_UNAVAILABLE, "The host counts as off until it has reported");
    if (rc)
        return rc;
    json_out_object(a->out, NULL);
    json_out_array(a->out, "servers");
    if (a->host.desired_revision > a->since)
        rc = store_server_desired(c, a->host.id, a->since, a->limit, write_server, a, e);
    if (rc)
        return rc; /* the document is not to be ended: nobody gets it */
    json_out_array_end(a->out);
    more = a->servers == a->limit;
    json_out_array(a->out, "queries");
    rc = store_agent_query_open(c, a->host.id, a->asked, a->request->now_us, write_query, a, e);
    if (rc)
        return rc;
    json_out_array_end(a->out);
    rc = write_baseline(c, a, e);
    rc = rc ? rc : tasks_write(c, a->request, &a->host, a->since, a->out, &a->tasks);
    if (rc)
        return rc;
    json_out_int(a->out, "revision", more ? a->last_revision : a->host.desired_revision);
    json_out_bool(a->out, "more", more);
    json_out_int(a->out, "queries_us", a->queries > 0 ? a->last_asked : a->asked);
    json_out_object_end(a->out);
    return 0;
}

static int read_number(struct request *request, const char *name, int64_t fallback, int64_t most, int64_t *ret)
{
    const char *text = request_query(request, name);
    char *end;
    *ret = fallback;
    if (text == NULL)
        return 0;
    *ret = strtoll(text, &end, 10);
    if (*end != '\0' || end == text || *ret < 0)
        return error_set(&request->error, ERR_INVALID, "%s: not a number of at least 0", name);
    if (*ret > most)
        *ret = most;
    return 0;
}

static int desired_list(struct request *request, struct reply *reply)
{
    struct answer a = {.request = request, .out = &reply->out};
    int64_t wait_ms = 0, left_us;
    int rc = read_number(request, "since", 0, INT64_MAX, &a.since);
    if (!rc)
        rc = read_number(request, "queries_since", 0, INT64_MAX, &a.asked);
    if (!rc)
        rc = read_number(request, "wait_ms", 0, WAIT_MAX_MS, &wait_ms);
    if (!rc)
        rc = read_number(request, "limit", 200, LIMIT_MAX, &a.limit);
    if (!rc)
        rc = read_number(request, "cpu_baseline", -1, INT64_MAX, &a.baseline);
    if (rc)
        return rc;
    if (a.limit == 0)
        a.limit = 1;
    request_watch(request, arena_printf(&request->arena, "host:%s", request->credential.host_id));
    rc = db_snapshot(request->conn, write_answer, &a, &request->error);
    left_us = request->arrived_us + wait_ms * 1000 - request->now_us;
    if (rc || a.servers > 0 || a.queries > 0 || a.tasks > 0 || a.other_baseline || left_us <= 0 ||
        a.host.desired_revision < a.since)
        return rc;
    return request_park(request, clock_mono_us() + left_us);
}

static int desired_image(struct request *request, struct reply *reply)
{
    struct host_row host;
    struct image_row image;
    int rc = agent_host(request, &host);
    if (!rc)
        rc = store_image_get(request->conn, request_param(request, "id"), NULL, true, &request->arena, &image,
                             &request->error);
    if (!rc && strcmp(image.status, "active") != 0)
        rc = strcmp(image.status, "killed") == 0
                 ? error_set(&request->error, ERR_NOT_FOUND, "Image %s has no data", image.id)
                 : error_set(&request->error, ERR_CONFLICT, "Image %s is %s", image.id, image.status);
    if (rc)
        return rc;
    reply_header(reply, "X-Image-Sha512", image.hash_value != NULL ? image.hash_value : "");
    return reply_file(request, reply, arena_printf(&request->arena, "%s/%s", request->api->config->image_dir, image.id),
                      "application/octet-stream");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/desired", .permission = PERMISSION_AGENT, .handler = desired_list},
    {.method = "GET", .pattern = "/images/{id}", .permission = PERMISSION_AGENT, .handler = desired_image},
};
const struct route_table desired_routes = ROUTE_TABLE(rows);
