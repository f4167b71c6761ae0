/* The compute service: where it is mounted, its microversions and faults, and what its resource files share. */
#pragma once
#include "api/http/handler.h"
#include "db/store_server.h"

/* Minor numbers of the first and the last microversion that is honoured (2.1 to 2.96). */
#define COMPUTE_VERSION_MIN 1
#define COMPUTE_VERSION_MAX 96
#define COMPUTE_PREFIX      "/compute/v2.1"
#define COMPUTE_PAGE_MAX    1000

extern const struct service compute_service;      /* /compute/v2.1 */
extern const struct service compute_root_service; /* /compute: the versions */

/* One table per resource file; compute.c gathers them. */
extern const struct route_table versions_root_routes, versions_routes, servers_routes, servers_create_routes,
    servers_list_routes, server_actions_routes, server_metadata_routes, server_tags_routes, server_addresses_routes,
    instance_actions_routes, server_password_routes, extensions_routes, quota_classes_routes, server_diagnostics_routes,
    flavors_routes, flavor_extra_specs_routes, flavor_access_routes, keypairs_routes;

/* The caller has the admin role. */
bool compute_is_admin(const struct request *request);
/* request->microversion is at least 2.`minor`. */
bool compute_since(const struct request *request, int minor);

/* Loads the server in the path ({id}) that the caller may see: its project's, or any for administrators. ERR_NOT_FOUND
 * "Instance X could not be found." also for what others own. */
int compute_server(struct request *request, struct server_row *ret);
/* As above, and refuses (409 "Instance X is locked") when it is locked and the caller is no administrator. */
int compute_server_unlocked(struct request *request, struct server_row *ret);
/* ERR_CONFLICT "Cannot 'update tags' instance X while it is in vm_state building" unless it is active, paused,
 * suspended or stopped. */
int compute_server_built(struct request *request, const struct server_row *row, const char *action);

/* "<base>/compute/v2.1/<collection>/<id>", and the bookmark without the version. In the arena. */
const char *compute_link_self(struct request *request, const char *collection, const char *id);
const char *compute_link_bookmark(struct request *request, const char *collection, const char *id);
/* "links": self and bookmark. */
void compute_write_links(struct request *request, struct json_out *out, const char *collection, const char *id);
/* "<collection>_links": [next], with the query as it was asked and the new marker. */
void compute_write_next(struct request *request, struct json_out *out, const char *path, const char *key,
                        const char *marker);

/* True, "True", "on", "1" ... as Nova's booleans; false when it is none. */
bool compute_read_bool(json_value *value, bool *ret);
/* As above for query arguments (strutils.bool_from_string); anything else is false. */
bool compute_text_bool(const char *text);
/* Nova's names: 1 to 255 printable characters without blanks at the ends. ERR_INVALID names `field`. */
int compute_check_name(struct request *request, const char *field, const char *value);
/* Descriptions and reasons: at most 255 printable characters, possibly none. */
int compute_check_text(struct request *request, const char *field, const char *value);
/* Host names from 2.90 (a label) and 2.94 (several, at most 255 characters). */
int compute_check_hostname(struct request *request, const char *field, const char *value);
/* IPv4 (4), IPv6 (6) or either (0) as text. */
int compute_check_ip(struct request *request, const char *field, const char *value, int version);
/* As above, and puts the address in its one canonical form, in the arena, in its place. NULL is fine. */
int compute_read_ip(struct request *request, const char *field, const char **value, int version);
/* Members of a body that the negotiated microversion does not have (2.`since` .. 2.`until`, 0: no limit): 400 as Nova's
 * schema says it. `field` counts in the body's table. */
struct compute_window {
    unsigned field;
    int since, until;
};
int compute_check_windows(struct request *request, const struct json_table *table, const struct json_seen *seen,
                          const struct compute_window *windows, size_t count);
/* Wakes nobody, writes nothing: 501 for what a later release serves. */
int compute_not_served(struct request *request, const char *what);
