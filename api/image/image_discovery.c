/* What the image service says of itself: versions, schemas, import methods, stores. */
#include "api/image/image_convert.h"
#include "api/image/image_service.h"
#include "common/clock.h"
#include "common/json_in.h"
#include <string.h>

static void write_version(struct request *request, struct json_out *out, const char *id, const char *status)
{
    json_out_object(out, NULL);
    json_out_text(out, "id", id);
    json_out_text(out, "status", status);
    json_out_array(out, "links");
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_textf(out, "href", "%s%s/v2/", request_base_url(request), request->service->prefix);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
}

static int write_versions(struct request *request, struct reply *reply, int status)
{
    static const char *const versions[] = {"v2.15", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.7",
                                           "v2.6",  "v2.5",  "v2.4",  "v2.3",  "v2.2",  "v2.1", "v2.0"};
    reply->status = status;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "versions");
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        write_version(request, &reply->out, versions[i], i == 0 ? "CURRENT" : "SUPPORTED");
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

/* Glance's root is a choice, which is what clients look for; who asks for the versions gets them: the glance command
 * takes nothing but 200. */
static int root_show(struct request *request, struct reply *reply)
{
    return write_versions(request, reply, 300);
}

static int versions_list(struct request *request, struct reply *reply)
{
    return write_versions(request, reply, 200);
}

/* ---- schemas ---- */

struct property {
    const char *name, *type, *description;
    bool nullable, read_only;
    int64_t max_length;
    const char *const *choices;
};
static const char *const statuses[] = {"queued",    "saving",    "active",         "killed",      "deleted",
                                       "uploading", "importing", "pending_delete", "deactivated", NULL};
static const char *const visibilities[] = {"community", "public", "private", "shared", NULL};
static const char *const containers[] = {"ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed", NULL};
static const char *const disks[] = {"ami",   "ari", "aki", "vhd",   "vhdx",     "vmdk",     "raw",
                                    "qcow2", "vdi", "iso", "ploop", "root-tar", "squashfs", NULL};
static const char *const member_statuses[] = {"pending", "accepted", "rejected", NULL};

static const struct property image_properties[] = {
    {"id", "string", "An identifier for the image", false, false, 0, NULL},
    {"name", "string", "Descriptive name for the image", true, false, 255, NULL},
    {"status", "string", "Status of the image", false, true, 0, statuses},
    {"visibility", "string", "Scope of image accessibility", false, false, 0, visibilities},
    {"protected", "boolean", "If true, image will not be deletable.", false, false, 0, NULL},
    {"os_hidden", "boolean", "If true, image will not appear in default image list response.", false, false, 0, NULL},
    {"checksum", "string", "md5 hash of image contents.", true, true, 32, NULL},
    {"os_hash_algo", "string", "Algorithm to calculate the os_hash_value", true, true, 64, NULL},
    {"os_hash_value", "string", "Hexdigest of the image contents using the algorithm specified by the os_hash_algo",
     true, true, 128, NULL},
    {"owner", "string", "Owner of the image", true, false, 255, NULL},
    {"size", "integer", "Size of image file in bytes", true, true, 0, NULL},
    {"virtual_size", "integer", "Virtual size of image in bytes", true, true, 0, NULL},
    {"container_format", "string", "Format of the container", true, false, 0, containers},
    {"disk_format", "string", "Format of the disk", true, false, 0, disks},
    {"created_at", "string", "Date and time of image registration", false, true, 0, NULL},
    {"updated_at", "string", "Date and time of the last image modification", false, true, 0, NULL},
    {"tags", "array", "List of strings related to the image", false, false, 255, NULL},
    {"min_ram", "integer", "Amount of ram (in MB) required to boot image.", false, false, 0, NULL},
    {"min_disk", "integer", "Amount of disk space (in GB) required to boot image.", false, false, 0, NULL},
    {"self", "string", "An image self url", false, true, 0, NULL},
    {"file", "string", "An image file url", false, true, 0, NULL},
    {"schema", "string", "An image schema url", false, true, 0, NULL},
    {"stores", "string", "Store in which image data resides.", false, true, 0, NULL},
};
static const struct property member_properties[] = {
    {"member_id", "string", "An identifier for the image member (tenantId)", false, false, 0, NULL},
    {"image_id", "string", "An identifier for the image", false, false, 0, NULL},
    {"created_at", "string", "Date and time of image member creation", false, false, 0, NULL},
    {"updated_at", "string", "Date and time of last modification of image member", false, false, 0, NULL},
    {"status", "string", "The status of this image member", false, false, 0, member_statuses},
    {"schema", "string", "", false, true, 0, NULL},
};

struct schema {
    const char *name, *collection; /* collection: the list's member, for schemas of lists */
    const struct property *properties;
    size_t count;
    bool open; /* further properties of type string */
};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
static const struct schema schemas[] = {
    {"image", NULL, image_properties, COUNT(image_properties), true},
    {"images", "images", image_properties, COUNT(image_properties), true},
    {"member", NULL, member_properties, COUNT(member_properties), false},
    {"members", "members", member_properties, COUNT(member_properties), false},
};

static void write_type(struct json_out *out, const struct property *p)
{
    if (!p->nullable) {
        json_out_text(out, "type", p->type);
        return;
    }
    json_out_array(out, "type");
    json_out_text(out, NULL, "null");
    json_out_text(out, NULL, p->type);
    json_out_array_end(out);
}

