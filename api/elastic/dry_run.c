/* POST /dry-run: what a POST /servers with this body would do. The body is checked as a create checks it, in a
 * savepoint that is undone; quota and price come from the rows; where it would land is asked of the scheduler that
 * leads, by a row (docs/decisions/0007). Ports and addresses are not tried.
 *
 * A body that a create would refuse is refused with the same words. A quota that is too small is part of the answer. No
 * scheduler that answers within seconds: 503. */
#include "api/compute/server_view.h"
#include "api/compute/servers_create.h"
#include "api/elastic/elastic.h"
#include "api/elastic/price.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "common/uuid.h"
#include "db/store_host.h"
#include "db/store_host_reach.h"
#include "db/store_placement_question.h"
#include "db/store_port.h"
#include "db/store_quota.h"
#include <string.h>

#define WAIT_US (10 * CLOCK_SECOND_US)
#define KEEP_US (30 * CLOCK_SECOND_US)

/* What the first run leaves for the answer. */
struct dry_run {
    struct servers_wish wish;
    struct servers_found found;
    struct quota_set limits, used, takes;
    bool allowed;
    const char *exceeded; /* why the quota does not allow it */
    struct price_rate price;
    bool spot;            /* it may be preempted itself */
    const char *networks; /* as store_host_reach_asked says */
    char question[UUID_SIZE];
    bool checked;
};

static int check_quota(struct request *request, struct dry_run *d)
{
    const char *project = request->credential.project_id;
    int rc = store_quota_limits(request->conn, project, &d->limits, &request->error);
    if (!rc)
        rc = store_quota_used(request->conn, project, &d->used, &request->error);
    if (rc)
        return rc;
    d->allowed = false;
    for (int64_t count = d->wish.max_count; count >= d->wish.min_count && !d->allowed; count--) {
        d->takes = servers_create_quota(&d->found.flavor, count);
        d->allowed = quota_allows(&d->limits, &d->used, &d->takes, &request->arena, &d->exceeded);
    }
    return 0;
}

/* The networks that it would have ports on. */
static int find_networks(struct request *request, struct dry_run *d)
{
    int rc = 0;
    for (size_t i = 0; i < d->wish.request_count && !rc; i++) {
        const struct port_request *wish = &d->wish.requests[i];
        const char *network = wish->network_id, *asked = NULL;
        struct port_row port;
        if (wish->port_id != NULL)
            rc = store_port_get(request->conn, wish->port_id, request->credential.project_id, &request->arena, &port,
                                &request->error);
        if (!rc && wish->port_id != NULL)
            network = port.network_id;
        rc = rc ? rc : store_host_reach_network(request->conn, network, &request->arena, &asked, &request->error);
        d->networks = d->networks == NULL ? asked : arena_printf(&request->arena, "%s,%s", d->networks, asked);
    }
    return rc;
}

/* Ends with an error of its own, so that what it wrote is undone. */
static int check_body(struct db_conn *c, void *arg, struct error *e)
{
    struct request *request = arg;
    struct dry_run *d = request->state;
    (void)c;
    int rc = servers_body_read(request, request->body, &d->wish);
    if (!rc)
        rc = servers_create_look_up(request, &d->wish, &d->found);
    if (!rc)
        rc = servers_create_find_network(request, &d->wish);
    if (!rc)
        rc = find_networks(request, d);
    if (!rc)
        rc = check_quota(request, d);
    if (!rc)
        d->spot = servers_create_is_spot(&d->wish, &d->found);
    if (!rc)
        rc = price_of_flavor(request->conn, &d->found.flavor, d->spot, request->now_us, &request->arena, &d->price,
                             &request->error);
    d->checked = rc == 0;
    return rc ? error_set(e, rc, "%s", error_text(&request->error)) : ERR_PRECONDITION;
}

