/* The first rows of a cloud. Everything is looked for by name before it is made, so that a second run changes nothing.
 */
#include "cli/bootstrap.h"
#include "common/uuid.h"
#include "db/store_assignment.h"
#include "db/store_endpoint.h"
#include "db/store_project.h"
#include "db/store_region.h"
#include "db/store_role.h"
#include "db/store_service.h"
#include "db/store_user.h"
#include <string.h>

#define DOMAIN "default"

static const struct {
    const char *type, *name, *description, *path;
} services[] = {
    {"identity", "keystone", "Users, projects, roles", "/identity/v3"},
    {"compute", "nova", "Servers", "/compute/v2.1"},
    {"image", "glance", "Images", "/image"},
    {"network", "neutron", "Networks", "/network"},
    {"placement", "placement", "Resource providers and their inventories", "/placement"},
    {"rating", "cloudkitty", "Usage and cost", "/rating"},
    {"elastic", "virga-elastic", "Groups that keep themselves, dry runs, reservations", "/elastic/v1"},
};
static const char *const interfaces[] = {"public", "internal", "admin"};

int bootstrap_has_admin(struct db_conn *c, bool *ret, struct error *e)
{
    struct arena a;
    struct user_row row;
    arena_init(&a);
    int rc = store_user_find(c, DOMAIN, "admin", &a, &row, e);
    arena_done(&a);
    *ret = rc == 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int ensure_domain(struct db_conn *c, struct arena *a, const struct bootstrap *b, struct error *e)
{
    struct project_row row;
    int rc = store_project_get(c, DOMAIN, a, &row, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    row = (struct project_row){.id = DOMAIN,
                               .domain_id = "",
                               .is_domain = true,
                               .enabled = true,
                               .name = "Default",
                               .description = "The default domain",
                               .tags = "[]",
                               .options = "{}",
                               .extra = "{}",
                               .created_us = b->now_us};
    return store_project_insert(c, &row, e);
}

static int ensure_project(struct db_conn *c, struct arena *a, const struct bootstrap *b, struct project_row *ret,
                          struct error *e)
{
    int rc = store_project_find(c, DOMAIN, "admin", a, ret, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    char *id = arena_alloc(a, UUID_HEX_SIZE);
    *ret = (struct project_row){.id = uuid_hex(id),
                                .domain_id = DOMAIN,
                                .parent_id = DOMAIN,
                                .enabled = true,
                                .name = "admin",
                                .description = "Bootstrap project for initializing the cloud.",
                                .tags = "[]",
                                .options = "{}",
                                .extra = "{}",
                                .created_us = b->now_us};
    return store_project_insert(c, ret, e);
}

static int ensure_role(struct db_conn *c, struct arena *a, const struct bootstrap *b, const char *name,
                       const char **ret_id, struct error *e)
{
    struct role_row row;
    int rc = store_role_find(c, "", name, a, &row, e);
    if (rc == ERR_NOT_FOUND) {
        char *id = arena_alloc(a, UUID_HEX_SIZE);
        row = (struct role_row){.id = uuid_hex(id),
                                .name = name,
                                .domain_id = "",
                                .options = "{\"immutable\":true}",
                                .extra = "{}",
                                .created_us = b->now_us};
        rc = store_role_insert(c, &row, e);
    }
    *ret_id = row.id;
    return rc;
}

/* admin implies manager implies member implies reader. Only made together with its roles, so that an operator may take
 * one away. */
static int ensure_roles(struct db_conn *c, struct arena *a, const struct bootstrap *b, const char **ret_admin,
                        struct error *e)
{
    static const char *const names[] = {"admin", "manager", "member", "reader"};
    struct role_row before;
    const char *ids[4] = {0}, *billing;
    bool fresh = store_role_find(c, "", "admin", a, &before, e) == ERR_NOT_FOUND;
    int rc = 0;
    for (size_t i = 0; !rc && i < 4; i++)
        rc = ensure_role(c, a, b, names[i], &ids[i], e);
    if (!rc)
        rc = ensure_role(c, a, b, "billing", &billing, e);
    for (size_t i = 0; !rc && fresh && i + 1 < 4; i++)
        rc = store_role_imply(c, ids[i], ids[i + 1], e);
    *ret_admin = ids[0];
    return rc;
}

static int ensure_admin(struct db_conn *c, struct arena *a, const struct bootstrap *b, const char *project_id,
                        const char *role_id, struct error *e)
{
    struct user_row row;
    int rc = store_user_find(c, DOMAIN, "admin", a, &row, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    char *id = arena_alloc(a, UUID_HEX_SIZE);
    row = (struct user_row){.id = uuid_hex(id),
                            .domain_id = DOMAIN,
                            .name = "admin",
                            .enabled = true,
                            .password_hash = b->password_hash,
                            .password_changed_us = b->now_us,
                            .options = "{}",
                            .extra = "{}",
                            .created_us = b->now_us};
    rc = store_user_insert(c, &row, e);
    const struct assignment_row grants[] = {
        {"user", row.id, "project", project_id, role_id, false},
        {"user", row.id, "domain", DOMAIN, role_id, false},
        {"user", row.id, "system", "all", role_id, false},
    };
    for (size_t i = 0; !rc && i < 3; i++)
        rc = store_assignment_insert(c, &grants[i], e);
    return rc;
}

static int ensure_region(struct db_conn *c, struct arena *a, const struct bootstrap *b, struct error *e)
{
    struct region_row row;
    int rc = store_region_get(c, b->region, a, &row, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    row = (struct region_row){.id = b->region, .description = "", .extra = "{}"};
    return store_region_insert(c, &row, e);
}

static int is_there(void *arg, const struct service_row *row, struct error *e)
{
    (void)row, (void)e;
    *(bool *)arg = true;
    return 0;
}

static int ensure_service(struct db_conn *c, struct arena *a, const struct bootstrap *b, size_t i, struct error *e)
{
    bool there = false;
    char *id = arena_alloc(a, UUID_HEX_SIZE);
    int rc = store_service_each(c, services[i].type, NULL, NULL, is_there, &there, e);
    if (rc || there)
        return rc;
    struct service_row service = {.id = uuid_hex(id),
                                  .type = services[i].type,
                                  .name = services[i].name,
                                  .description = services[i].description,
                                  .enabled = true,
                                  .extra = "{}"};
    rc = store_service_insert(c, &service, e);
    for (size_t k = 0; !rc && k < sizeof(interfaces) / sizeof(interfaces[0]); k++) {
        struct endpoint_row endpoint = {.id = uuid_hex(arena_alloc(a, UUID_HEX_SIZE)),
                                        .service_id = id,
                                        .region_id = b->region,
                                        .interface = interfaces[k],
                                        .url = arena_printf(a, "$(base)s%s", services[i].path),
                                        .enabled = true,
                                        .extra = "{}"};
        rc = store_endpoint_insert(c, &endpoint, e);
    }
    return rc;
}

int bootstrap_rows(struct db_conn *c, void *arg, struct error *e)
{
    const struct bootstrap *b = arg;
    struct arena a;
    struct project_row project;
    const char *role_id = NULL;
    arena_init(&a);
    int rc = ensure_domain(c, &a, b, e);
    if (!rc)
        rc = ensure_project(c, &a, b, &project, e);
    if (!rc)
        rc = ensure_roles(c, &a, b, &role_id, e);
    if (!rc)
        rc = ensure_admin(c, &a, b, project.id, role_id, e);
    if (!rc)
        rc = ensure_region(c, &a, b, e);
    for (size_t i = 0; !rc && i < sizeof(services) / sizeof(services[0]); i++)
        rc = ensure_service(c, &a, b, i, e);
    arena_done(&a);
    return rc;
}
