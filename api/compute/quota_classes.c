/* os-quota-class-sets: the limits of all projects that have none of their own. There is one class, "default"; Nova
 * knows no other that has an effect. */
#include "api/compute/compute.h"
#include "common/model/quota.h"
#include "db/store_quota.h"
#include <stdlib.h>
#include <string.h>

/* Which quotas a microversion shows: networks' until 2.49, groups' from 2.50, files' until 2.56. */
static bool shown(const struct request *request, enum quota q)
{
    switch (q) {
    case QUOTA_FIXED_IPS:
    case QUOTA_FLOATING_IPS:
    case QUOTA_SECURITY_GROUPS:
    case QUOTA_SECURITY_GROUP_RULES:
        return !compute_since(request, 50);
    case QUOTA_SERVER_GROUPS:
    case QUOTA_SERVER_GROUP_MEMBERS:
        return compute_since(request, 50);
    case QUOTA_INJECTED_FILES:
    case QUOTA_INJECTED_FILE_CONTENT_BYTES:
    case QUOTA_INJECTED_FILE_PATH_BYTES:
        return !compute_since(request, 57);
    default:
        return true;
    }
}

static int write_class(struct request *request, struct reply *reply, const char *id)
{
    struct quota_set limits;
    int rc = store_quota_limits(request->conn, "", &limits, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "quota_class_set");
    if (id != NULL)
        json_out_text(&reply->out, "id", id);
    for (int q = 0; q < QUOTA_KINDS; q++)
        if (shown(request, (enum quota)q))
            json_out_int(&reply->out, quota_name((enum quota)q), limits.amount[q]);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int quota_classes_show(struct request *request, struct reply *reply)
{
    return write_class(request, reply, request_param(request, "class"));
}

static int set_one(void *arg, const char *name, json_value *value)
{
    struct request *request = arg;
    const char *text = json_in_text(value);
    char *end = NULL;
    int q = quota_parse(name);
    int64_t limit = 0;
    bool good = text == NULL && json_in_int(value, &limit);
    if (q < 0 || !shown(request, (enum quota)q))
        return error_set(&request->error, ERR_INVALID, "Additional properties are not allowed ('%s' was unexpected)",
                         name);
    if (text != NULL) {
        limit = strtoll(text, &end, 10);
        good = *text != '\0' && *end == '\0';
    }
    if (!good || limit < QUOTA_UNLIMITED || limit > INT32_MAX)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. It is a number of at least -1", name);
    return store_quota_set(request->conn, "", (enum quota)q, limit, &request->error);
}

static int quota_classes_update(struct request *request, struct reply *reply)
{
    json_value *set = json_in_member(request->json, "quota_class_set");
    int rc;
    if (!json_in_is_object(set) || json_in_count(request->json) != 1)
        return error_set(&request->error, ERR_INVALID, "quota_class_set: is required, and nothing else is known here");
    if (strcmp(request_param(request, "class"), "default") != 0)
        return error_set(&request->error, ERR_INVALID, "There is one class of quotas: default");
    rc = json_in_each(set, set_one, request);
    return rc ? rc : write_class(request, reply, NULL);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-quota-class-sets/{class}",
     .permission = PERMISSION_ADMIN,
     .handler = quota_classes_show},
    {.method = "PUT",
     .pattern = "/os-quota-class-sets/{class}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = quota_classes_update},
};
const struct route_table quota_classes_routes = ROUTE_TABLE(rows);
