/* Keypairs: import and generate, list, show, delete. Shapes: nova/api/openstack/compute/views/keypairs.py. */
#include "api/compute/compute.h"
#include "api/compute/ssh_key.h"
#include "common/clock.h"
#include "db/store_keypair.h"
#include "db/store_quota.h"
#include <ctype.h>
#include <stddef.h>
#include <string.h>

struct keypairs_create {
    struct json_seen seen;
    const char *name, *public_key, *type, *user_id;
};
enum { FIELD_NAME, FIELD_PUBLIC_KEY, FIELD_TYPE, FIELD_USER };
static const char *const types[] = {"ssh", "x509", NULL};
#define AT(member) offsetof(struct keypairs_create, member)
static const struct json_field create_fields[] = {
    [FIELD_NAME] =
        {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    [FIELD_PUBLIC_KEY] = {.name = "public_key", .kind = JSON_TEXT, .offset = AT(public_key)},
    [FIELD_TYPE] = {.name = "type", .kind = JSON_TEXT, .offset = AT(type), .choices = types},
    [FIELD_USER] = {.name = "user_id", .kind = JSON_TEXT, .offset = AT(user_id), .min = 1, .max = 255},
};
static const struct json_table create_table = {
    .fields = create_fields, .count = JSON_COUNT(create_fields), .seen_offset = AT(seen)};
static const struct compute_window windows[] = {{FIELD_TYPE, 2, 0}, {FIELD_USER, 10, 0}};

/* Whose keypairs: the caller's, or for administrators from 2.10 those of ?user_id. */
static int choose_user(struct request *request, const char *asked, const char **ret)
{
    const char *own = request->credential.user_id;
    bool other = asked != NULL && compute_since(request, 10) && strcmp(asked, own) != 0;
    if (other && !compute_is_admin(request))
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:os-keypairs to be performed.");
    *ret = other ? asked : own;
    return 0;
}

/* Letters, digits, blank, - and _; from 2.92 also @ and . */
static int check_name(struct request *request, const char *name)
{
    int rc = compute_check_name(request, "name", name);
    for (const char *p = name; !rc && *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr(compute_since(request, 92) ? " -_@." : " -_", *p) == NULL)
            rc = error_set(&request->error, ERR_INVALID,
                           "Invalid input for field/attribute name. Value: %s. Only expected characters: "
                           "letters, digits, blanks, - and _",
                           name);
    return rc;
}

/* What `before` made for the handler. */
struct made {
    char *private_key;
    const char *public_key, *fingerprint;
};

/* On a worker thread: making a key takes long. */
static int keypairs_prepare(struct request *request, struct reply *reply)
{
    const struct keypairs_create *b = request->body;
    struct made *made = arena_alloc(&request->arena, sizeof(*made));
    bool x509 = b->type != NULL && strcmp(b->type, "x509") == 0;
    int rc = compute_check_windows(request, &create_table, &b->seen, windows, sizeof(windows) / sizeof(windows[0]));
    (void)reply;
    if (!rc)
        rc = check_name(request, b->name);
    if (!rc && b->public_key == NULL && compute_since(request, 92))
        rc = error_set(&request->error, ERR_INVALID, "'public_key' is a required property");
    made->public_key = b->public_key;
    if (!rc && b->public_key == NULL && x509)
        rc = ssh_key_generate_x509(request->credential.user_id, &request->arena, &made->private_key, &made->public_key,
                                   &request->error);
    else if (!rc && b->public_key == NULL)
        rc = ssh_key_generate(&request->arena, &made->private_key, &made->public_key, &request->error);
    if (!rc && x509)
        rc = ssh_key_fingerprint_x509(made->public_key, &request->arena, &made->fingerprint, &request->error);
    else if (!rc)
        rc = ssh_key_fingerprint(made->public_key, &request->arena, &made->fingerprint, &request->error);
    request->state = made;
    return rc;
}

static int check_quota(struct request *request, const char *user)
{
    struct quota_set limits, used = {{0}}, asked = {{0}};
    int rc = store_quota_limits(request->conn, request->credential.project_id, &limits, &request->error);
    if (!rc)
        rc = store_keypair_count(request->conn, user, &used.amount[QUOTA_KEY_PAIRS], &request->error);
    asked.amount[QUOTA_KEY_PAIRS] = 1;
    if (!rc && !quota_allows(&limits, &used, &asked, NULL, NULL))
        rc = error_set(&request->error, ERR_QUOTA, "Quota exceeded, too many key pairs.");
    return rc;
}

static int insert(struct request *request, const struct keypair_row *row)
{
    struct keypair_row old;
    int rc = store_keypair_get(request->conn, row->user_id, row->name, &request->arena, &old, &request->error);
    if (!rc)
        return error_set(&request->error, ERR_CONFLICT, "Key pair '%s' already exists.", row->name);
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    rc = check_quota(request, row->user_id);
    return rc ? rc : store_keypair_insert(request->conn, row, &request->error);
}

static void write_common(struct request *request, struct json_out *out, const struct keypair_row *row)
{
    json_out_text(out, "name", row->name);
    json_out_text(out, "public_key", row->public_key);
    json_out_text(out, "fingerprint", row->fingerprint);
    if (compute_since(request, 2))
        json_out_text(out, "type", row->type);
}

static int keypairs_create(struct request *request, struct reply *reply)
{
    const struct keypairs_create *b = request->body;
    const struct made *made = request->state;
    struct keypair_row row = {.name = b->name,
                              .type = b->type != NULL ? b->type : "ssh",
                              .public_key = made->public_key,
                              .fingerprint = made->fingerprint,
                              .created_us = request->now_us};
    int rc = choose_user(request, b->user_id, &row.user_id);
    if (!rc)
        rc = insert(request, &row);
    if (rc)
        return rc;
    reply->status = compute_since(request, 2) ? 201 : 200;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "keypair");
    if (made->private_key != NULL)
        json_out_text(&reply->out, "private_key", made->private_key);
    write_common(request, &reply->out, &row);
    json_out_text(&reply->out, "user_id", row.user_id);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int keypairs_show(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    struct keypair_row row;
    char created[CLOCK_TEXT_SIZE];
    const char *user = NULL;
    int rc = choose_user(request, request_query(request, "user_id"), &user);
    if (!rc)
        rc = store_keypair_get(request->conn, user, request_param(request, "name"), &request->arena, &row,
                               &request->error);
    if (rc)
        return rc;
    json_out_object(out, NULL);
    json_out_object(out, "keypair");
    write_common(request, out, &row);
    json_out_text(out, "user_id", row.user_id);
    json_out_text(out, "created_at", clock_text(row.created_us, CLOCK_ISO_MICRO, created));
    json_out_bool(out, "deleted", false);
    json_out_null(out, "deleted_at");
    json_out_int(out, "id", row.created_us % 2147483647);
    json_out_null(out, "updated_at");
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

struct page {
    struct request *request;
    struct json_out *out;
    int64_t count;
    const char *last;
};

static int add_row(void *arg, const struct keypair_row *row, struct error *e)
{
    struct page *p = arg;
    (void)e;
    json_out_object(p->out, NULL);
    json_out_object(p->out, "keypair");
    write_common(p->request, p->out, row);
    json_out_object_end(p->out);
    json_out_object_end(p->out);
    p->count++;
    p->last = arena_strdup(&p->request->arena, row->name);
    return 0;
}

static int check_marker(struct request *request, const char *user, const char *marker)
{
    struct keypair_row row;
    int rc =
        marker != NULL ? store_keypair_get(request->conn, user, marker, &request->arena, &row, &request->error) : 0;
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    return error_set(&request->error, ERR_INVALID, "Marker %s could not be found.", marker);
}

static int keypairs_list(struct request *request, struct reply *reply)
{
    struct page p = {.request = request, .out = &reply->out};
    const char *user = NULL, *marker = NULL;
    int64_t limit = INT64_MAX;
    int rc = choose_user(request, request_query(request, "user_id"), &user);
    if (!rc && compute_since(request, 35))
        rc = request_page(request, COMPUTE_PAGE_MAX, &limit, &marker);
    if (!rc)
        rc = check_marker(request, user, marker);
    json_out_object(p.out, NULL);
    json_out_array(p.out, "keypairs");
    if (!rc)
        rc = store_keypair_list(request->conn, user, marker, limit, add_row, &p, &request->error);
    json_out_array_end(p.out);
    if (!rc && p.count > 0 && p.count == limit)
        compute_write_next(request, p.out, "os-keypairs", "keypairs_links", p.last);
    json_out_object_end(p.out);
    return rc;
}

static int keypairs_delete(struct request *request, struct reply *reply)
{
    const char *user = NULL;
    int rc = choose_user(request, request_query(request, "user_id"), &user);
    reply->status = compute_since(request, 2) ? 204 : 202;
    return rc ? rc : store_keypair_delete(request->conn, user, request_param(request, "name"), &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-keypairs", .permission = PERMISSION_READER, .handler = keypairs_list},
    {.method = "GET", .pattern = "/os-keypairs/{name}", .permission = PERMISSION_READER, .handler = keypairs_show},
    {.method = "DELETE",
     .pattern = "/os-keypairs/{name}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = keypairs_delete},
    {.method = "POST",
     .pattern = "/os-keypairs",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .member = "keypair",
     .body = &create_table,
     .body_size = sizeof(struct keypairs_create),
     .before = keypairs_prepare,
     .handler = keypairs_create},
};
const struct route_table keypairs_routes = ROUTE_TABLE(rows);