static void write_property(struct json_out *out, const struct property *p)
{
    json_out_object(out, p->name);
    write_type(out, p);
    json_out_text(out, "description", p->description);
    if (p->read_only)
        json_out_bool(out, "readOnly", true);
    if (strcmp(p->type, "array") == 0) {
        json_out_object(out, "items");
        json_out_text(out, "type", "string");
        json_out_int(out, "maxLength", p->max_length);
        json_out_object_end(out);
    } else if (p->max_length > 0) {
        json_out_int(out, "maxLength", p->max_length);
    }
    if (p->choices != NULL) {
        json_out_array(out, "enum");
        if (p->nullable)
            json_out_null(out, NULL);
        for (const char *const *choice = p->choices; *choice != NULL; choice++)
            json_out_text(out, NULL, *choice);
        json_out_array_end(out);
    }
    json_out_object_end(out);
}

static void write_schema(struct json_out *out, const char *key, const struct schema *s, const char *name)
{
    json_out_object(out, key);
    json_out_text(out, "name", name);
    json_out_object(out, "properties");
    for (size_t i = 0; i < s->count; i++)
        write_property(out, &s->properties[i]);
    json_out_object_end(out);
    if (s->open) {
        json_out_object(out, "additionalProperties");
        json_out_text(out, "type", "string");
        json_out_object_end(out);
    }
    if (s->open) {
        json_out_array(out, "links");
        static const char *const rels[][2] = {{"self", "{self}"}, {"enclosure", "{file}"}, {"describedby", "{schema}"}};
        for (size_t i = 0; i < 3; i++) {
            json_out_object(out, NULL);
            json_out_text(out, "rel", rels[i][0]);
            json_out_text(out, "href", rels[i][1]);
            json_out_object_end(out);
        }
        json_out_array_end(out);
    }
    json_out_object_end(out);
}

static void write_text_property(struct json_out *out, const char *name)
{
    json_out_object(out, name);
    json_out_text(out, "type", "string");
    json_out_object_end(out);
}

static void write_list_schema(struct json_out *out, const struct schema *s)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", s->name);
    json_out_object(out, "properties");
    json_out_object(out, s->collection);
    json_out_text(out, "type", "array");
    write_schema(out, "items", s, strcmp(s->collection, "images") == 0 ? "image" : "member");
    json_out_object_end(out);
    write_text_property(out, "schema");
    if (s->open) {
        write_text_property(out, "next");
        write_text_property(out, "first");
    }
    json_out_object_end(out);
    if (s->open) {
        static const char *const rels[][2] = {{"first", "{first}"}, {"next", "{next}"}, {"describedby", "{schema}"}};
        json_out_array(out, "links");
        for (size_t i = 0; i < 3; i++) {
            json_out_object(out, NULL);
            json_out_text(out, "rel", rels[i][0]);
            json_out_text(out, "href", rels[i][1]);
            json_out_object_end(out);
        }
        json_out_array_end(out);
    }
    json_out_object_end(out);
}

static int schemas_show(struct request *request, struct reply *reply)
{
    const char *name = request_param(request, "name");
    for (size_t i = 0; i < COUNT(schemas); i++) {
        if (strcmp(schemas[i].name, name) != 0)
            continue;
        if (schemas[i].collection != NULL)
            write_list_schema(&reply->out, &schemas[i]);
        else
            write_schema(&reply->out, NULL, &schemas[i], schemas[i].name);
        return 0;
    }
    return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
}

static int info_import(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "import-methods");
    json_out_text(&reply->out, "description", "Import methods available.");
    json_out_text(&reply->out, "type", "array");
    json_out_array(&reply->out, "value");
    json_out_text(&reply->out, NULL, "glance-direct");
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int info_stores(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "stores");
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "id", "local");
    json_out_text(&reply->out, "default", "true");
    json_out_object_end(&reply->out);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const char *task_status(const struct image_row *row)
{
    if ((strcmp(row->status, "importing") == 0 || strcmp(row->status, "saving") == 0) &&
        image_convert_is_needed(row->disk_format, row->container_format))
        return "processing";
    return strcmp(row->status, "killed") == 0 ? "failure" : NULL;
}

static void write_task(struct request *request, const struct image_row *row, struct json_out *out)
{
    struct json_doc doc;
    char time[CLOCK_TEXT_SIZE];
    bool parsed = json_in_parse(row->properties, strlen(row->properties), &doc, NULL) == 0;
    const char *why = parsed ? json_in_text(json_in_member(doc.root, IMAGE_CONVERSION_ERROR)) : NULL;
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "image_id", row->id);
    json_out_text(out, "type", "api_image_import");
    json_out_text(out, "status", task_status(row));
    json_out_text(out, "owner", row->project_id);
    json_out_text(out, "message", why ? why : "");
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_Z, time));
    json_out_text(out, "updated_at", clock_text(row->updated_us, CLOCK_ISO_Z, time));
    json_out_textf(out, "self", "%s/v2/images/%s/tasks", request->service->prefix, row->id);
    json_out_object_end(out);
    if (parsed)
        json_in_done(&doc);
}

/* A conversion is the only thing that takes time; when it is done there is nothing to show. */
static int image_tasks(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find(request, &row);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "tasks");
    if (task_status(&row))
        write_task(request, &row, &reply->out);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = root_show},
    {.method = "GET", .pattern = "/versions", .permission = PERMISSION_PUBLIC, .handler = versions_list},
    {.method = "GET", .pattern = "/v2/schemas/{name}", .permission = PERMISSION_AUTHENTICATED, .handler = schemas_show},
    {.method = "GET", .pattern = "/v2/info/import", .permission = PERMISSION_AUTHENTICATED, .handler = info_import},
    {.method = "GET", .pattern = "/v2/info/stores", .permission = PERMISSION_AUTHENTICATED, .handler = info_stores},
    {.method = "GET", .pattern = "/v2/images/{id}/tasks", .permission = PERMISSION_READER, .handler = image_tasks},
};
const struct route_table image_discovery_routes = ROUTE_TABLE(rows);
