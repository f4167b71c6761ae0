/* GET /limits: the project's quotas and what it uses, under the names that Nova gives them. */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/model/quota.h"
#include "db/store_quota.h"
#include "db/store_server_group.h"

struct limit_name {
    const char *name;
    enum quota quota;
    int until; /* microversion from which it is gone; 0: it stays */
};

static const struct limit_name limits[] = {
    {"maxServerMeta", QUOTA_METADATA_ITEMS, 0},
    {"maxPersonality", QUOTA_INJECTED_FILES, 57},
    {"maxImageMeta", QUOTA_METADATA_ITEMS, 39},
    {"maxPersonalitySize", QUOTA_INJECTED_FILE_CONTENT_BYTES, 57},
    {"maxTotalInstances", QUOTA_INSTANCES, 0},
    {"maxTotalCores", QUOTA_CORES, 0},
    {"maxTotalRAMSize", QUOTA_RAM, 0},
    {"maxTotalKeypairs", QUOTA_KEY_PAIRS, 0},
    {"maxServerGroups", QUOTA_SERVER_GROUPS, 0},
    {"maxServerGroupMembers", QUOTA_SERVER_GROUP_MEMBERS, 0},
    {"maxTotalFloatingIps", QUOTA_FLOATING_IPS, 36},
    {"maxSecurityGroups", QUOTA_SECURITY_GROUPS, 36},
    {"maxSecurityGroupRules", QUOTA_SECURITY_GROUP_RULES, 36},
};

static const struct limit_name uses[] = {
    {"totalCoresUsed", QUOTA_CORES, 0},
    {"totalInstancesUsed", QUOTA_INSTANCES, 0},
    {"totalRAMUsed", QUOTA_RAM, 0},
    {"totalServerGroupsUsed", QUOTA_SERVER_GROUPS, 0},
    {"totalFloatingIpsUsed", QUOTA_FLOATING_IPS, 36},
    {"totalSecurityGroupsUsed", QUOTA_SECURITY_GROUPS, 36},
};

static void write_names(struct json_out *out, const struct limit_name *names, size_t count,
                        const struct quota_set *values, int microversion)
{
    for (size_t i = 0; i < count; i++) {
        if (!names[i].until || microversion < names[i].until) {
            json_out_int(out, names[i].name, values->amount[names[i].quota]);
        }
    }
}

static int limits_show(struct request *request, struct reply *reply)
{
    struct quota_set limit, used;
    struct json_out *out = &reply->out;
    const char *asked = request_query(request, "tenant_id");
    bool admin = request->credential.roles & ROLE_ADMIN;
    const char *project = asked && admin ? asked : request->credential.project_id;
    int rc = store_quota_limits(request->conn, project, &limit, &request->error);
    rc = rc ? rc : store_quota_used(request->conn, project, &used, &request->error);
    rc = rc ? rc : store_server_group_count(request->conn, project, &used.amount[QUOTA_SERVER_GROUPS], &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_object(out, "limits");
    json_out_array(out, "rate");
    json_out_array_end(out);
    json_out_object(out, "absolute");
    write_names(out, limits, JSON_COUNT(limits), &limit, request->microversion);
    write_names(out, uses, JSON_COUNT(uses), &used, request->microversion);
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/limits", .permission = PERMISSION_READER, .handler = limits_show},
};
const struct route_table limits_routes = ROUTE_TABLE(rows);
