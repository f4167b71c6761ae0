/* What CloudKitty has besides and this service has not, each with the reason: collectors, scripts, scopes that are
 * processed in steps, usage that clients push. Where there is a true answer to a question, it is given. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "db/store_ledger.h"
#include <stdlib.h>
#include <string.h>

#define SCOPES_MAX 1000
#define SCRIPTS    "/v1/rating/module_config/pyscripts/scripts"

static int refuse_scripts(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_IMPLEMENTED,
                     "no program of a client runs in the meter: prices are in the book (openstack rating hashmap, "
                     "/rating/v3/books)");
}

static int refuse_collector(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_IMPLEMENTED,
                     "there are no collectors to choose: usage comes from lifecycle events and the hosts' counters");
}

static int refuse_push(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_IMPLEMENTED,
                     "usage is not pushed: it comes from lifecycle events and the hosts' counters; what an invoice had "
                     "wrong is put right with a correction (/rating/v3/invoices/N/corrections)");
}

static int refuse_reset(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_IMPLEMENTED,
                     "nothing is to be processed again: amounts are computed from the ledger when they are asked for, "
                     "and what is invoiced never changes");
}

static int no_list(struct reply *reply, const char *name)
{
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, name);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int scripts_list(struct request *request, struct reply *reply)
{
    (void)request;
    return no_list(reply, "scripts");
}

static int collector_mappings_list(struct request *request, struct reply *reply)
{
    (void)request;
    return no_list(reply, "mappings");
}

static int reprocesses_list(struct request *request, struct reply *reply)
{
    (void)request;
    return no_list(reply, "results");
}

/* The meter is the one collector, and it is on. */
static int collector_state(struct request *request, struct reply *reply)
{
    const char *name = request_query(request, "name");
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "name", name ? name : "meter");
    json_out_bool(&reply->out, "enabled", !name || strcmp(name, "meter") == 0);
    json_out_object_end(&reply->out);
    return 0;
}

/* ---- scopes: projects with usage, each known up to now ---- */

struct scopes {
    struct request *request;
    struct json_out *out;
    int64_t offset, limit, seen;
};

static bool is_wanted(struct request *request, const char *project)
{
    const char *wanted = request_query(request, "scope_id"), *at = wanted;
    size_t size = strlen(project);
    while (at && (at = strstr(at, project)) != NULL) {
        if ((at == wanted || at[-1] == ',') && (at[size] == '\0' || at[size] == ',')) {
            return true;
        }
        at += size;
    }
    return !wanted;
}

static int write_scope(void *arg, int64_t no, const char *project, struct error *e)
{
    (void)no, (void)e;
    struct scopes *x = arg;
    char text[CLOCK_TEXT_SIZE];
    if (!is_wanted(x->request, project) || x->seen++ < x->offset || x->seen > x->offset + x->limit) {
        return 0;
    }
    json_out_object(x->out, NULL);
    json_out_text(x->out, "scope_id", project);
    json_out_text(x->out, "scope_key", "project_id");
    json_out_text(x->out, "collector", "meter");
    json_out_text(x->out, "fetcher", "keystone");
    json_out_text(x->out, "state", clock_text(x->request->now_us, CLOCK_ISO_Z, text));
    json_out_text(x->out, "last_processed_timestamp", clock_text(x->request->now_us, CLOCK_ISO_Z, text));
    json_out_bool(x->out, "active", true);
    json_out_object_end(x->out);
    return 0;
}

static int scopes_list(struct request *request, struct reply *reply)
{
    struct scopes x = {.request = request, .out = &reply->out};
    const char *marker = NULL;
    int rc = request_page(request, SCOPES_MAX, &x.limit, &marker);
    rc = rc ? rc : rating_offset(request, &x.offset);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "results");
    rc = store_ledger_projects(request->conn, write_scope, &x, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

#define REFUSED(verb, path, function)                                                                                  \
    {                                                                                                                  \
        .method = (verb), .pattern = (path), .permission = PERMISSION_BILLED, .handler = (function)                    \
    }
static const struct route rows[] = {
    REFUSED("GET", SCRIPTS, scripts_list),
    REFUSED("POST", SCRIPTS, refuse_scripts),
    REFUSED("GET", SCRIPTS "/{script}", refuse_scripts),
    REFUSED("PUT", SCRIPTS "/{script}", refuse_scripts),
    REFUSED("DELETE", SCRIPTS "/{script}", refuse_scripts),
    REFUSED("GET", "/v1/collector/mappings", collector_mappings_list),
    REFUSED("POST", "/v1/collector/mappings", refuse_collector),
    REFUSED("GET", "/v1/collector/mappings/{service}", refuse_collector),
    REFUSED("DELETE", "/v1/collector/mappings", refuse_collector),
    REFUSED("GET", "/v1/collector/states", collector_state),
    REFUSED("PUT", "/v1/collector/states", refuse_collector),
    REFUSED("POST", "/v2/dataframes", refuse_push),
    REFUSED("PUT", "/v2/scope", refuse_reset),
    REFUSED("PATCH", "/v2/scope", refuse_reset),
    REFUSED("POST", "/v2/task/reprocess", refuse_reset),
    {.method = "GET", .pattern = "/v2/task/reprocesses", .permission = PERMISSION_BILLING, .handler = reprocesses_list},
    {.method = "GET", .pattern = "/v2/scope", .permission = PERMISSION_BILLING, .handler = scopes_list},
};
const struct route_table rating_cloudkitty_rest_routes = ROUTE_TABLE(rows);
