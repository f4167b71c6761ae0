/* createImage and createBackup: what their bodies say, Nova's refusals, and the rows that make the host go. */
#include "api/compute/server_image_actions.h"
#include "api/compute/server_image.h"
#include "api/compute/server_image_properties.h"
#include "api/compute/servers_body.h"
#include "common/json_in.h"
#include "common/model/machine.h"
#include "common/uuid.h"
#include "db/store_operation.h"
#include <stdlib.h>
#include <string.h>

struct order {
    struct server_image_wish wish;
    int64_t rotation;
    enum server_action action;
    enum server_operation shown;
};

static int bad(struct request *request, const char *field, const char *what)
{
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. %s", field, what);
}

/* nova/api/openstack/compute/schemas: 1 to 255 of letters, digits and "-_:. ". */
static bool is_key(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= 255 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:. ") == length;
}

static int check_pair(void *arg, const char *name, json_value *value)
{
    struct request *request = arg;
    const char *text = json_in_is_text(value) ? json_in_text(value) : NULL;
    if (!is_key(name))
        return bad(request, "metadata", "Its names have 1 to 255 letters, digits and -_:. and blank");
    if (text == NULL || strlen(text) > 255)
        return bad(request, name, "It is a text of at most 255 characters");
    return 0;
}

static int read_common(struct request *request, json_value *value, const char *action, size_t most,
                       struct server_image_wish *ret)
{
    json_value *metadata = json_in_member(value, "metadata");
    size_t known = (json_in_has(value, "name") ? 1u : 0u) + (json_in_has(value, "metadata") ? 1u : 0u) + most;
    ret->name = json_in_text(json_in_member(value, "name"));
    if (!json_in_is_object(value) || !json_in_is_text(json_in_member(value, "name")))
        return bad(request, action, "'name' is a required property");
    if (json_in_count(value) != known)
        return bad(request, action, "Additional properties are not allowed");
    int rc = compute_check_name(request, "name", ret->name);
    if (rc || !json_in_has(value, "metadata"))
        return rc;
    if (!json_in_is_object(metadata))
        return bad(request, "metadata", "It is an object of texts");
    if (json_in_count(metadata) > SERVERS_METADATA_MAX)
        return error_set(&request->error, ERR_QUOTA, "Image metadata limit exceeded");
    ret->metadata = metadata;
    return json_in_each(metadata, check_pair, request);
}

static int begin(struct request *request, struct server_row *row, const struct order *o, const char **ret_id)
{
    struct image_row image;
    struct operation_row operation = {
        .id = uuid_ordered(arena_alloc(&request->arena, UUID_SIZE)),
        .server_id = row->id,
        .project_id = request->credential.project_id,
        .user_id = request->credential.user_id,
        .request_id = request->id,
        .action = operation_name(operation_of_action(o->action)),
        .started_us = request->now_us,
    };
    int rc = server_image_properties_fill(request, row, &o->wish, &image);
    if (rc)
        return rc;
    image.status = "queued";
    struct server_image_row making = {.image_id = image.id,
                                      .server_id = row->id,
                                      .operation_id = operation.id,
                                      .host_id = row->host_id,
                                      .backup_type = o->wish.backup_type,
                                      .rotation = o->rotation};
    row->operation = o->shown;
    row->operation_id = operation.id;
    rc = store_operation_insert(request->conn, &operation, false, &request->error);
    *ret_id = image.id;
    return rc ? rc : server_image_begin(request->conn, row, &image, &making, &request->error);
}

/* Whoever insists on file systems at rest must have somebody who brings them there. */
static int check_quiesce(struct request *request, const struct server_row *row)
{
    const char *quiesce, *agent;
    if (row->observed_state != SERVER_STATE_RUNNING && row->observed_state != SERVER_STATE_PAUSED)
        return 0;
    int rc = server_image_properties_word(request, row, "os_require_quiesce", "", &quiesce);
    rc = rc ? rc : server_image_properties_word(request, row, "hw_qemu_guest_agent", "", &agent);
    if (!rc && machine_word_is_on(quiesce) && !machine_word_is_on(agent))
        rc = error_set(&request->error, ERR_CONFLICT,
                       "The image of instance %s says os_require_quiesce, but QEMU guest agent is not enabled "
                       "(hw_qemu_guest_agent of the image): its file systems cannot be frozen",
                       row->id);
    return rc;
}

static int run(struct request *request, struct reply *reply, struct server_row *row, const struct order *o)
{
    struct server_situation s = store_server_situation(row);
    const char *value = "", *what = server_refusal(&s, o->action, &value), *id = NULL;
    if (what != NULL)
        return error_set(&request->error, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s",
                         server_action_name(o->action), row->id, what, value);
    if (request->credential.project_id[0] == '\0')
        return error_set(&request->error, ERR_FORBIDDEN, "An image is made in a project: the token has none");
    int rc = check_quiesce(request, row);
    rc = rc ? rc : begin(request, row, o, &id);
    if (rc)
        return rc;
    if (compute_since(request, 45)) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "image_id", id);
        json_out_object_end(&reply->out);
    } else if (o->wish.backup_type == NULL || o->rotation > 0) {
        reply_header(reply, "Location",
                     arena_printf(&request->arena, "%s/image/v2/images/%s", request_base_url(request), id));
    }
    return 0;
}

int server_image_actions_create(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct order o = {.wish = {.type = "snapshot"},
                      .rotation = -1,
                      .action = SERVER_ACTION_CREATE_IMAGE,
                      .shown = SERVER_OPERATION_IMAGE_SNAPSHOT};
    int rc = read_common(request, value, "createImage", 0, &o.wish);
    return rc ? rc : run(request, reply, row, &o);
}

/* A number of at least 0, also as text. */
static bool read_rotation(json_value *value, int64_t *ret)
{
    const char *text = json_in_is_text(value) ? json_in_text(value) : NULL;
    char *end = NULL;
    if (text == NULL)
        return json_in_int(value, ret) && *ret >= 0;
    *ret = strtoll(text, &end, 10);
    return strspn(text, "0123456789") == strlen(text) && *text != '\0' && *ret >= 0;
}

int server_image_actions_back_up(struct request *request, struct reply *reply, struct server_row *row,
                                 json_value *value)
{
    struct order o = {
        .wish = {.type = "backup"}, .action = SERVER_ACTION_CREATE_BACKUP, .shown = SERVER_OPERATION_IMAGE_BACKUP};
    json_value *type = json_in_member(value, "backup_type");
    if (!json_in_is_text(type) || !json_in_has(value, "rotation"))
        return bad(request, "createBackup", "'backup_type' and 'rotation' are required properties");
    if (!read_rotation(json_in_member(value, "rotation"), &o.rotation))
        return bad(request, "rotation", "It is a number of at least 0");
    o.wish.backup_type = json_in_text(type);
    int rc = read_common(request, value, "createBackup", 2, &o.wish);
    rc = rc ? rc : compute_check_text(request, "backup_type", o.wish.backup_type);
    return rc ? rc : run(request, reply, row, &o);
}
