/* Images by name: see image_edit.h. The rules and sentences are those of glance/api/v2/images.py and its schema. */
#include "api/image/image_edit.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/utf8.h"
#include "common/uuid.h"
#include <string.h>

static const char *const container_formats[] = {"ami", "ari",    "aki",        "bare", "ovf",
                                                "ova", "docker", "compressed", NULL};
static const char *const disk_formats[] = {"ami",   "ari", "aki", "vhd",   "vhdx",     "vmdk",     "raw",
                                           "qcow2", "vdi", "iso", "ploop", "root-tar", "squashfs", NULL};
static const char *const visibilities[] = {"community", "public", "private", "shared", NULL};
static const char *const read_only[] = {"created_at",   "updated_at",    "status", "checksum", "size",
                                        "virtual_size", "direct_url",    "self",   "file",     "schema",
                                        "os_hash_algo", "os_hash_value", "stores", NULL};
static const char *const reserved[] = {"location", "deleted", "deleted_at", NULL};

static bool is_in(const char *const *list, const char *text)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

static int mismatch(struct image_edit *edit, const char *name, const char *reason)
{
    return error_set(&edit->request->error, ERR_INVALID, "Provided object does not match schema 'image': %s: %s",
                     reason, name);
}

/* ---- open, close ---- */

void image_edit_new(struct request *request, struct image_edit *ret)
{
    char id[UUID_SIZE];
    *ret = (struct image_edit){.request = request};
    ret->row = (struct image_row){
        .id = arena_strdup(&request->arena, uuid_random(id)),
        .project_id = request->credential.project_id[0] != 0
                          ? arena_strdup(&request->arena, request->credential.project_id)
                          : NULL,
        .status = "queued",
        .visibility = "shared",
        .properties = "{}",
        .tags = "[]",
        .created_us = request->now_us,
        .updated_us = request->now_us,
        .revision = 1,
    };
    ret->properties = arena_array(&request->arena, IMAGE_EDIT_PROPERTIES_MAX + 1, sizeof(*ret->properties));
    ret->tags = arena_array(&request->arena, IMAGE_EDIT_TAGS_MAX + 1, sizeof(*ret->tags));
}

static int open_property(void *arg, const char *name, json_value *value)
{
    struct image_edit *edit = arg;
    if (edit->property_count < IMAGE_EDIT_PROPERTIES_MAX)
        edit->properties[edit->property_count++] = (struct json_pair){
            arena_strdup(&edit->request->arena, name), arena_strdup(&edit->request->arena, json_in_text(value))};
    return 0;
}

int image_edit_open(struct request *request, const struct image_row *row, struct image_edit *ret)
{
    struct json_doc doc;
    image_edit_new(request, ret);
    ret->row = *row;
    ret->row.updated_us = request->now_us;
    int rc = json_in_parse(row->properties, strlen(row->properties), &doc, &request->error);
    if (rc != 0)
        return rc;
    json_in_each(doc.root, open_property, ret);
    json_in_done(&doc);
    rc = json_in_parse(row->tags, strlen(row->tags), &doc, &request->error);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < json_in_count(doc.root) && ret->tag_count < IMAGE_EDIT_TAGS_MAX; i++)
        ret->tags[ret->tag_count++] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    return 0;
}

void image_edit_close(struct image_edit *edit)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    for (size_t i = 0; i < edit->property_count; i++)
        json_out_text(&out, edit->properties[i].key, edit->properties[i].value);
    json_out_object_end(&out);
    edit->row.properties = arena_strdup(&edit->request->arena, text.data);
    strbuf_reset(&text);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < edit->tag_count; i++)
        json_out_text(&out, NULL, edit->tags[i]);
    json_out_array_end(&out);
    edit->row.tags = arena_strdup(&edit->request->arena, text.data);
    strbuf_done(&text);
}

/* ---- names ---- */

bool image_edit_is_base(const char *name)
{
    static const char *const base[] = {"name",        "visibility", "protected", "container_format",
                                       "disk_format", "min_disk",   "min_ram",   "tags",
                                       "owner",       "os_hidden",  "id",        NULL};
    return is_in(base, name) || is_in(read_only, name);
}

bool image_edit_has_property(const struct image_edit *edit, const char *name)
{
    for (size_t i = 0; i < edit->property_count; i++)
        if (strcmp(edit->properties[i].key, name) == 0)
            return true;
    return false;
}

