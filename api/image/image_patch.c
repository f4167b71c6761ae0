/* JSON patch as Glance reads it: paths of one segment, "~0" and "~1" escapes, three operations. The older media type
 * (draft 4) has the operation as the member's name and refuses to add what is there. */
#include "api/image/image_patch.h"
#include "common/json_in.h"
#include <ctype.h>
#include <string.h>

#define OPERATIONS "add, remove, replace"

enum draft { DRAFT_NONE, DRAFT_4, DRAFT_10 };
struct change {
    const char *op, *name;
    json_value *value;
    enum draft draft;
};

static enum draft read_draft(struct request *request)
{
    const char *type = request_header(request, "Content-Type");
    size_t length = type == NULL ? 0 : strcspn(type, "; ");
    static const char draft4[] = "application/openstack-images-v2.0-json-patch";
    static const char draft10[] = "application/openstack-images-v2.1-json-patch";
    if (length == sizeof(draft4) - 1 && strncmp(type, draft4, length) == 0)
        return DRAFT_4;
    if (length == sizeof(draft10) - 1 && strncmp(type, draft10, length) == 0)
        return DRAFT_10;
    return DRAFT_NONE;
}

static int refuse(struct request *request, const char *sentence)
{
    return error_set(&request->error, ERR_INVALID, "%s", sentence);
}

static int read_operation(struct request *request, json_value *raw, struct change *ret, const char **ret_path)
{
    static const char *const known[] = {"add", "remove", "replace"};
    const char *found = NULL;
    for (size_t i = 0; i < 3; i++) {
        const char *op = json_in_text(json_in_member(raw, "op"));
        bool is_it = ret->draft == DRAFT_4 ? json_in_has(raw, known[i]) : op != NULL && strcmp(op, known[i]) == 0;
        if (is_it && found != NULL)
            return refuse(request, "Operation objects must contain only one member named \"add\", \"remove\", or "
                                   "\"replace\".");
        if (is_it)
            found = known[i];
    }
    if (found == NULL && ret->draft == DRAFT_4)
        return refuse(request, "Operation objects must contain exactly one member named \"add\", \"remove\", or "
                               "\"replace\".");
    if (found == NULL && !json_in_has(raw, "op"))
        return refuse(request,
                      "Unable to find `op` in JSON Schema change. It must be one of the following: " OPERATIONS ".");
    if (found == NULL)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid operation: `%s`. It must be one of the following: " OPERATIONS ".",
                         json_in_print(json_in_member(raw, "op"), &request->arena));
    ret->op = found;
    *ret_path = json_in_text(json_in_member(raw, ret->draft == DRAFT_4 ? found : "path"));
    return *ret_path != NULL ? 0 : refuse(request, "Unable to find 'path' in JSON Schema change");
}

/* "/os~1name" is the property "os/name". */
static int decode_pointer(struct request *request, const char *pointer, const char **ret)
{
    char *name = arena_strdup(&request->arena, pointer), *to = name;
    if (pointer[0] != '/')
        return error_set(&request->error, ERR_INVALID, "Pointer `%s` does not start with \"/\".", pointer);
    if (pointer[1] == 0 || pointer[strlen(pointer) - 1] == '/')
        return error_set(&request->error, ERR_INVALID, "Pointer `%s` end with \"/\".", pointer);
    for (const char *at = pointer + 1; *at != 0; at++) {
        if (*at == '/')
            return error_set(&request->error, ERR_INVALID, "Invalid JSON pointer for this resource: '%s'", pointer);
        if (*at != '~') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at != '0' && *at != '1')
            return error_set(&request->error, ERR_INVALID,
                             "Pointer `%s` contains \"~\" not part of a recognized escape sequence.", pointer);
        *to++ = *at == '0' ? '~' : '/';
    }
    *to = 0;
    while (isspace((unsigned char)*name))
        name++;
    *ret = name;
    return 0;
}

static int read_change(struct request *request, json_value *raw, struct change *ret)
{
    const char *path = NULL;
    if (!json_in_is_object(raw))
        return refuse(request, "Operations must be JSON objects.");
    int rc = read_operation(request, raw, ret, &path);
    if (rc == 0)
        rc = decode_pointer(request, path, &ret->name);
    if (rc == 0 && strcmp(ret->op, "remove") != 0 && !json_in_has(raw, "value"))
        rc = error_set(&request->error, ERR_INVALID, "Operation \"%s\" requires a member named \"value\".", ret->op);
    if (rc == 0)
        ret->value = json_in_member(raw, "value");
    return rc;
}

static int apply(struct image_edit *edit, const struct change *change)
{
    struct error *e = &edit->request->error;
    bool base = image_edit_is_base(change->name), there = image_edit_has_property(edit, change->name);
    int rc = strcmp(change->name, "id") == 0 ? error_set(e, ERR_FORBIDDEN, "Attribute 'id' is read-only.")
                                             : image_edit_check_name(edit->request, change->name);
    if (rc != 0)
        return rc;
    if (strcmp(change->op, "remove") == 0) {
        if (base)
            return error_set(e, ERR_FORBIDDEN, "Property %s may not be removed.", change->name);
        if (!there)
            return error_set(e, ERR_CONFLICT, "Property %s does not exist.", change->name);
        image_edit_remove(edit, change->name);
        return 0;
    }
    if (strcmp(change->op, "replace") == 0 && !base && !there)
        return error_set(e, ERR_CONFLICT, "Property %s does not exist.", change->name);
    if (strcmp(change->op, "add") == 0 && change->draft == DRAFT_4 && (base || there))
        return error_set(e, ERR_CONFLICT, "Property %s already present.", change->name);
    if (strcmp(change->name, "owner") == 0 && !image_service_is_admin(edit->request))
        return error_set(e, ERR_FORBIDDEN, "Owner can't be updated by non admin.");
    return image_edit_set(edit, change->name, change->value);
}

int image_patch_apply(struct request *request, struct reply *reply, struct image_edit *edit)
{
    struct change change = {.draft = read_draft(request)};
    int rc = 0;
    if (change.draft == DRAFT_NONE) {
        reply_header(reply, "Accept-Patch",
                     "application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch");
        return error_set(&request->error, ERR_MEDIA_TYPE, "The server does not support the media type of the request.");
    }
    if (!json_in_is_array(request->json))
        return refuse(request, "Request body must be a JSON array of operation objects.");
    for (size_t i = 0; i < json_in_count(request->json) && rc == 0; i++) {
        rc = read_change(request, json_in_item(request->json, i), &change);
        if (rc == 0)
            rc = apply(edit, &change);
    }
    return rc;
}
