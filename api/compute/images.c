/* GET and DELETE /images: the old way to the image service, up to 2.35. Filters and shapes:
 * nova/api/openstack/compute/images.py and views/images.py. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "api/image/image_service.h"
#include "common/clock.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROXY_UNTIL 35
#define CHUNK       500

/* ---- as it is shown ---- */

static void write_link(struct json_out *out, const char *rel, const char *href)
{
    json_out_object(out, NULL);
    json_out_text(out, "rel", rel);
    if (strcmp(rel, "alternate") == 0)
        json_out_text(out, "type", "application/vnd.openstack.image");
    json_out_text(out, "href", href);
    json_out_object_end(out);
}

static void write_brief(struct request *request, struct json_out *out, const struct image_row *row)
{
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    json_out_array(out, "links");
    write_link(out, "self", compute_link_self(request, "images", row->id));
    write_link(out, "bookmark", compute_link_bookmark(request, "images", row->id));
    write_link(out, "alternate", arena_join(&request->arena, request_base_url(request), "/image/v2/images/", row->id));
    json_out_array_end(out);
}

static void write_state(struct json_out *out, const struct image_row *row)
{
    static const struct {
        const char *status, *shown;
        int progress;
    } states[] = {{"active", "ACTIVE", 100}, {"queued", "SAVING", 25},         {"saving", "SAVING", 50},
                  {"deleted", "DELETED", 0}, {"pending_delete", "DELETED", 0}, {"killed", "ERROR", 0}};
    const char *shown = "UNKNOWN";
    int progress = 0;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].status, row->status) == 0) {
            shown = states[i].shown;
            progress = states[i].progress;
        }
    }
    json_out_text(out, "status", shown);
    json_out_int(out, "progress", progress);
}

/* The server of which it is a snapshot, and whether its disk grows with the flavor: properties both. */
static void write_properties(struct request *request, struct json_out *out, const struct image_row *row)
{
    struct json_doc doc;
    const char *server, *automatic;
    json_out_raw(out, "metadata", row->properties);
    if (json_in_parse(row->properties, strlen(row->properties), &doc, NULL) != 0)
        return;
    server = json_in_text(json_in_member(doc.root, "instance_uuid"));
    automatic = json_in_text(json_in_member(doc.root, "auto_disk_config"));
    if (server != NULL) {
        json_out_object(out, "server");
        json_out_text(out, "id", server);
        compute_write_links(request, out, "servers", server);
        json_out_object_end(out);
    }
    if (automatic != NULL)
        json_out_text(out, "OS-DCF:diskConfig", compute_text_bool(automatic) ? "AUTO" : "MANUAL");
    json_in_done(&doc);
}

static void write_image(struct request *request, struct json_out *out, const char *key, const struct image_row *row)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, key);
    write_brief(request, out, row);
    json_out_int(out, "minRam", row->min_ram_mib);
    json_out_int(out, "minDisk", row->min_disk_gib);
    json_out_text(out, "created", clock_text(row->created_us, CLOCK_ISO_Z, text));
    json_out_text(out, "updated", clock_text(row->updated_us, CLOCK_ISO_Z, text));
    write_state(out, row);
    json_out_int(out, "OS-EXT-IMG-SIZE:size", row->has_size ? row->size_bytes : 0);
    write_properties(request, out, row);
    json_out_object_end(out);
}

static int find_image(struct request *request, struct image_row *ret)
{
    int rc = image_service_find(request, ret);
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    return error_set(&request->error, rc, "Image not found.");
}

