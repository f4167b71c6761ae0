/* Flavors: create, list, show, describe, delete. Shapes: nova/api/openstack/compute/views/flavors.py. */
#include "api/compute/flavors.h"
#include "api/compute/compute.h"
#include "common/uuid.h"
#include "db/store_flavor.h"
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FLAVOR_MAX 0x7fffffff

void flavors_write(struct request *request, struct json_out *out, const char *key, const struct flavor_row *row)
{
    json_out_object(out, key);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    json_out_int(out, "ram", row->memory_mib);
    json_out_int(out, "disk", row->root_gib);
    if (row->swap_mib != 0 || compute_since(request, 75))
        json_out_int(out, "swap", row->swap_mib);
    else
        json_out_text(out, "swap", "");
    json_out_int(out, "OS-FLV-EXT-DATA:ephemeral", row->ephemeral_gib);
    json_out_bool(out, "OS-FLV-DISABLED:disabled", row->disabled);
    json_out_int(out, "vcpus", row->vcpus);
    json_out_bool(out, "os-flavor-access:is_public", row->is_public);
    /* Always with a point: clients read a float. */
    json_out_raw(out, "rxtx_factor",
                 arena_printf(&request->arena, "%.*f", row->rxtx_permille % 100 == 0 ? 1 : 3,
                              (double)row->rxtx_permille / 1000.0));
    compute_write_links(request, out, "flavors", row->id);
    if (compute_since(request, 55))
        json_out_text(out, "description", row->description);
    if (compute_since(request, 61))
        json_out_raw(out, "extra_specs", row->extra_specs);
    json_out_object_end(out);
}

static void write_brief(struct request *request, struct json_out *out, const struct flavor_row *row)
{
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    compute_write_links(request, out, "flavors", row->id);
    if (compute_since(request, 55))
        json_out_text(out, "description", row->description);
    json_out_object_end(out);
}

int flavors_load(struct request *request, const char *id, struct flavor_row *ret)
{
    return store_flavor_get(request->conn, id, request->credential.project_id, compute_is_admin(request),
                            &request->arena, ret, &request->error);
}

static int flavors_show(struct request *request, struct reply *reply)
{
    struct flavor_row row;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    flavors_write(request, &reply->out, "flavor", &row);
    json_out_object_end(&reply->out);
    return 0;
}

struct page {
    struct request *request;
    struct json_out *out;
    int64_t count;
    const char *last;
    bool detail;
};

static int add_row(void *arg, const struct flavor_row *row, struct error *e)
{
    struct page *p = arg;
    (void)e;
    if (p->detail)
        flavors_write(p->request, p->out, NULL, row);
    else
        write_brief(p->request, p->out, row);
    p->count++;
    p->last = row->id;
    return 0;
}

static int read_minimum(struct request *request, const char *name, int64_t *ret)
{
    const char *text = request_query(request, name);
    char *end;
    if (text == NULL)
        return 0;
    *ret = strtoll(text, &end, 10);
    if (*end == '\0' && end != text)
        return 0;
    return error_set(&request->error, ERR_INVALID, "Invalid %s filter [%s]",
                     strcmp(name, "minDisk") == 0 ? "minDisk" : "minRam", text);
}

/* nova/api/openstack/compute/flavors.py, _parse_is_public: administrators may ask for private ones, or with "none" for
 * all. */
static int read_scope(struct request *request, struct flavor_query *q)
{
    static const char *const lies[] = {"f", "false", "0", "off", "n", "no"};
    const char *text = request_query(request, "is_public");
    q->scope = FLAVOR_SCOPE_PUBLIC;
    if (!compute_is_admin(request)) {
        q->scope = FLAVOR_SCOPE_ALL;
        q->project_id = request->credential.project_id;
        return 0;
    }
    if (text == NULL || compute_text_bool(text))
        return 0;
    if (strcasecmp(text, "none") == 0) {
        q->scope = FLAVOR_SCOPE_ALL;
        return 0;
    }
    q->scope = FLAVOR_SCOPE_PRIVATE;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        if (strcasecmp(text, lies[i]) == 0)
            return 0;
    return error_set(&request->error, ERR_INVALID, "Invalid is_public filter [%s]", text);
}

