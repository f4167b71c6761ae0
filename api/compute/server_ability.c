/* Hosts report what their driver lacks as traits (docs/agent-protocol.md); a host that reports none of them can all. */
#include "api/compute/server_ability.h"
#include "db/store_host.h"
#include "db/store_import.h"
#include <string.h>

/* A machine that was there before stays where and as it is, and its disks are not where ours are. */
int server_ability_check_kept(struct request *request, const struct server_row *row, const char *action,
                              const char *lack)
{
    static const char *const lacks[] = {"CUSTOM_LACKS_MIGRATE",  "CUSTOM_LACKS_LIVE_MIGRATION", "CUSTOM_LACKS_SNAPSHOT",
                                        "CUSTOM_LACKS_NIC_PLUG", "CUSTOM_LACKS_CONSOLE",        "CUSTOM_LACKS_RESIZE"};
    bool imported = false, released = false, named = false;
    if (row->image_id != NULL)
        return 0;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
        named = named || strcmp(lack, lacks[i]) == 0;
    int rc = named ? store_import_get(request->conn, row->id, &imported, &released, &request->error) : 0;
    return rc || !imported
               ? rc
               : error_set(&request->error, ERR_NOT_IMPLEMENTED,
                           "The server was imported; its machine is kept as it was and cannot do %s.", action);
}

int server_ability_check(struct request *request, const struct server_row *row, const char *action, const char *lack)
{
    struct host_row host;
    if (row->host_id == NULL)
        return 0;
    int refused = server_ability_check_kept(request, row, action, lack);
    if (refused)
        return refused;
    int rc = store_host_get(request->conn, row->host_id, &request->arena, &host, &request->error);
    if (!rc && store_host_has_trait(&host, lack))
        rc = error_set(&request->error, ERR_NOT_IMPLEMENTED, "The hypervisor %s of the server's host cannot do %s.",
                       host.hypervisor, action);
    return rc;
}