static int images_show(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = find_image(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_image(request, &reply->out, "image", &row);
    json_out_object_end(&reply->out);
    return 0;
}

static int images_delete(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = find_image(request, &row);
    if (!rc)
        rc = image_service_remove(request, &row);
    if (rc == ERR_FORBIDDEN) {
        error_clear(&request->error);
        return error_set(&request->error, rc, "You are not allowed to delete the image.");
    }
    reply->status = 204;
    return rc;
}

/* ---- lists ---- */

struct listing {
    struct request *request;
    struct json_out *out;
    bool detail;
    int64_t limit, shown, changed_since_us;
    const char *last;
};

static bool same_number(const char *value, int64_t number)
{
    char *end = NULL;
    long long wanted = strtoll(value, &end, 10);
    return *value != '\0' && *end == '\0' && wanted == number;
}

static bool has_property(const struct image_row *row, const char *name, const char *value)
{
    struct json_doc doc;
    const char *text;
    bool same;
    if (json_in_parse(row->properties, strlen(row->properties), &doc, NULL) != 0)
        return false;
    text = json_in_text(json_in_member(doc.root, name));
    same = text != NULL && strcmp(text, value) == 0;
    json_in_done(&doc);
    return same;
}

/* What is behind the last slash: servers may be named by their address. */
static const char *last_part(const char *value)
{
    const char *slash = strrchr(value, '/');
    return slash != NULL ? slash + 1 : value;
}

struct match {
    const struct image_row *row;
    int64_t changed_since_us;
};

/* 1: the row is not wanted. */
static int check_filter(void *arg, const char *name, const char *value)
{
    const struct match *m = arg;
    const struct image_row *row = m->row;
    bool good = true;
    value = value != NULL ? value : "";
    if (strcmp(name, "name") == 0)
        good = row->name != NULL && strcmp(row->name, value) == 0;
    else if (strcmp(name, "status") == 0)
        good = strcasecmp(row->status, value) == 0;
    else if (strcmp(name, "changes-since") == 0)
        good = row->updated_us >= m->changed_since_us;
    else if (strcmp(name, "server") == 0)
        good = has_property(row, "instance_uuid", last_part(value));
    else if (strcmp(name, "type") == 0)
        good = has_property(row, "image_type", value);
    else if (strcmp(name, "minRam") == 0)
        good = same_number(value, row->min_ram_mib);
    else if (strcmp(name, "minDisk") == 0)
        good = same_number(value, row->min_disk_gib);
    else if (strncmp(name, "property-", 9) == 0)
        good = has_property(row, name + 9, value);
    return !good;
}

static void add_row(struct listing *l, const struct image_row *row)
{
    struct match m = {row, l->changed_since_us};
    if (row->hidden || request_query_each(l->request, check_filter, &m) != 0)
        return;
    if (l->detail) {
        write_image(l->request, l->out, NULL, row);
    } else {
        json_out_object(l->out, NULL);
        write_brief(l->request, l->out, row);
        json_out_object_end(l->out);
    }
    l->shown++;
    l->last = row->id;
}

static int read_query(struct listing *l, struct image_filter *filter)
{
    struct request *request = l->request;
    const char *since = request_query(request, "changes-since"), *limit = request_query(request, "limit"),
               *marker = request_query(request, "marker");
    char *end = NULL;
    struct image_row row;
    int rc;
    if (since != NULL && !clock_parse(since, &l->changed_since_us))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid filter value for updated_at: Use ISO 8601 DateTime notation.");
    l->limit = COMPUTE_PAGE_MAX;
    if (limit != NULL) {
        long long wanted = strtoll(limit, &end, 10);
        if (!isdigit((unsigned char)limit[0]) || *end != '\0')
            return error_set(&request->error, ERR_INVALID, "limit param must be an integer");
        l->limit = wanted > 0 && wanted < COMPUTE_PAGE_MAX ? wanted : COMPUTE_PAGE_MAX;
    }
    *filter = (struct image_filter){.limit = CHUNK, .name = request_query(request, "name")};
    filter->project_id = compute_is_admin(request) ? NULL : request->credential.project_id;
    if (marker == NULL)
        return 0;
    rc = store_image_get(request->conn, marker, request->credential.project_id, compute_is_admin(request),
                         &request->arena, &row, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Marker %s could not be found.", marker);
    }
    filter->before_id = row.id;
    filter->before_us = row.created_us;
    return rc;
}

static int walk(struct listing *l, struct image_filter *filter)
{
    struct image_row *rows = NULL;
    size_t count = CHUNK;
    int rc = 0;
    while (!rc && count == CHUNK && l->shown < l->limit) {
        rc = store_image_list(l->request->conn, filter, &l->request->arena, &rows, &count, &l->request->error);
        for (size_t i = 0; !rc && i < count && l->shown < l->limit; i++)
            add_row(l, &rows[i]);
        if (!rc && count > 0) {
            filter->before_id = rows[count - 1].id;
            filter->before_us = rows[count - 1].created_us;
        }
    }
    return rc;
}

static int list(struct request *request, struct reply *reply, bool detail)
{
    struct listing l = {.request = request, .out = &reply->out, .detail = detail};
    struct image_filter filter;
    int rc = read_query(&l, &filter);
    if (rc)
        return rc;
    json_out_object(l.out, NULL);
    json_out_array(l.out, "images");
    rc = walk(&l, &filter);
    json_out_array_end(l.out);
    if (!rc && l.shown > 0 && l.shown == l.limit)
        compute_write_next(request, l.out, detail ? "images/detail" : "images", "images_links", l.last);
    json_out_object_end(l.out);
    return rc;
}

static int images_list(struct request *request, struct reply *reply)
{
    return list(request, reply, false);
}

static int images_detail(struct request *request, struct reply *reply)
{
    return list(request, reply, true);
}

#define READ_ROW(path, function)                                                                                       \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_READER, .until = PROXY_UNTIL, .handler = function   \
    }
static const struct route rows[] = {
    READ_ROW("/images", images_list),
    READ_ROW("/images/detail", images_detail),
    READ_ROW("/images/{id}", images_show),
    {.method = "DELETE",
     .pattern = "/images/{id}",
     .permission = PERMISSION_MEMBER,
     .until = PROXY_UNTIL,
     .handler = images_delete},
};
const struct route_table compute_images_routes = ROUTE_TABLE(rows);