static const char *write_question(struct request *request, const struct dry_run *d)
{
    const struct flavor_row *f = &d->found.flavor;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "project_id", request->credential.project_id);
    json_out_text(&out, "zone", d->wish.zone);
    json_out_text(&out, "group_id", d->wish.group_id);
    json_out_raw(&out, "flavor_extra", f->extra_specs);
    json_out_raw(&out, "hints", d->wish.hints);
    json_out_raw(&out, "image_properties", d->found.image.properties);
    json_out_text(&out, "image_kind", store_image_kind(&d->found.image));
    json_out_text(&out, "networks", d->networks);
    json_out_int(&out, "vcpus", f->vcpus);
    json_out_int(&out, "memory_mib", f->memory_mib);
    json_out_int(&out, "disk_gib", f->root_gib + f->ephemeral_gib + (f->swap_mib + 1023) / 1024);
    json_out_int(&out, "least", d->wish.min_count);
    json_out_int(&out, "most", d->wish.max_count);
    json_out_bool(&out, "by_host", elastic_is_admin(request));
    json_out_bool(&out, "spot", d->spot);
    json_out_object_end(&out);
    const char *copy = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static void write_amounts(struct json_out *out, const char *key, const struct quota_set *set)
{
    json_out_object(out, key);
    json_out_int(out, "instances", set->amount[QUOTA_INSTANCES]);
    json_out_int(out, "cores", set->amount[QUOTA_CORES]);
    json_out_int(out, "ram", set->amount[QUOTA_RAM]);
    json_out_object_end(out);
}

static void write_quota(struct json_out *out, const struct dry_run *d)
{
    json_out_object(out, "quota");
    json_out_bool(out, "allowed", d->allowed);
    json_out_text(out, "reason", d->allowed ? NULL : d->exceeded);
    write_amounts(out, "takes", &d->takes);
    write_amounts(out, "used", &d->used);
    write_amounts(out, "limits", &d->limits);
    json_out_object_end(out);
}

/* Of all servers that would be made. */
static void write_price(struct json_out *out, const struct dry_run *d)
{
    char text[MONEY_TEXT_SIZE];
    int64_t count = d->takes.amount[QUOTA_INSTANCES];
    if (d->price.currency == NULL) {
        json_out_null(out, "price");
        return;
    }
    json_out_object(out, "price");
    json_out_text(out, "currency", d->price.currency);
    json_out_text(out, "per_hour", money_text(d->price.nano_per_hour * count, text));
    json_out_object_end(out);
}

/* A host as the caller may see it. */
static int write_host(struct request *request, struct json_out *out, const char *host_id)
{
    struct host_row host;
    struct error gone = {0};
    int rc = store_host_get(request->conn, host_id, &request->arena, &host, &gone);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(&request->error, rc, "%s", error_text(&gone));
    if (elastic_is_admin(request))
        json_out_text(out, "host", rc ? host_id : host.name);
    json_out_text(out, "zone", rc ? NULL : host.zone);
    server_view_host_hash(out, "hostId", request->credential.project_id, host_id);
    return 0;
}

