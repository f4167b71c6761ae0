/* /ops/v1/cpu-baselines: what the processors of all hosts of an aggregate, or of the pool, have in common. A host's
 * hypervisor computes it; stored, it is what guests of those hosts get from their next start on. */
#include "api/ops/ops.h"
#include "common/clock.h"
#include "common/model/cpu.h"
#include "db/store_agent_query.h"
#include "db/store_aggregate.h"
#include "db/store_cpu.h"
#include <stdlib.h>
#include <string.h>

#define WAIT_US ((int64_t)20 * 1000000)

/* ---- shown ---- */

/* Each host: what it lacks of the baseline, and what others of them have and it has not. */
static int write_hosts(struct request *request, struct json_out *out, const struct cpu_baseline_row *row)
{
    struct host_cpu_row *hosts = NULL;
    struct cpu_set baseline, all = {0}, *sets;
    size_t count = 0;
    int rc = store_cpu_hosts(request->conn, row->aggregate_id, row->kind, request->now_us, &request->arena, &hosts,
                             &count, &request->error);
    sets = arena_array(&request->arena, count + 1, sizeof(*sets));
    cpu_set_read(row->features, &request->arena, &baseline);
    for (size_t i = 0; i < count; i++) {
        cpu_set_read(hosts[i].features, &request->arena, &sets[i]);
        all = cpu_set_either(&all, &sets[i], &request->arena);
    }
    json_out_array(out, "hosts");
    for (size_t i = 0; i < count; i++) {
        struct cpu_set lacks = cpu_set_minus(&baseline, &sets[i], &request->arena);
        struct cpu_set costs = cpu_set_minus(&all, &sets[i], &request->arena);
        json_out_object(out, NULL);
        json_out_text(out, "name", hosts[i].host_name);
        json_out_bool(out, "up", hosts[i].alive);
        json_out_text(out, "model", hosts[i].model);
        json_out_text(out, "cpu_mode", hosts[i].mode);
        json_out_bool(out, "follows", row->id != 0 && hosts[i].baseline_id == row->id);
        cpu_set_write(&lacks, out, "lacks");
        cpu_set_write(&costs, out, "others_have");
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return rc;
}

/* Hosts of which nothing can be said. */
static int write_mute(struct request *request, struct json_out *out, int64_t aggregate_id)
{
    const char **names = NULL;
    size_t count = 0;
    int rc = store_cpu_mute_hosts(request->conn, aggregate_id, &request->arena, &names, &count, &request->error);
    struct cpu_set mute = {names, count};
    cpu_set_write(&mute, out, "hosts_without_processor");
    return rc;
}

static int write_baseline(struct request *request, struct json_out *out, const char *key,
                          const struct cpu_baseline_row *row)
{
    json_out_object(out, key);
    json_out_text(out, "aggregate", row->aggregate);
    json_out_text(out, "kind", row->kind);
    json_out_text(out, "model", row->model);
    json_out_raw(out, "features", row->features);
    ops_write_time(out, "made_at", row->made_us);
    json_out_raw(out, "made_of", row->hosts);
    int rc = write_hosts(request, out, row);
    rc = rc ? rc : write_mute(request, out, row->aggregate_id);
    json_out_object_end(out);
    return rc;
}

static int baselines_list(struct request *request, struct reply *reply)
{
    struct cpu_baseline_row *rows = NULL;
    size_t count = 0;
    int rc = store_cpu_baselines(request->conn, &request->arena, &rows, &count, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "cpu_baselines");
    for (size_t i = 0; !rc && i < count; i++)
        rc = write_baseline(request, &reply->out, NULL, &rows[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

int ops_baseline_write_host(struct request *request, struct json_out *out, const char *key, const char *host_id)
{
    struct arena *a = &request->arena;
    struct host_cpu_row host;
    struct cpu_baseline_row row;
    struct cpu_set has, baseline;
    int rc = store_cpu_get(request->conn, host_id, a, &host, &request->error);
    rc = rc ? rc : store_cpu_baseline_of(request->conn, host_id, a, &row, &request->error);
    if (rc || host.kind == NULL) {
        json_out_null(out, key);
        return rc;
    }
    cpu_set_read(host.features, a, &has);
    cpu_set_read(row.features, a, &baseline);
    struct cpu_set lacks = cpu_set_minus(&baseline, &has, a);
    json_out_object(out, key);
    json_out_text(out, "kind", host.kind);
    json_out_text(out, "model", host.model);
    json_out_text(out, "cpu_mode", host.mode);
    json_out_raw(out, "features", host.features);
    json_out_bool(out, "follows_baseline", row.id != 0 && host.baseline_id == row.id);
    cpu_set_write(&lacks, out, "lacks");
    json_out_object_end(out);
    return rc;
}

/* ---- made ---- */

struct wish {
    const char *aggregate, *kind;
    bool store;
};
static const struct json_field fields[] = {
    {.name = "aggregate",
     .kind = JSON_TEXT,
     .offset = offsetof(struct wish, aggregate),
     .flags = JSON_NULLABLE,
     .min = 1,
     .max = 255},
    {.name = "kind",
     .kind = JSON_TEXT,
     .offset = offsetof(struct wish, kind),
     .flags = JSON_NULLABLE,
     .min = 1,
     .max = 255},
    {.name = "store", .kind = JSON_BOOL, .offset = offsetof(struct wish, store)},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

/* What is asked for, until its answer is there. */
struct asked {
    const char *query;
    struct cpu_baseline_row row;
    bool store;
};

static int match(void *arg, const struct aggregate_row *row, struct error *e)
{
    struct cpu_baseline_row *b = arg;
    (void)e;
    if (strcmp(row->name, b->aggregate) == 0)
        b->aggregate_id = row->id;
    return 0;
}

/* By name; none: the whole pool. */
static int find_aggregate(struct request *request, const char *name, struct cpu_baseline_row *ret)
{
    ret->aggregate = name;
    if (name == NULL)
        return 0;
    int rc = store_aggregate_list(request->conn, match, ret, &request->error);
    if (!rc && ret->aggregate_id == 0)
        return error_set(&request->error, ERR_NOT_FOUND, "there is no aggregate %s", name);
    return rc;
}

/* The one that was stored when the question was answered, or nobody's. */
static int find_stored(struct request *request, struct asked *x)
{
    struct cpu_baseline_row *rows = NULL;
    size_t count = 0;
    int rc = store_cpu_baselines(request->conn, &request->arena, &rows, &count, &request->error);
    for (size_t i = 0; !rc && x->store && i < count; i++) {
        if (rows[i].aggregate_id == x->row.aggregate_id && strcmp(rows[i].kind, x->row.kind) == 0)
            x->row = rows[i];
    }
    return rc;
}

static int take_answer(struct request *request, struct asked *x, const char *text)
{
    struct json_doc doc;
    int rc = json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc)
        return rc;
    const char *failure = json_in_text(json_in_member(doc.root, "error"));
    json_value *output = json_in_member(doc.root, "output"), *features = json_in_member(output, "features");
    if (failure != NULL || !json_in_is_array(features)) {
        rc = error_set(&request->error, ERR_CONFLICT, "The hosts' processors have no baseline: %.300s",
                       failure != NULL ? failure : "the answer cannot be read");
    } else {
        x->row.model = arena_strdup(&request->arena, json_in_text(json_in_member(output, "model")));
        x->row.features = json_in_print(features, &request->arena);
    }
    json_in_done(&doc);
    return rc ? rc : find_stored(request, x);
}

static int baseline_answer(struct request *request, struct reply *reply)
{
    struct asked *x = request->state;
    const char *text = NULL;
    int64_t left_us = request->arrived_us + WAIT_US - request->now_us;
    request_watch(request, arena_printf(&request->arena, "query:%s", x->query));
    int rc = store_agent_query_get(request->conn, x->query, &request->arena, &text, &request->error);
    if (!rc && text == NULL && left_us > 0)
        return request_park(request, clock_mono_us() + left_us);
    if (!rc && text == NULL)
        rc = error_set(&request->error, ERR_CONFLICT, "The host that was asked did not answer in time");
    rc = rc ? rc : take_answer(request, x, text);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = write_baseline(request, &reply->out, "cpu_baseline", &x->row);
    json_out_object_end(&reply->out);
    return rc;
}

static int baseline_make(struct request *request, struct reply *reply)
{
    const struct wish *b = request->body;
    struct asked *x = arena_alloc(&request->arena, sizeof(*x));
    (void)reply;
    x->store = b->store;
    int rc = find_aggregate(request, b->aggregate, &x->row);
    rc = rc ? rc
            : store_cpu_baseline_ask(request->conn, x->row.aggregate_id, b->kind, b->store, request->now_us,
                                     &request->arena, &x->query, &x->row.kind, &request->error);
    request->state = x;
    return rc ? rc : request_continue(request, baseline_answer);
}

static int baseline_remove(struct request *request, struct reply *reply)
{
    struct cpu_baseline_row row = {.id = 0};
    int64_t removed = 0;
    int rc = find_aggregate(request, request_query(request, "aggregate"), &row);
    rc = rc ? rc
            : store_cpu_baseline_remove(request->conn, row.aggregate_id, request_query(request, "kind"), &removed,
                                        &request->error);
    if (!rc && removed == 0)
        rc = error_set(&request->error, ERR_NOT_FOUND, "there is no such baseline");
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/cpu-baselines", .permission = PERMISSION_ADMIN, .handler = baselines_list},
    {.method = "POST",
     .pattern = "/cpu-baselines",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct wish),
     .handler = baseline_make},
    {.method = "DELETE",
     .pattern = "/cpu-baselines",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = baseline_remove},
};
const struct route_table ops_baseline_routes = ROUTE_TABLE(rows);