int image_edit_check_name(struct request *request, const char *name)
{
    if (is_in(read_only, name))
        return error_set(&request->error, ERR_FORBIDDEN, "Attribute '%s' is read-only.", name);
    if (is_in(reserved, name) || strncmp(name, "os_glance", 9) == 0)
        return error_set(&request->error, ERR_FORBIDDEN, "Attribute '%s' is reserved.", name);
    if (strcmp(name, "locations") == 0)
        return error_set(&request->error, ERR_FORBIDDEN,
                         "It's not allowed to add locations if locations are invisible.");
    if (utf8_count(name, strlen(name)) > 255)
        return error_set(&request->error, ERR_INVALID, "Custom property should not be greater than 255 characters.");
    return 0;
}

/* ---- values ---- */

static int set_choice(struct image_edit *edit, const char *name, json_value *value, const char *const *choices,
                      bool nullable, const char **ret)
{
    const char *text = json_in_text(value);
    if (nullable && json_in_is_null(value)) {
        *ret = NULL;
        return 0;
    }
    if (text == NULL || !is_in(choices, text))
        return mismatch(edit, name,
                        arena_printf(&edit->request->arena, "'%s' is not one of the known values",
                                     text == NULL ? json_in_print(value, &edit->request->arena) : text));
    *ret = arena_strdup(&edit->request->arena, text);
    return 0;
}

static int set_text(struct image_edit *edit, const char *name, json_value *value, bool nullable, size_t most,
                    const char **ret)
{
    const char *text = json_in_text(value);
    if (nullable && json_in_is_null(value)) {
        *ret = NULL;
        return 0;
    }
    if (text == NULL)
        return mismatch(edit, name,
                        arena_printf(&edit->request->arena, "%s is not of type %s",
                                     json_in_print(value, &edit->request->arena),
                                     nullable ? "'null', 'string'" : "'string'"));
    if (utf8_count(text, strlen(text)) > most)
        return mismatch(edit, name, arena_printf(&edit->request->arena, "'%s' is too long", text));
    *ret = arena_strdup(&edit->request->arena, text);
    return 0;
}

static int set_number(struct image_edit *edit, const char *name, json_value *value, int64_t *ret)
{
    int64_t number = 0;
    if (json_in_is_text(value) || !json_in_int(value, &number))
        return mismatch(edit, name,
                        arena_printf(&edit->request->arena, "%s is not of type 'integer'",
                                     json_in_print(value, &edit->request->arena)));
    if (number < 0)
        return mismatch(edit, name,
                        arena_printf(&edit->request->arena, "%lld is less than the minimum of 0", (long long)number));
    if (number > INT32_MAX)
        return mismatch(
            edit, name,
            arena_printf(&edit->request->arena, "%lld is greater than the maximum of 2147483647", (long long)number));
    *ret = number;
    return 0;
}

static int set_flag(struct image_edit *edit, const char *name, json_value *value, bool *ret)
{
    if (json_in_is_text(value) || !json_in_bool(value, ret))
        return mismatch(edit, name,
                        arena_printf(&edit->request->arena, "%s is not of type 'boolean'",
                                     json_in_print(value, &edit->request->arena)));
    return 0;
}

int image_edit_add_tag(struct image_edit *edit, const char *tag)
{
    for (size_t i = 0; i < edit->tag_count; i++)
        if (strcmp(edit->tags[i], tag) == 0)
            return 0;
    if (utf8_count(tag, strlen(tag)) > 255)
        return mismatch(edit, "tags", arena_printf(&edit->request->arena, "'%s' is too long", tag));
    if (edit->tag_count == IMAGE_EDIT_TAGS_MAX)
        return error_set(&edit->request->error, ERR_TOO_LARGE,
                         "The limit has been exceeded on the number of allowed image tags. Attempted: %zu, Maximum: %d",
                         edit->tag_count + 1, IMAGE_EDIT_TAGS_MAX);
    edit->tags[edit->tag_count++] = arena_strdup(&edit->request->arena, tag);
    return 0;
}

bool image_edit_remove_tag(struct image_edit *edit, const char *tag)
{
    for (size_t i = 0; i < edit->tag_count; i++) {
        if (strcmp(edit->tags[i], tag) != 0)
            continue;
        memmove(&edit->tags[i], &edit->tags[i + 1], (edit->tag_count - i - 1) * sizeof(*edit->tags));
        edit->tag_count--;
        return true;
    }
    return false;
}

static int set_tags(struct image_edit *edit, json_value *value)
{
    int rc = 0;
    if (!json_in_is_array(value))
        return mismatch(edit, "tags",
                        arena_printf(&edit->request->arena, "%s is not of type 'array'",
                                     json_in_print(value, &edit->request->arena)));
    edit->tag_count = 0;
    for (size_t i = 0; i < json_in_count(value) && rc == 0; i++) {
        const char *tag = json_in_text(json_in_item(value, i));
        rc = tag != NULL ? image_edit_add_tag(edit, tag)
                         : mismatch(edit, "tags",
                                    arena_printf(&edit->request->arena, "%s is not of type 'string'",
                                                 json_in_print(json_in_item(value, i), &edit->request->arena)));
    }
    return rc;
}

