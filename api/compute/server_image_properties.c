/* Pairs are gathered in order, later ones replace earlier ones of the same name. */
#include "api/compute/server_image_properties.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/uuid.h"
#include "db/store_project.h"
#include "db/store_user.h"
#include <string.h>

struct pairs {
    struct arena *arena;
    struct json_pair *items;
    size_t count, room;
    bool backup;
};

static void put(struct pairs *p, const char *key, const char *value)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i].key, key) == 0) {
            p->items[i].value = value;
            return;
        }
    }
    p->items = arena_more(p->arena, p->items, p->count, &p->room, sizeof(*p->items));
    p->items[p->count++] = (struct json_pair){key, value};
}

/* Nova's non_inheritable_image_properties, and what says where another image comes from. */
static bool is_inherited(const char *name)
{
    static const char *const own[] = {"cache_in_nova",
                                      "bittorrent",
                                      "img_signature",
                                      "img_signature_hash_method",
                                      "img_signature_key_type",
                                      "img_signature_certificate_uuid",
                                      "backup_type"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return false;
    return true;
}

static int put_inherited(void *arg, const char *name, json_value *value)
{
    struct pairs *p = arg;
    const char *text = json_in_text(value);
    if (text != NULL && is_inherited(name))
        put(p, arena_strdup(p->arena, name), arena_strdup(p->arena, text));
    return 0;
}

/* Where it comes from is not the tenant's to say; what it is, is (Nova's tests do), but for backups, which rotate by
 * it. */
static bool is_origin(const struct pairs *p, const char *name)
{
    static const char *const origin[] = {"base_image_ref",     "instance_uuid", "user_id",
                                         "owner_id",           "backup_type",   "owner_user_name",
                                         "owner_project_name", "boot_roles"};
    for (size_t i = 0; i < sizeof(origin) / sizeof(origin[0]); i++)
        if (strcmp(name, origin[i]) == 0)
            return true;
    return p->backup && strcmp(name, "image_type") == 0;
}

static int put_metadata(void *arg, const char *name, json_value *value)
{
    struct pairs *p = arg;
    if (is_origin(p, name))
        return 0;
    put(p, arena_strdup(p->arena, name), arena_strdup(p->arena, json_in_text(value)));
    return 0;
}

/* The base image's room is what its servers need at least; it may be deleted. */
static int inherit(struct request *request, const struct server_row *row, struct pairs *p, struct image_row *ret)
{
    const char *properties = NULL;
    struct image_row base;
    struct json_doc doc;
    struct error none = {0};
    ret->min_disk_gib = row->root_gib;
    if (row->image_id == NULL)
        return 0;
    int rc = store_server_image_properties(request->conn, row->id, &request->arena, &properties, &request->error);
    if (!rc && properties != NULL && (rc = json_in_parse(properties, strlen(properties), &doc, &request->error)) == 0) {
        json_in_each(doc.root, put_inherited, p);
        json_in_done(&doc);
    }
    if (!rc && store_image_get(request->conn, row->image_id, NULL, true, &request->arena, &base, &none) == 0) {
        ret->min_ram_mib = base.min_ram_mib;
        if (base.min_disk_gib > ret->min_disk_gib)
            ret->min_disk_gib = base.min_disk_gib;
    }
    return rc;
}

static const char *print_roles(struct request *request)
{
    static const struct {
        unsigned bit;
        const char *name;
    } roles[] = {{ROLE_ADMIN, "admin"}, {ROLE_MANAGER, "manager"}, {ROLE_MEMBER, "member"}, {ROLE_READER, "reader"}};
    const char *text = "";
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (request->credential.roles & roles[i].bit)
            text = arena_printf(&request->arena, "%s%s%s", text, *text ? "," : "", roles[i].name);
    return text;
}

static void put_origin(struct request *request, const struct server_row *row, const struct server_image_wish *wish,
                       struct pairs *p)
{
    struct user_row user;
    struct project_row project;
    struct error none = {0}, none_either = {0};
    if (row->image_id != NULL)
        put(p, "base_image_ref", row->image_id);
    if (store_user_get(request->conn, request->credential.user_id, p->arena, &user, &none) == 0)
        put(p, "owner_user_name", user.name);
    if (store_project_get(request->conn, request->credential.project_id, p->arena, &project, &none_either) == 0)
        put(p, "owner_project_name", project.name);
    put(p, "boot_roles", print_roles(request));
    put(p, "instance_uuid", row->id);
    put(p, "user_id", request->credential.user_id);
    put(p, "image_type", wish->type);
    if (wish->backup_type != NULL)
        put(p, "backup_type", wish->backup_type);
    put(p, "image_state", "available");
    put(p, "image_location", "snapshot");
    put(p, "owner_id", row->project_id);
}

static const char *print(const struct pairs *p)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    for (size_t i = 0; i < p->count; i++)
        json_out_text(&out, p->items[i].key, p->items[i].value);
    json_out_object_end(&out);
    const char *copy = arena_strdup(p->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static int put_known(void *arg, const char *name, json_value *value)
{
    struct pairs *p = arg;
    const char *text = json_in_text(value);
    if (text != NULL)
        put(p, arena_strdup(p->arena, name), arena_strdup(p->arena, text));
    return 0;
}

int server_image_properties_set(struct request *request, struct image_row *image, const char *name, const char *value)
{
    struct pairs p = {.arena = &request->arena};
    struct json_doc doc;
    int rc = json_in_parse(image->properties, strlen(image->properties), &doc, &request->error);
    if (rc)
        return rc;
    json_in_each(doc.root, put_known, &p);
    json_in_done(&doc);
    put(&p, name, value);
    image->properties = print(&p);
    return 0;
}

int server_image_properties_say_mode(struct request *request, struct image_row *image)
{
    const char *kind = store_image_kind(image);
    struct json_doc doc;
    if (kind == NULL || (strcmp(kind, "root-tar") != 0 && strcmp(kind, "squashfs") != 0))
        return 0;
    int rc = json_in_parse(image->properties, strlen(image->properties), &doc, &request->error);
    if (rc)
        return rc;
    bool says = json_in_has(doc.root, "vm_mode") || json_in_has(doc.root, "hw_vm_mode");
    json_in_done(&doc);
    return says ? 0 : server_image_properties_set(request, image, "vm_mode", "exe");
}

int server_image_properties_fill(struct request *request, const struct server_row *row,
                                 const struct server_image_wish *wish, struct image_row *ret)
{
    struct pairs p = {.arena = &request->arena};
    struct image_row image = {.id = uuid_random(arena_alloc(&request->arena, UUID_SIZE)),
                              .project_id = request->credential.project_id,
                              .name = wish->name,
                              .visibility = "private",
                              .tags = "[]",
                              .created_us = request->now_us,
                              .updated_us = request->now_us};
    int rc = inherit(request, row, &p, &image);
    if (rc)
        return rc;
    put_origin(request, row, wish, &p);
    p.backup = wish->backup_type != NULL;
    json_in_each(wish->metadata, put_metadata, &p);
    image.properties = print(&p);
    *ret = image;
    return 0;
}

int server_image_properties_word(struct request *request, const struct server_row *row, const char *name,
                                 const char *fallback, const char **ret)
{
    const char *text = NULL;
    struct json_doc doc;
    int rc = store_server_image_properties(request->conn, row->id, &request->arena, &text, &request->error);
    *ret = fallback;
    rc = rc || text == NULL ? rc : json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc || text == NULL)
        return rc;
    const char *value = json_in_text(json_in_member(doc.root, name));
    if (value != NULL)
        *ret = arena_strdup(&request->arena, value);
    json_in_done(&doc);
    return 0;
}
