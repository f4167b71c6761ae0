/* Further credentials of users: EC2 keys, one-time password seeds, certificates. A token that a program has (an
 * application credential's) does not reach them. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/credential_blob.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "db/store_project.h"
#include "db/store_user.h"
#include <string.h>

struct credential_body {
    const char *blob, *type, *user_id, *project_id;
    struct json_seen seen;
};
enum { CREDENTIAL_BLOB, CREDENTIAL_TYPE, CREDENTIAL_USER, CREDENTIAL_PROJECT };
#define FIELD(member) .offset = offsetof(struct credential_body, member)
#define FIELDS(must)                                                                                                   \
    {                                                                                                                  \
        [CREDENTIAL_BLOB] = {.name = "blob", .kind = JSON_TEXT, FIELD(blob), .flags = must, .max = 65536},             \
        [CREDENTIAL_TYPE] = {.name = "type", .kind = JSON_TEXT, FIELD(type), .flags = must, .min = 1, .max = 255},     \
        [CREDENTIAL_USER] =                                                                                            \
            {.name = "user_id", .kind = JSON_TEXT, FIELD(user_id), .flags = must, .min = 1, .max = 64},                \
        [CREDENTIAL_PROJECT] = {                                                                                       \
            .name = "project_id", .kind = JSON_TEXT, FIELD(project_id), .flags = JSON_NULLABLE, .min = 1, .max = 64},  \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct credential_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct credential_body, seen)};
static const char *const known[] = {"id", "blob", "type", "user_id", "project_id", "links", NULL};

static int put_credential(struct request *request, struct reply *reply, const char *key,
                          const struct credential_row *row)
{
    struct json_out *o = &reply->out;
    const char *blob = NULL;
    int rc = credential_blob_open(request, row, &blob);
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "user_id", row->user_id);
    json_out_text(o, "project_id", row->project_id);
    json_out_text(o, "type", row->type);
    json_out_text(o, "blob", blob);
    identity_link(request, reply, "credentials", row->id);
    json_out_object_end(o);
    return rc;
}

static int reply_credential(struct request *request, struct reply *reply, const struct credential_row *row)
{
    json_out_object(&reply->out, NULL);
    int rc = put_credential(request, reply, "credential", row);
    json_out_object_end(&reply->out);
    return rc;
}

static int check_primary(struct request *request)
{
    if (!*request->credential.app_credential_id)
        return 0;
    return access_deny(request, "Delegated tokens cannot access credentials directly");
}

static int load(struct request *request, bool change, struct credential_row *ret, const char *action)
{
    const char *id = request_param(request, "credential_id");
    int rc = check_primary(request);
    if (!rc)
        rc = store_credential_get(request->conn, id, &request->arena, ret, &request->error);
    bool own = !rc && access_is_self(request, ret->user_id);
    if ((!rc || rc == ERR_NOT_FOUND) && !own && !(change ? access_is_admin(request) : access_reads_all(request)))
        return access_deny(request, action);
    return identity_found(request, rc, "credential", id);
}

static int put_item(void *arg, const struct credential_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "user_id", row->user_id) || !list_text(list, "type", row->type))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    return put_credential(list->request, list->reply, NULL, row);
}

static int credentials_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"user_id", "type", NULL};
    struct list list;
    int rc = check_primary(request);
    if (!rc)
        rc = list_begin(&list, request, reply, "credentials", filters);
    if (rc)
        return rc;
    const char *user_id = access_reads_all(request) ? list_exact(&list, "user_id") : request->credential.user_id;
    rc = list_rc(store_credential_each(request->conn, user_id, list_exact(&list, "type"), &list.page, put_item, &list,
                                       &request->error));
    list_end(&list);
    return rc;
}

static int credentials_show(struct request *request, struct reply *reply)
{
    struct credential_row row;
    int rc = load(request, false, &row, "identity:get_credential");
    return rc ? rc : reply_credential(request, reply, &row);
}

/* An EC2 credential's blob is JSON with an access key, from which its id follows. */
static int ec2_id(struct request *request, const char *blob, const char **ret)
{
    struct json_doc doc;
    if (json_in_parse(blob, strlen(blob), &doc, NULL))
        return error_set(&request->error, ERR_INVALID, "Invalid blob in credential");
    const char *access = json_in_text(json_in_member(doc.root, "access"));
    if (access)
        *ret = credential_blob_id(request, access);
    json_in_done(&doc);
    return access ? 0 : error_set(&request->error, ERR_INVALID, "Expecting to find access in credential.");
}

