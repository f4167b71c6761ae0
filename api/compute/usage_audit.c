/* os-instance_usage_audit_log: Nova's computes write down, once a period, that they have told of their servers. Ours
 * bill from the lifecycle and write no such log: every host is one that has not run. Shape:
 * nova/api/openstack/compute/instance_usage_audit_log.py, with its default period of a month. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <string.h>
#include <time.h>

static int64_t month_start(int year, int month) /* month may be 0 or -1: of the year before */
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
    return (int64_t)timegm(&tm) * CLOCK_SECOND_US;
}

static const char *spaced(struct request *request, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    clock_text(us, CLOCK_ISO, text);
    text[10] = ' ';
    return arena_strdup(&request->arena, text);
}

struct hosts {
    struct json_out *out;
    int64_t count;
};

static int write_host(void *arg, const struct host_row *row, struct error *e)
{
    struct hosts *hosts = arg;
    (void)e;
    json_out_text(hosts->out, NULL, row->name);
    hosts->count++;
    return 0;
}

/* The last month that was over before `before_us`. */
static int write_log(struct request *request, struct reply *reply, const char *key, int64_t before_us)
{
    struct json_out *out = &reply->out;
    struct hosts hosts = {.out = out};
    time_t before = (time_t)(before_us / CLOCK_SECOND_US);
    struct tm now;
    int64_t end;
    int last, rc;
    gmtime_r(&before, &now);
    end = month_start(now.tm_year + 1900, now.tm_mon + 1);
    last = end >= before_us ? 0 : 1; /* months from the one that has begun to the period's end */
    json_out_object(out, NULL);
    json_out_object(out, key);
    json_out_text(out, "period_beginning", spaced(request, month_start(now.tm_year + 1900, now.tm_mon - 1 + last)));
    json_out_text(out, "period_ending", spaced(request, month_start(now.tm_year + 1900, now.tm_mon + last)));
    json_out_array(out, "hosts_not_run");
    rc = store_host_list(request->conn, write_host, &hosts, &request->error);
    json_out_array_end(out);
    json_out_int(out, "num_hosts", hosts.count);
    json_out_int(out, "num_hosts_not_run", hosts.count);
    json_out_int(out, "num_hosts_done", 0);
    json_out_int(out, "num_hosts_running", 0);
    json_out_int(out, "total_instances", 0);
    json_out_int(out, "total_errors", 0);
    json_out_text(out, "overall_status",
                  hosts.count == 0
                      ? "ALL hosts done. 0 errors."
                      : arena_printf(&request->arena, "0 of %lld hosts done. 0 errors.", (long long)hosts.count));
    json_out_object(out, "log");
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
    return rc;
}

static int usage_audit_list(struct request *request, struct reply *reply)
{
    return write_log(request, reply, "instance_usage_audit_logs", request->now_us);
}

static int usage_audit_show(struct request *request, struct reply *reply)
{
    const char *before = request_param(request, "before");
    int64_t us;
    if (strlen(before) < 19 || before[10] != ' ' || !clock_parse(before, &us))
        return error_set(&request->error, ERR_INVALID, "Invalid timestamp for date %s", before);
    return write_log(request, reply, "instance_usage_audit_log", us);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-instance_usage_audit_log",
     .permission = PERMISSION_ADMIN,
     .handler = usage_audit_list},
    {.method = "GET",
     .pattern = "/os-instance_usage_audit_log/{before}",
     .permission = PERMISSION_ADMIN,
     .handler = usage_audit_show},
};
const struct route_table usage_audit_routes = ROUTE_TABLE(rows);
