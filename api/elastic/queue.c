/* GET /queue: servers that wait for room, in the order in which they are tried. A tenant sees her own, with their place
 * among all. */
#include "api/elastic/elastic.h"
#include "common/clock.h"
#include "db/store_queue.h"
#include <stdlib.h>

static int write_row(void *arg, const struct queue_row *row, struct error *e)
{
    struct json_out *out = arg;
    char text[CLOCK_TEXT_SIZE];
    (void)e;
    json_out_object(out, NULL);
    json_out_int(out, "position", row->position);
    json_out_text(out, "server_id", row->server_id);
    json_out_text(out, "name", row->name);
    json_out_text(out, "project_id", row->project_id);
    json_out_text(out, "flavor", row->flavor_name);
    json_out_int(out, "vcpus", row->vcpus);
    json_out_int(out, "ram", row->memory_mib);
    json_out_text(out, "since", clock_text(row->created_us, CLOCK_ISO_Z, text));
    json_out_text(out, "until", clock_text(row->until_us, CLOCK_ISO_Z, text));
    json_out_int(out, "attempts", row->attempts);
    json_out_text(out, "reason", row->reason);
    json_out_object_end(out);
    return 0;
}

/* The marker is the position of the last row of the page before. */
static int queue_list(struct request *request, struct reply *reply)
{
    const char *project = NULL, *marker = NULL;
    char *end = NULL;
    int64_t limit, after = 0;
    int rc = elastic_project(request, &project);
    if (!rc)
        rc = request_page(request, ELASTIC_PAGE_MAX, &limit, &marker);
    if (!rc && marker != NULL) {
        after = strtoll(marker, &end, 10);
        if (end == marker || *end != '\0' || after < 0)
            rc = error_set(&request->error, ERR_INVALID, "marker is the position of the last row of the page before");
    }
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "queue");
    rc = store_queue_list(request->conn, project, after, limit, write_row, &reply->out, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/queue", .permission = PERMISSION_READER, .handler = queue_list},
};
const struct route_table elastic_queue_routes = ROUTE_TABLE(rows);
