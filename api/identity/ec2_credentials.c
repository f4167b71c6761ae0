/* EC2 keys of a user: a view of his credentials of type "ec2", by access key. */
#include "api/identity/access.h"
#include "api/identity/credential_blob.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "common/uuid.h"
#include "db/store_project.h"
#include "db/store_user.h"
#include <string.h>

struct ec2_body {
    const char *tenant_id;
};
static const struct json_field fields[] = {
    {.name = "tenant_id",
     .kind = JSON_TEXT,
     .offset = offsetof(struct ec2_body, tenant_id),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 64},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .open = true, .seen_offset = JSON_NO_SEEN};

/* The user himself or an administrator, and no program. */
static int check(struct request *request, bool change, const char *action)
{
    const char *user_id = request_param(request, "user_id");
    struct user_row user;
    bool may = access_is_self(request, user_id) || (change ? access_is_admin(request) : access_reads_all(request));
    if (!may || *request->credential.app_credential_id)
        return access_deny(request, action);
    return identity_found(request, store_user_get(request->conn, user_id, &request->arena, &user, &request->error),
                          "user", user_id);
}

static int put_ec2(struct request *request, struct reply *reply, const char *key, const struct credential_row *row)
{
    struct json_out *o = &reply->out;
    struct json_doc doc;
    const char *blob;
    int rc = credential_blob_open(request, row, &blob);
    if (!rc)
        rc = json_in_parse(blob, strlen(blob), &doc, &request->error);
    if (rc)
        return rc;
    const char *access = arena_strdup(&request->arena, json_in_text(json_in_member(doc.root, "access")));
    json_out_object(o, key);
    json_out_text(o, "user_id", row->user_id);
    json_out_text(o, "tenant_id", row->project_id);
    json_out_text(o, "access", access);
    json_out_text(o, "secret", json_in_text(json_in_member(doc.root, "secret")));
    json_out_null(o, "trust_id");
    identity_link(request, reply, arena_printf(&request->arena, "users/%s/credentials/OS-EC2", row->user_id),
                  access ? access : "");
    json_out_object_end(o);
    json_in_done(&doc);
    return 0;
}

static int reply_ec2(struct request *request, struct reply *reply, const struct credential_row *row)
{
    json_out_object(&reply->out, NULL);
    int rc = put_ec2(request, reply, "credential", row);
    json_out_object_end(&reply->out);
    return rc;
}

static int put_item(void *arg, const struct credential_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    return list_take(list, row->id) ? put_ec2(list->request, list->reply, NULL, row) : LIST_STOP;
}

static int ec2_credentials_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {NULL};
    struct list list;
    int rc = check(request, false, "identity:ec2_list_credentials");
    if (!rc)
        rc = list_begin(&list, request, reply, "credentials", filters);
    if (rc)
        return rc;
    rc = list_rc(store_credential_each(request->conn, request_param(request, "user_id"), "ec2", &list.page, put_item,
                                       &list, &request->error));
    list_end(&list);
    return rc;
}

static int ec2_credentials_create(struct request *request, struct reply *reply)
{
    const struct ec2_body *body = request->body;
    struct project_row project;
    char access[UUID_HEX_SIZE], secret[UUID_HEX_SIZE];
    struct strbuf blob;
    struct json_out o;
    int rc = check(request, true, "identity:ec2_create_credential");
    if (!rc)
        rc = identity_found(
            request, store_project_get(request->conn, body->tenant_id, &request->arena, &project, &request->error),
            "project", body->tenant_id);
    if (rc)
        return rc;
    strbuf_init(&blob, 4096);
    json_out_init(&o, &blob);
    json_out_object(&o, NULL);
    json_out_text(&o, "access", uuid_hex(access));
    json_out_text(&o, "secret", uuid_hex(secret));
    json_out_null(&o, "trust_id");
    json_out_object_end(&o);
    struct credential_row row = {.id = credential_blob_id(request, access),
                                 .user_id = request_param(request, "user_id"),
                                 .project_id = project.id,
                                 .type = "ec2",
                                 .blob = credential_blob_close(request, blob.data),
                                 .extra = "{}"};
    strbuf_done(&blob);
    rc = store_credential_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_ec2(request, reply, &row);
}

static int load(struct request *request, struct credential_row *ret)
{
    const char *access = request_param(request, "access");
    int rc =
        store_credential_get(request->conn, credential_blob_id(request, access), &request->arena, ret, &request->error);
    if (!rc && strcmp(ret->user_id, request_param(request, "user_id")) != 0)
        rc = ERR_NOT_FOUND;
    return identity_found(request, rc, "credential", access);
}

static int ec2_credentials_show(struct request *request, struct reply *reply)
{
    struct credential_row row;
    int rc = check(request, false, "identity:ec2_get_credential");
    if (!rc)
        rc = load(request, &row);
    return rc ? rc : reply_ec2(request, reply, &row);
}

static int ec2_credentials_delete(struct request *request, struct reply *reply)
{
    struct credential_row row;
    int rc = check(request, true, "identity:ec2_delete_credential");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = store_credential_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

#define ALL "/users/{user_id}/credentials/OS-EC2"
#define ONE ALL "/{access}"
static const struct route rows[] = {
    {.method = "GET", .pattern = ALL, .permission = PERMISSION_AUTHENTICATED, .handler = ec2_credentials_list},
    {.method = "POST",
     .pattern = ALL,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct ec2_body),
     .handler = ec2_credentials_create},
    {.method = "GET", .pattern = ONE, .permission = PERMISSION_AUTHENTICATED, .handler = ec2_credentials_show},
    {.method = "DELETE",
     .pattern = ONE,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = ec2_credentials_delete},
};
const struct route_table ec2_credentials_routes = ROUTE_TABLE(rows);