static int write_hosts(struct request *request, struct json_out *out, const char *key, json_value *placed)
{
    int rc = 0;
    json_out_array(out, key);
    for (size_t i = 0; i < json_in_count(placed) && !rc; i++) {
        json_out_object(out, NULL);
        rc = write_host(request, out, json_in_text(json_in_item(placed, i)));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return rc;
}

/* Spot servers that would get notice; whose they are is for administrators. */
static int write_preempts(struct request *request, struct json_out *out, json_value *preempts)
{
    int rc = 0;
    json_out_array(out, "preempts");
    for (size_t i = 0; i < json_in_count(preempts) && !rc; i++) {
        json_value *item = json_in_item(preempts, i);
        json_out_object(out, NULL);
        if (elastic_is_admin(request))
            json_out_text(out, "server_id", json_in_text(json_in_member(item, "server_id")));
        rc = write_host(request, out, json_in_text(json_in_member(item, "host_id")));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return rc;
}

/* "2 VCPU, 512 MiB"; NULL when it is not by amounts that it refuses. */
static const char *say_lacks(struct request *request, json_value *lacks)
{
    const char *text = NULL;
    for (size_t i = 0; i < json_in_count(lacks); i++) {
        const char *item = json_in_text(json_in_item(lacks, i));
        text = text == NULL ? item : arena_printf(&request->arena, "%s, %s", text, item);
    }
    return text;
}

static int write_refusals(struct request *request, struct json_out *out, json_value *refusals)
{
    int rc = 0;
    if (!elastic_is_admin(request))
        return 0;
    json_out_array(out, "refusals");
    for (size_t i = 0; i < json_in_count(refusals) && !rc; i++) {
        json_value *item = json_in_item(refusals, i);
        const char *lacks = say_lacks(request, json_in_member(item, "lacks"));
        json_out_object(out, NULL);
        rc = write_host(request, out, json_in_text(json_in_member(item, "host_id")));
        json_out_text(out, "reason", json_in_text(json_in_member(item, "reason")));
        json_out_text(out, "detail", json_in_text(json_in_member(item, "detail")));
        if (lacks != NULL)
            json_out_text(out, "lacks", lacks);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return rc;
}

static int write_answer(struct request *request, struct json_out *out, json_value *answer)
{
    const struct dry_run *d = request->state;
    json_value *placed = json_in_member(answer, "placed"), *wakes = json_in_member(answer, "wakes");
    json_value *preempts = json_in_member(answer, "preempts");
    const char *error = json_in_text(json_in_member(answer, "error"));
    bool room = error == NULL && (int64_t)json_in_count(placed) >= d->wish.min_count;
    int rc;
    json_out_object(out, NULL);
    json_out_object(out, "dry_run");
    json_out_bool(out, "would_be_made", room && d->allowed);
    json_out_bool(out, "room", room);
    json_out_bool(out, "would_wait", !room && d->allowed && (json_in_count(wakes) > 0 || json_in_count(preempts) > 0));
    json_out_bool(out, "spot", d->spot);
    rc = write_hosts(request, out, "placed", placed);
    rc = rc ? rc : write_hosts(request, out, "wakes", wakes);
    rc = rc ? rc : write_preempts(request, out, preempts);
    json_out_text(out, "error", error);
    json_out_raw(out, "hosts", error != NULL ? NULL : json_in_print(json_in_member(answer, "hosts"), &request->arena));
    json_out_raw(out, "removed",
                 error != NULL ? "[]" : json_in_print(json_in_member(answer, "removed"), &request->arena));
    json_out_raw(out, "nearest",
                 error != NULL ? NULL : json_in_print(json_in_member(answer, "nearest"), &request->arena));
    if (!rc)
        rc = write_refusals(request, out, json_in_member(answer, "refusals"));
    write_quota(out, d);
    write_price(out, d);
    json_out_object_end(out);
    json_out_object_end(out);
    return rc;
}

static int dry_run_answer(struct request *request, struct reply *reply)
{
    const struct dry_run *d = request->state;
    int64_t left_us = request->arrived_us + WAIT_US - request->now_us;
    const char *text = NULL;
    struct json_doc doc;
    int rc;
    request_watch(request, arena_printf(&request->arena, "question:%s", d->question));
    rc = store_placement_question_get(request->conn, d->question, &request->arena, &text, &request->error);
    if (!rc && text == NULL && left_us > 0)
        return request_park(request, clock_mono_us() + left_us);
    if (!rc && text == NULL)
        rc = error_set(&request->error, ERR_UNAVAILABLE, "No scheduler answered in time");
    if (!rc)
        rc = json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc)
        return rc;
    rc = write_answer(request, &reply->out, doc.root);
    json_in_done(&doc);
    return rc;
}

static int dry_run(struct request *request, struct reply *reply)
{
    struct dry_run *d = arena_alloc(&request->arena, sizeof(*d));
    struct error undone = {0};
    const char *project;
    int rc = elastic_own_project(request, &project);
    (void)reply;
    if (rc)
        return rc;
    request->state = d;
    rc = db_savepoint(request->conn, check_body, request, &undone);
    if (!d->checked)
        return request->error.code ? request->error.code : error_set(&request->error, rc, "%s", error_text(&undone));
    rc = store_placement_question_insert(request->conn, uuid_ordered(d->question), write_question(request, d),
                                         request->now_us, request->now_us + KEEP_US, &request->error);
    return rc ? rc : request_continue(request, dry_run_answer);
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/dry-run",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &servers_document_table,
     .body_size = sizeof(struct servers_document),
     .handler = dry_run},
};
const struct route_table elastic_dry_run_routes = ROUTE_TABLE(rows);