static int list(struct request *request, struct reply *reply, bool detail)
{
    struct page p = {.request = request, .out = &reply->out, .detail = detail};
    struct flavor_query q = {0};
    int rc = request_page(request, COMPUTE_PAGE_MAX, &q.limit, &q.marker);
    if (!rc)
        rc = read_scope(request, &q);
    if (!rc)
        rc = read_minimum(request, "minDisk", &q.min_disk_gib);
    if (!rc)
        rc = read_minimum(request, "minRam", &q.min_ram_mib);
    json_out_object(p.out, NULL);
    json_out_array(p.out, "flavors");
    if (!rc)
        rc = store_flavor_list(request->conn, &q, &request->arena, add_row, &p, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        rc = error_set(&request->error, ERR_INVALID, "marker [%s] not found", q.marker);
    }
    json_out_array_end(p.out);
    if (!rc && p.count > 0 && p.count == q.limit)
        compute_write_next(request, p.out, detail ? "flavors/detail" : "flavors", "flavors_links", p.last);
    json_out_object_end(p.out);
    return rc;
}

static int flavors_list(struct request *request, struct reply *reply)
{
    return list(request, reply, false);
}

static int flavors_list_detail(struct request *request, struct reply *reply)
{
    return list(request, reply, true);
}

struct flavors_create {
    struct json_seen seen;
    const char *name, *description;
    json_value *id, *rxtx, *is_public;
    int64_t ram, vcpus, disk, ephemeral, swap;
};
enum {
    FIELD_NAME,
    FIELD_ID,
    FIELD_RAM,
    FIELD_VCPUS,
    FIELD_DISK,
    FIELD_EPHEMERAL,
    FIELD_SWAP,
    FIELD_RXTX,
    FIELD_IS_PUBLIC,
    FIELD_DESCRIPTION,
};
#define AT(member) offsetof(struct flavors_create, member)
#define NUMBER(label, member, least, flag)                                                                             \
    {                                                                                                                  \
        .name = (label), .kind = JSON_INT, .offset = AT(member), .flags = (unsigned)JSON_LENIENT | (unsigned)(flag),   \
        .min = (least), .max = FLAVOR_MAX                                                                              \
    }
static const struct json_field create_fields[] = {
    [FIELD_NAME] =
        {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    [FIELD_ID] = {.name = "id", .kind = JSON_ANY, .offset = AT(id), .flags = JSON_NULLABLE},
    [FIELD_RAM] = NUMBER("ram", ram, 1, JSON_REQUIRED),
    [FIELD_VCPUS] = NUMBER("vcpus", vcpus, 1, JSON_REQUIRED),
    [FIELD_DISK] = NUMBER("disk", disk, 0, JSON_REQUIRED),
    [FIELD_EPHEMERAL] = NUMBER("OS-FLV-EXT-DATA:ephemeral", ephemeral, 0, 0),
    [FIELD_SWAP] = NUMBER("swap", swap, 0, 0),
    [FIELD_RXTX] = {.name = "rxtx_factor", .kind = JSON_ANY, .offset = AT(rxtx)},
    [FIELD_IS_PUBLIC] = {.name = "os-flavor-access:is_public", .kind = JSON_ANY, .offset = AT(is_public)},
    [FIELD_DESCRIPTION] =
        {.name = "description", .kind = JSON_TEXT, .offset = AT(description), .flags = JSON_NULLABLE, .max = 65535},
};
static const struct json_table create_table = {
    .fields = create_fields, .count = JSON_COUNT(create_fields), .seen_offset = AT(seen)};
static const struct compute_window windows[] = {{FIELD_DESCRIPTION, 55, 0}};

/* Text, number or nothing. */
static int read_id(struct request *request, const struct flavors_create *b, const char **ret)
{
    char made[UUID_SIZE];
    int64_t number;
    const char *text = json_in_is_text(b->id) ? json_in_text(b->id) : NULL;
    size_t size = text != NULL ? strlen(text) : 0;
    if (b->id == NULL || json_in_is_null(b->id)) {
        *ret = arena_strdup(&request->arena, uuid_random(made));
        return 0;
    }
    if (text == NULL && json_in_int(b->id, &number)) {
        *ret = arena_printf(&request->arena, "%lld", (long long)number);
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && strchr(". _-", text[i]) == NULL)
            size = 0;
    if (size < 1 || size > 255 || text[0] == ' ' || text[size - 1] == ' ')
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute id. It has 1 to 255 characters of a-zA-Z0-9. _- without "
                         "blanks at the ends");
    *ret = text;
    return 0;
}

