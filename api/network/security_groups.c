/* Security groups. Each project has one called "default", made when it is first seen; nobody else may take that name.
 */
#include "api/api.h"
#include "api/network/network_service.h"
#include "common/json_in.h"
#include "db/store_relabel.h"
#include "db/store_secgroup.h"
#include <string.h>
#include <strings.h>

#define AT(member) offsetof(struct secgroup_row, member)

static const char *shared_false(struct request *request, const void *row)
{
    (void)request;
    (void)row;
    return "false";
}

/* The rules as a JSON array. */
static const char *rules_json(struct request *request, const void *row)
{
    const struct secgroup_row *group = row;
    struct secgroup_rule_row *rules = NULL;
    size_t count = 0;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    if (store_secgroup_rules_of(request->conn, group->id, &request->arena, &rules, &count, NULL) == 0)
        for (size_t i = 0; i < count; i++)
            entity_view_write(request, &security_group_rules_entity, 0, &rules[i], &out, NULL);
    json_out_array_end(&out);
    const char *result = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return result;
}

static int set_name(struct request *request, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    if (text == NULL)
        return entity_reason(request, "name", "'%s' is not a valid string", json_in_print(value, &request->arena));
    if (strlen(text) > 255)
        return entity_reason(request, "name", "'%s' exceeds maximum length of 255", text);
    *ret = arena_strdup(&request->arena, text);
    return 0;
}

static const struct entity_attr attrs[] = {
    {"id", ENTITY_TEXT, ENTITY_LOOK, .offset = AT(id)},
    {"name", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(name), .set = set_name},
    {"stateful", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(stateful)},
    {"tenant_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"description", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(description), .max = 255},
    {"shared", ENTITY_JSON, ENTITY_FILTER, .offset = ENTITY_NONE, .get = shared_false},
    {"security_group_rules", ENTITY_JSON, 0, .offset = ENTITY_NONE, .get = rules_json},
    {"tags", ENTITY_JSON, ENTITY_FILTER, .offset = AT(tags)},
    {"created_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(created_us)},
    {"updated_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(updated_us)},
    {"revision_number", ENTITY_INT, ENTITY_LOOK, .offset = AT(revision)},
    {"project_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
};

static int get(struct request *request, const char *id, void *ret)
{
    return store_secgroup_get(request->conn, id, entity_scope(request), &request->arena, ret, &request->error);
}

static int load(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count)
{
    struct secgroup_row *rows = NULL;
    const char *project = entity_scope(request);
    if (project == NULL)
        project = entity_query_value(query, "tenant_id");
    if (project == NULL)
        project = entity_query_value(query, "project_id");
    int rc = store_secgroup_list(request->conn, project, entity_query_value(query, "name"), after, limit,
                                 &request->arena, &rows, ret_count, &request->error);
    *ret = rows;
    return rc;
}

static void defaults(struct request *request, void *arg)
{
    struct secgroup_row *row = arg;
    row->name = row->description = "";
    row->stateful = true;
    row->tags = "[]";
    row->created_us = request->now_us;
    row->revision = 1;
}

static int default_exists(struct request *request)
{
    return error_set_type(&request->error, ERR_CONFLICT, "SecurityGroupDefaultAlreadyExists",
                          "Default security group already exists.");
}

static int create(struct request *request, void *arg, uint64_t seen)
{
    (void)seen;
    struct secgroup_row *row = arg;
    const char *id = NULL;
    if (strcasecmp(row->name, "default") == 0)
        return default_exists(request);
    int rc =
        store_secgroup_default(request->conn, row->project_id, request->now_us, &request->arena, &id, &request->error);
    return rc != 0 ? rc : store_secgroup_insert(request->conn, row, &request->error);
}

static int save(struct request *request, void *row)
{
    return store_secgroup_update(request->conn, row, &request->error);
}

static int update(struct request *request, const void *before, void *arg, uint64_t seen)
{
    const struct secgroup_row *old = before;
    struct secgroup_row *row = arg;
    bool renamed = entity_seen(&security_groups_entity, seen, "name");
    if (renamed && old->is_default)
        return error_set_type(&request->error, ERR_CONFLICT, "SecurityGroupCannotUpdateDefault",
                              "Updating default security group not allowed.");
    if (renamed && strcasecmp(row->name, "default") == 0)
        return default_exists(request);
    int rc = save(request, row);
    if (rc == 0 && strcmp(old->name, row->name) != 0)
        rc = store_relabel_start(request->conn, STORE_RELABEL_GROUP, row->id, &request->error);
    return rc;
}

static int remove_row(struct request *request, void *arg)
{
    const struct secgroup_row *row = arg;
    if (row->is_default && !entity_is_admin(request))
        return error_set_type(&request->error, ERR_CONFLICT, "SecurityGroupCannotRemoveDefault",
                              "Insufficient rights for removing default security group.");
    return store_secgroup_delete(request->conn, row->id, &request->error);
}

const struct entity security_groups_entity = {
    .name = "security_group",
    .collection = "security_groups",
    .path = "security-groups",
    .attrs = attrs,
    .attr_count = sizeof(attrs) / sizeof(attrs[0]),
    .row_size = sizeof(struct secgroup_row),
    .id = AT(id),
    .project = AT(project_id),
    .revision = AT(revision),
    .updated = AT(updated_us),
    .tags = AT(tags),
    .quota = QUOTA_SECURITY_GROUP,
    .get = get,
    .load = load,
    .defaults = defaults,
    .create = create,
    .update = update,
    .save = save,
    .remove = remove_row,
};

static int make_default(struct db_conn *c, void *arg, struct error *e)
{
    struct request *request = arg;
    const char *id = NULL;
    return store_secgroup_default(c, request->credential.project_id, request->now_us, &request->arena, &id, e);
}

/* The first look makes the group, through the writer as every write; this happens once for a project. */
static int ensure_default(struct request *request)
{
    bool there = true;
    if (request->credential.project_id[0] == 0)
        return 0;
    int rc = store_secgroup_has_default(request->conn, request->credential.project_id, &there, &request->error);
    if (rc != 0 || there)
        return rc;
    return writer_run(request->api->writer, make_default, request, &request->error);
}

static int security_groups_list(struct request *request, struct reply *reply)
{
    int rc = ensure_default(request);
    return rc != 0 ? rc : entity_list(request, reply);
}

static const struct route rows[] = {
    NETWORK_COLLECTION_ROWS("/v2.0/security-groups", security_groups_entity, security_groups_list),
    NETWORK_UPDATE_ROW("/v2.0/security-groups", security_groups_entity),
};
const struct route_table security_groups_routes = ROUTE_TABLE(rows);