static int set_property(struct image_edit *edit, const char *name, json_value *value)
{
    const char *text = NULL;
    int rc = image_edit_check_name(edit->request, name);
    if (rc == 0)
        rc = set_text(edit, name, value, false, 65535, &text);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < edit->property_count; i++) {
        if (strcmp(edit->properties[i].key, name) != 0)
            continue;
        edit->properties[i].value = text;
        return 0;
    }
    if (edit->property_count == IMAGE_EDIT_PROPERTIES_MAX)
        return error_set(&edit->request->error, ERR_TOO_LARGE,
                         "The limit has been exceeded on the number of allowed image properties. Attempted: %zu, "
                         "Maximum: %d",
                         edit->property_count + 1, IMAGE_EDIT_PROPERTIES_MAX);
    edit->properties[edit->property_count++] = (struct json_pair){arena_strdup(&edit->request->arena, name), text};
    return 0;
}

static int set_visibility(struct image_edit *edit, json_value *value)
{
    const char *before = edit->row.visibility;
    int rc = set_choice(edit, "visibility", value, visibilities, false, &edit->row.visibility);
    if (rc == 0 && strcmp(edit->row.visibility, "public") == 0 && strcmp(before, "public") != 0 &&
        !image_service_is_admin(edit->request))
        rc = image_service_forbid(edit->request, "publicize_image");
    return rc;
}

static int set_owner(struct image_edit *edit, json_value *value)
{
    const char *owner = NULL;
    int rc = set_text(edit, "owner", value, true, 255, &owner);
    bool same = owner != NULL && edit->row.project_id != NULL && strcmp(owner, edit->row.project_id) == 0;
    if (rc == 0 && !same && !image_service_is_admin(edit->request))
        rc = error_set(&edit->request->error, ERR_FORBIDDEN, "You are not permitted to create images owned by '%s'.",
                       owner == NULL ? "" : owner);
    if (rc == 0)
        edit->row.project_id = owner;
    return rc;
}

static int set_id(struct image_edit *edit, json_value *value)
{
    const char *text = json_in_text(value);
    if (text == NULL || strlen(text) != UUID_SIZE - 1 || !uuid_valid(text))
        return mismatch(edit, "id",
                        arena_printf(&edit->request->arena, "%s does not match a UUID",
                                     json_in_print(value, &edit->request->arena)));
    edit->row.id = arena_strdup(&edit->request->arena, text);
    return 0;
}

/* The format says how the bytes are read, so it is fixed once they are there. */
static int set_format(struct image_edit *edit, const char *name, json_value *value)
{
    bool disk = strcmp(name, "disk_format") == 0;
    const char **target = disk ? &edit->row.disk_format : &edit->row.container_format;
    if (strcmp(edit->row.status, "queued") != 0)
        return error_set(&edit->request->error, ERR_FORBIDDEN, "Attribute %s can be only replaced for a queued image.",
                         name);
    return set_choice(edit, name, value, disk ? disk_formats : container_formats, true, target);
}

int image_edit_set(struct image_edit *edit, const char *name, json_value *value)
{
    if (strcmp(name, "name") == 0)
        return set_text(edit, name, value, true, 255, &edit->row.name);
    if (strcmp(name, "visibility") == 0)
        return set_visibility(edit, value);
    if (strcmp(name, "protected") == 0)
        return set_flag(edit, name, value, &edit->row.protected);
    if (strcmp(name, "os_hidden") == 0)
        return set_flag(edit, name, value, &edit->row.hidden);
    if (strcmp(name, "container_format") == 0 || strcmp(name, "disk_format") == 0)
        return set_format(edit, name, value);
    if (strcmp(name, "min_disk") == 0)
        return set_number(edit, name, value, &edit->row.min_disk_gib);
    if (strcmp(name, "min_ram") == 0)
        return set_number(edit, name, value, &edit->row.min_ram_mib);
    if (strcmp(name, "tags") == 0)
        return set_tags(edit, value);
    if (strcmp(name, "owner") == 0)
        return set_owner(edit, value);
    if (strcmp(name, "id") == 0)
        return set_id(edit, value);
    return set_property(edit, name, value);
}

void image_edit_remove(struct image_edit *edit, const char *name)
{
    for (size_t i = 0; i < edit->property_count; i++) {
        if (strcmp(edit->properties[i].key, name) != 0)
            continue;
        memmove(&edit->properties[i], &edit->properties[i + 1],
                (edit->property_count - i - 1) * sizeof(*edit->properties));
        edit->property_count--;
        return;
    }
}
