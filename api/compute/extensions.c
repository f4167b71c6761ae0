/* GET /extensions: the names by which old clients ask whether a resource is there. Each stands for routes that this
 * service has. */
#include "api/compute/compute.h"
#include <string.h>

static const struct {
    const char *alias, *name;
} extensions[] = {
    {"OS-DCF", "DiskConfig"},
    {"OS-EXT-AZ", "ExtendedAvailabilityZone"},
    {"OS-EXT-IMG-SIZE", "ImageSize"},
    {"OS-EXT-IPS", "ExtendedIps"},
    {"OS-EXT-IPS-MAC", "ExtendedIpsMac"},
    {"OS-EXT-SRV-ATTR", "ExtendedServerAttributes"},
    {"OS-EXT-STS", "ExtendedStatus"},
    {"OS-FLV-DISABLED", "FlavorDisabled"},
    {"OS-FLV-EXT-DATA", "FlavorExtraData"},
    {"OS-SCH-HNT", "SchedulerHints"},
    {"OS-SRV-USG", "ServerUsage"},
    {"os-access-ips", "AccessIPs"},
    {"os-admin-actions", "AdminActions"},
    {"os-aggregates", "Aggregates"},
    {"os-availability-zone", "AvailabilityZone"},
    {"os-config-drive", "ConfigDrive"},
    {"os-console-output", "ConsoleOutput"},
    {"os-extended-status", "ExtendedStatus"},
    {"os-flavor-access", "FlavorAccess"},
    {"os-flavor-extra-specs", "FlavorExtraSpecs"},
    {"os-flavor-manage", "FlavorManage"},
    {"os-flavor-rxtx", "FlavorRxtx"},
    {"os-flavor-swap", "FlavorSwap"},
    {"os-hosts", "Hosts"},
    {"os-hypervisors", "Hypervisors"},
    {"os-instance-actions", "InstanceActions"},
    {"os-instance_usage_audit_log", "OSInstanceUsageAuditLog"},
    {"os-keypairs", "Keypairs"},
    {"os-lock-server", "LockServer"},
    {"os-multiple-create", "MultipleCreate"},
    {"os-networks", "Networks"},
    {"os-pause-server", "PauseServer"},
    {"os-quota-class-sets", "QuotaClasses"},
    {"os-quota-sets", "Quotas"},
    {"os-security-groups", "SecurityGroups"},
    {"os-server-diagnostics", "ServerDiagnostics"},
    {"os-server-external-events", "ServerExternalEvents"},
    {"os-server-groups", "ServerGroups"},
    {"os-server-list-multi-status", "ServerListMultiStatus"},
    {"os-server-password", "ServerPassword"},
    {"os-server-sort-keys", "ServerSortKeys"},
    {"os-server-start-stop", "ServerStartStop"},
    {"os-services", "Services"},
    {"os-simple-tenant-usage", "SimpleTenantUsage"},
    {"os-suspend-server", "SuspendServer"},
    {"os-tenant-networks", "OSTenantNetworks"},
    {"os-used-limits", "UsedLimits"},
    {"os-user-data", "UserData"},
};

static void write_extension(struct json_out *out, const char *key, size_t i)
{
    json_out_object(out, key);
    json_out_text(out, "alias", extensions[i].alias);
    json_out_text(out, "name", extensions[i].name);
    json_out_text(out, "description", extensions[i].name);
    json_out_text(out, "namespace", "http://docs.openstack.org/compute/ext/fake_xml");
    json_out_text(out, "updated", "2014-12-03T00:00:00Z");
    json_out_array(out, "links");
    json_out_array_end(out);
    json_out_object_end(out);
}

static int extensions_list(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "extensions");
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
        write_extension(&reply->out, NULL, i);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int extensions_show(struct request *request, struct reply *reply)
{
    const char *alias = request_param(request, "alias");
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        if (strcmp(extensions[i].alias, alias) == 0) {
            json_out_object(&reply->out, NULL);
            write_extension(&reply->out, "extension", i);
            json_out_object_end(&reply->out);
            return 0;
        }
    }
    return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/extensions", .permission = PERMISSION_AUTHENTICATED, .handler = extensions_list},
    {.method = "GET",
     .pattern = "/extensions/{alias}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = extensions_show},
};
const struct route_table extensions_routes = ROUTE_TABLE(rows);