static int read_rxtx(struct request *request, const struct flavors_create *b, int64_t *ret)
{
    const char *text;
    char *end;
    double factor;
    *ret = 1000;
    if (!(b->seen.present >> FIELD_RXTX & 1))
        return 0;
    text = json_in_is_text(b->rxtx) ? json_in_text(b->rxtx) : json_in_print(b->rxtx, &request->arena);
    factor = strtod(text, &end);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || factor < 0.001 || factor > 1e9)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute rxtx_factor. Value: %s. It is a number above 0", text);
    *ret = (int64_t)(factor * 1000 + 0.5);
    return 0;
}

static int read_body(struct request *request, struct flavor_row *row)
{
    const struct flavors_create *b = request->body;
    bool is_public = true;
    int rc = compute_check_windows(request, &create_table, &b->seen, windows, 1);
    if (!rc)
        rc = compute_check_name(request, "name", b->name);
    if (!rc)
        rc = read_id(request, b, &row->id);
    if (!rc)
        rc = read_rxtx(request, b, &row->rxtx_permille);
    if (!rc && b->is_public != NULL && !compute_read_bool(b->is_public, &is_public))
        rc = error_set(&request->error, ERR_INVALID,
                       "Invalid input for field/attribute os-flavor-access:is_public. It is not a boolean");
    row->name = b->name;
    row->description = b->description;
    row->vcpus = b->vcpus;
    row->memory_mib = b->ram;
    row->root_gib = b->disk;
    row->ephemeral_gib = b->ephemeral;
    row->swap_mib = b->swap;
    row->is_public = is_public;
    row->created_us = request->now_us;
    row->extra_specs = "{}";
    return rc;
}

static int flavors_create(struct request *request, struct reply *reply)
{
    struct flavor_row row = {0};
    bool id_taken = false, name_taken = false;
    int rc = read_body(request, &row);
    if (!rc)
        rc = store_flavor_taken(request->conn, row.id, row.name, &id_taken, &name_taken, &request->error);
    if (!rc && id_taken)
        rc = error_set(&request->error, ERR_CONFLICT, "Flavor with ID %s already exists.", row.id);
    if (!rc && name_taken)
        rc = error_set(&request->error, ERR_CONFLICT, "Flavor with name %s already exists.", row.name);
    if (!rc)
        rc = store_flavor_insert(request->conn, &row, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    flavors_write(request, &reply->out, "flavor", &row);
    json_out_object_end(&reply->out);
    return 0;
}

struct flavors_update {
    const char *description;
};
static const struct json_field update_fields[] = {
    {.name = "description",
     .kind = JSON_TEXT,
     .offset = offsetof(struct flavors_update, description),
     .flags = JSON_REQUIRED | JSON_NULLABLE,
     .max = 65535},
};
static const struct json_table update_table = {
    .fields = update_fields, .count = JSON_COUNT(update_fields), .seen_offset = JSON_NO_SEEN};

static int flavors_update(struct request *request, struct reply *reply)
{
    const struct flavors_update *b = request->body;
    struct flavor_row row;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (!rc)
        rc = store_flavor_describe(request->conn, row.id, b->description, &request->error);
    if (rc)
        return rc;
    row.description = b->description;
    json_out_object(&reply->out, NULL);
    flavors_write(request, &reply->out, "flavor", &row);
    json_out_object_end(&reply->out);
    return 0;
}

static int flavors_delete(struct request *request, struct reply *reply)
{
    reply->status = 202;
    return store_flavor_delete(request->conn, request_param(request, "flavor_id"), &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/flavors", .permission = PERMISSION_READER, .handler = flavors_list},
    {.method = "GET", .pattern = "/flavors/detail", .permission = PERMISSION_READER, .handler = flavors_list_detail},
    {.method = "GET", .pattern = "/flavors/{flavor_id}", .permission = PERMISSION_READER, .handler = flavors_show},
    {.method = "POST",
     .pattern = "/flavors",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .member = "flavor",
     .body = &create_table,
     .body_size = sizeof(struct flavors_create),
     .handler = flavors_create},
    {.method = "PUT",
     .pattern = "/flavors/{flavor_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 55,
     .member = "flavor",
     .body = &update_table,
     .body_size = sizeof(struct flavors_update),
     .handler = flavors_update},
    {.method = "DELETE",
     .pattern = "/flavors/{flavor_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = flavors_delete},
};
const struct route_table flavors_routes = ROUTE_TABLE(rows);