/* Owner and project must exist; only an administrator gives credentials to others. */
static int check_owner(struct request *request, const struct credential_row *row, const char *action)
{
    struct user_row user;
    struct project_row project;
    if (!access_is_self(request, row->user_id) && !access_is_admin(request))
        return access_deny(request, action);
    int rc =
        identity_found(request, store_user_get(request->conn, row->user_id, &request->arena, &user, &request->error),
                       "user", row->user_id);
    if (!rc && row->project_id)
        rc = identity_found(
            request, store_project_get(request->conn, row->project_id, &request->arena, &project, &request->error),
            "project", row->project_id);
    if (!rc && strcmp(row->type, "ec2") == 0 && !row->project_id)
        rc = error_set(&request->error, ERR_INVALID, "Expecting to find project_id in credential.");
    return rc;
}

static int credentials_create(struct request *request, struct reply *reply)
{
    const struct credential_body *body = request->body;
    struct credential_row row = {
        .id = identity_id(request),
        .user_id = body->user_id,
        .project_id = body->project_id,
        .type = body->type,
        .blob = credential_blob_close(request, body->blob),
        .extra = attributes_merge(request, NULL, json_in_member(request->json, "credential"), known)};
    struct credential_row other;
    int rc = check_primary(request);
    if (!rc)
        rc = check_owner(request, &row, "identity:create_credential");
    if (!rc && strcmp(row.type, "ec2") == 0)
        rc = ec2_id(request, body->blob, &row.id);
    if (!rc) {
        rc = store_credential_get(request->conn, row.id, &request->arena, &other, &request->error);
        rc = rc == ERR_NOT_FOUND ? 0 : rc ? rc : identity_conflict(request, "credential", "Duplicate entry");
    }
    if (!rc)
        rc = store_credential_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_credential(request, reply, &row);
}

static int credentials_update(struct request *request, struct reply *reply)
{
    const struct credential_body *body = request->body;
    struct credential_row row;
    int rc = load(request, true, &row, "identity:update_credential");
    if (rc)
        return rc;
    const char *before = row.id, *after = row.id;
    if (body->user_id)
        row.user_id = body->user_id;
    if (body->type)
        row.type = body->type;
    if (body->seen.present & (uint64_t)1 << CREDENTIAL_PROJECT)
        row.project_id = body->project_id;
    if (body->blob)
        row.blob = credential_blob_close(request, body->blob);
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "credential"), known);
    rc = check_owner(request, &row, "identity:update_credential");
    if (!rc && strcmp(row.type, "ec2") == 0 && body->blob)
        rc = ec2_id(request, body->blob, &after);
    if (!rc && strcmp(before, after) != 0)
        rc = error_set(&request->error, ERR_INVALID, "access_id can not be updated for credential");
    if (!rc)
        rc = store_credential_update(request->conn, &row, &request->error);
    return rc ? rc : reply_credential(request, reply, &row);
}

static int credentials_delete(struct request *request, struct reply *reply)
{
    struct credential_row row;
    int rc = load(request, true, &row, "identity:delete_credential");
    if (!rc)
        rc = store_credential_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/credentials", .permission = PERMISSION_AUTHENTICATED, .handler = credentials_list},
    {.method = "POST",
     .pattern = "/credentials",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct credential_body),
     .member = "credential",
     .handler = credentials_create},
    {.method = "GET",
     .pattern = "/credentials/{credential_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = credentials_show},
    {.method = "PATCH",
     .pattern = "/credentials/{credential_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct credential_body),
     .member = "credential",
     .handler = credentials_update},
    {.method = "DELETE",
     .pattern = "/credentials/{credential_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = credentials_delete},
};
const struct route_table credentials_routes = ROUTE_TABLE(rows);
