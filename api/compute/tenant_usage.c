/* os-simple-tenant-usage: hours of servers by project, from the same usage intervals that are billed, so that the two
 * cannot disagree. */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/clock.h"
#include "common/model/usage.h"
#include "db/store_usage.h"
#include <stdio.h>
#include <string.h>

/* One server's intervals inside the period. */
struct server_use {
    char id[40], flavor[256];
    int64_t us, vcpu_us, memory_us, disk_us;
    int64_t vcpus, memory_mib, disk_gib, begin_us, end_us;
    struct server_use *next;
};

struct project_use {
    char id[64];
    struct server_use *servers, **last;
    struct project_use *next;
};

struct collect {
    struct arena *arena;
    int64_t from_us, to_us;
    struct project_use *projects, **last;
};

static double hours(int64_t us)
{
    return (double)us / (double)USAGE_HOUR_US;
}

static struct project_use *project_for(struct collect *x, const char *id)
{
    struct project_use *p = x->projects;
    while (p && strcmp(p->id, id) != 0) {
        p = p->next;
    }
    if (!p) {
        p = arena_alloc(x->arena, sizeof(*p));
        snprintf(p->id, sizeof(p->id), "%s", id);
        p->last = &p->servers;
        *x->last = p;
        x->last = &p->next;
    }
    return p;
}

/* Rows come ordered by server and begin. */
static int add_row(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct collect *x = arg;
    struct project_use *p = project_for(x, row->project_id);
    struct server_use *s = p->servers;
    while (s && strcmp(s->id, row->server_id) != 0) {
        s = s->next;
    }
    if (!s) {
        s = arena_alloc(x->arena, sizeof(*s));
        snprintf(s->id, sizeof(s->id), "%s", row->server_id);
        s->begin_us = row->interval.begin_us;
        *p->last = s;
        p->last = &s->next;
    }
    int64_t us = usage_within(&row->interval, x->from_us, x->to_us);
    s->us += us;
    s->vcpu_us += us * row->interval.vcpus;
    s->memory_us += us * row->interval.memory_mib;
    s->disk_us += us * row->interval.disk_gib;
    s->vcpus = row->interval.vcpus;
    s->memory_mib = row->interval.memory_mib;
    s->disk_gib = row->interval.disk_gib;
    s->end_us = row->interval.end_us;
    snprintf(s->flavor, sizeof(s->flavor), "%s", row->flavor);
    return 0;
}

static int write_server(struct request *request, struct json_out *out, const struct collect *x, const char *project,
                        const struct server_use *s)
{
    char text[CLOCK_TEXT_SIZE];
    const char *name = "";
    bool gone = true;
    int rc = store_usage_server(request->conn, s->id, &request->arena, &name, &gone, &request->error);
    if (rc && rc != ERR_NOT_FOUND) {
        return rc;
    }
    error_clear(&request->error);
    bool ended = gone && s->end_us != USAGE_OPEN;
    int64_t until = ended ? s->end_us : x->to_us;
    json_out_object(out, NULL);
    json_out_text(out, "instance_id", s->id);
    json_out_text(out, "name", name);
    json_out_text(out, "tenant_id", project);
    json_out_text(out, "flavor", s->flavor);
    json_out_number(out, "hours", hours(s->us));
    json_out_int(out, "vcpus", s->vcpus);
    json_out_int(out, "memory_mb", s->memory_mib);
    json_out_int(out, "local_gb", s->disk_gib);
    json_out_text(out, "started_at", clock_text(s->begin_us, CLOCK_ISO_MICRO, text));
    json_out_text(out, "ended_at", ended ? clock_text(s->end_us, CLOCK_ISO_MICRO, text) : NULL);
    json_out_text(out, "state", ended ? "terminated" : "active");
    json_out_int(out, "uptime", (until - s->begin_us) / CLOCK_SECOND_US);
    json_out_object_end(out);
    return 0;
}

static int write_project(struct request *request, struct json_out *out, const char *key, const struct collect *x,
                         const struct project_use *p, bool detailed)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t us = 0, vcpu_us = 0, memory_us = 0, disk_us = 0;
    int rc = 0;
    json_out_object(out, key);
    if (detailed) {
        json_out_array(out, "server_usages");
    }
    for (const struct server_use *s = p->servers; s; s = s->next) {
        us += s->us;
        vcpu_us += s->vcpu_us;
        memory_us += s->memory_us;
        disk_us += s->disk_us;
        if (detailed && !rc) {
            rc = write_server(request, out, x, p->id, s);
        }
    }
    if (detailed) {
        json_out_array_end(out);
    }
    json_out_text(out, "tenant_id", p->id);
    json_out_text(out, "start", clock_text(x->from_us, CLOCK_ISO_MICRO, text));
    json_out_text(out, "stop", clock_text(x->to_us, CLOCK_ISO_MICRO, text));
    json_out_number(out, "total_hours", hours(us));
    json_out_number(out, "total_vcpus_usage", hours(vcpu_us));
    json_out_number(out, "total_memory_mb_usage", hours(memory_us));
    json_out_number(out, "total_local_gb_usage", hours(disk_us));
    json_out_object_end(out);
    return rc;
}

/* "start" and "end"; Nova's default is the last four weeks. */
static int read_period(struct request *request, struct collect *x)
{
    const char *start = request_query(request, "start"), *end = request_query(request, "end");
    x->to_us = request->now_us;
    x->from_us = x->to_us - 28 * 24 * USAGE_HOUR_US;
    if (end && !clock_parse(end, &x->to_us)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for query parameters end. Value: %s.", end);
    }
    if (x->to_us > request->now_us) {
        x->to_us = request->now_us;
    }
    if (start && !clock_parse(start, &x->from_us)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for query parameters start. Value: %s.", start);
    }
    if (x->from_us >= x->to_us && start) {
        return error_set(&request->error, ERR_INVALID,
                         "Invalid start time. The start time cannot occur after the end time.");
    }
    return 0;
}

static int collect(struct request *request, const char *project, struct collect *x)
{
    int rc;
    x->arena = &request->arena;
    x->last = &x->projects;
    rc = read_period(request, x);
    return rc ? rc : store_usage_each(request->conn, project, NULL, x->from_us, x->to_us, add_row, x, &request->error);
}

static int tenant_usage_list(struct request *request, struct reply *reply)
{
    struct collect x = {0};
    const char *detail = request_query(request, "detailed");
    bool detailed = detail && strcmp(detail, "1") == 0;
    if (request->path_slash) { /* a project without an id */
        return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
    }
    int rc = collect(request, NULL, &x);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "tenant_usages");
    for (const struct project_use *p = x.projects; p && !rc; p = p->next) {
        rc = write_project(request, &reply->out, NULL, &x, p, detailed);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int tenant_usage_show(struct request *request, struct reply *reply)
{
    struct collect x = {0};
    const char *project = request_param(request, "tenant_id");
    if (!(request->credential.roles & ROLE_ADMIN) && strcmp(project, request->credential.project_id) != 0) {
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.");
    }
    int rc = collect(request, project, &x);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    if (x.projects) {
        rc = write_project(request, &reply->out, "tenant_usage", &x, x.projects, true);
    } else {
        json_out_object(&reply->out, "tenant_usage");
        json_out_object_end(&reply->out);
    }
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-simple-tenant-usage",
     .permission = PERMISSION_ADMIN,
     .handler = tenant_usage_list},
    {.method = "GET",
     .pattern = "/os-simple-tenant-usage/{tenant_id}",
     .permission = PERMISSION_READER,
     .handler = tenant_usage_show},
};
const struct route_table tenant_usage_routes = ROUTE_TABLE(rows);
