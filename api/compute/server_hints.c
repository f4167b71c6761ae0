/* The forms are those of Nova's schema (nova/api/openstack/compute/schemas/servers.py); beyond it a condition that
 * could never be read is told at once, as is an address that is in no network. */
#include "api/compute/server_hints.h"
#include "common/model/host_query.h"
#include "common/model/ip.h"
#include "common/uuid.h"
#include <string.h>

static int invalid(struct request *request, const char *name, const char *sentence)
{
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. %s", name, sentence);
}

static bool is_server(json_value *value)
{
    return json_in_is_text(value) && uuid_valid(json_in_text(value));
}

static int check_servers(struct request *request, json_value *hints, const char *name)
{
    json_value *hint = json_in_member(hints, name);
    bool good = !json_in_has(hints, name) || is_server(hint) || json_in_is_array(hint);
    for (size_t i = 0; good && json_in_is_array(hint) && i < json_in_count(hint); i++)
        good = is_server(json_in_item(hint, i));
    return good ? 0 : invalid(request, name, "It is not the id of a server or a list of such");
}

static int check_query(struct request *request, json_value *hints)
{
    const char *text = json_in_text(json_in_member(hints, "query"));
    const struct host_query *query = NULL;
    struct error bad = {0};
    if (!json_in_has(hints, "query"))
        return 0;
    if (text == NULL)
        return invalid(request, "query", "It is not a text that holds a condition in JSON");
    if (*text == '\0' || host_query_read(text, &request->arena, &query, &bad) == 0)
        return 0;
    return invalid(request, "query",
                   arena_printf(&request->arena, "It is no condition such as [\">=\", \"$free_ram_mb\", 1024]: %s",
                                error_text(&bad)));
}

static int check_near(struct request *request, json_value *hints)
{
    const char *address = json_in_text(json_in_member(hints, "build_near_host_ip"));
    const char *prefix = json_in_text(json_in_member(hints, "cidr"));
    struct ip parsed;
    struct ip_net net;
    if (json_in_has(hints, "build_near_host_ip") && (address == NULL || !ip_parse(address, &parsed)))
        return invalid(request, "build_near_host_ip", "It is not an address");
    if (!json_in_has(hints, "cidr"))
        return 0;
    if (prefix == NULL || prefix[0] != '/' ||
        !ip_net_parse(arena_printf(&request->arena, "%s%s", address != NULL ? address : "::", prefix), &net))
        return invalid(request, "cidr", "It is not the length of a prefix behind a slash, such as /24");
    return 0;
}

int server_hints_check(struct request *request, json_value *hints)
{
    int rc = check_servers(request, hints, "same_host");
    rc = rc ? rc : check_servers(request, hints, "different_host");
    rc = rc ? rc : check_query(request, hints);
    return rc ? rc : check_near(request, hints);
}
