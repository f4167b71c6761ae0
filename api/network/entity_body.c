/* Bodies of the network API: each member is judged by its attribute's row, in Neutron's words. */
#include "api/network/entity.h"
#include "common/json_in.h"
#include "common/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct request *request;
    const struct entity *entity;
    void *row;
    bool create;
    uint64_t seen;
};

static int read_bool(struct request *request, json_value *value, bool *ret)
{
    const char *text = json_in_text(value);
    int64_t number = 0;
    if (json_in_bool(value, ret))
        return 0;
    if (json_in_int(value, &number) && (number == 0 || number == 1)) {
        *ret = number == 1;
        return 0;
    }
    if (text != NULL && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0)) {
        *ret = true;
        return 0;
    }
    if (text != NULL && (strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0)) {
        *ret = false;
        return 0;
    }
    return entity_invalid(request, "'%s' cannot be converted to boolean", json_in_print(value, &request->arena));
}

static int read_int(struct request *request, const struct entity_attr *attr, json_value *value, int64_t *ret)
{
    const char *text = json_in_text(value);
    int64_t number = 0;
    if (text != NULL) {
        char *end = NULL;
        errno = 0;
        number = strtoll(text, &end, 10);
        if (text[0] == 0 || *end != 0 || errno != 0)
            return entity_invalid(request, "'%s' is not an integer", text);
    } else if (!json_in_int(value, &number)) {
        return entity_invalid(request, "'%s' is not an integer", json_in_print(value, &request->arena));
    }
    if (number < attr->min)
        return entity_refuse(request, "Invalid input for %s. Reason: '%lld' is too small - must be at least '%lld'.",
                             attr->name, (long long)number, (long long)attr->min);
    if (number > attr->max)
        return entity_refuse(request,
                             "Invalid input for %s. Reason: '%lld' is too large - must be no larger than '%lld'.",
                             attr->name, (long long)number, (long long)attr->max);
    *ret = number;
    return 0;
}

static int read_text(struct request *request, const struct entity_attr *attr, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    if (text == NULL)
        return entity_refuse(request, "Invalid input for %s. Reason: '%s' is not a valid string.", attr->name,
                             json_in_print(value, &request->arena));
    if (attr->max > 0 && utf8_count(text, strlen(text)) > (size_t)attr->max)
        return entity_refuse(request, "Invalid input for %s. Reason: '%s' exceeds maximum length of %lld.", attr->name,
                             text, (long long)attr->max);
    *ret = arena_strdup(&request->arena, text);
    return 0;
}

static int read_null(struct reading *r, const struct entity_attr *attr)
{
    if (attr->kind == ENTITY_TEXT || attr->kind == ENTITY_JSON)
        entity_set_text(r->row, attr->offset, NULL);
    else if (attr->known != 0 && attr->known != ENTITY_NONE)
        entity_set_bool(r->row, attr->known, false);
    return 0;
}

static int read_value(struct reading *r, const struct entity_attr *attr, json_value *value)
{
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;
    int rc = 0;
    if (json_in_is_null(value) && (attr->flags & ENTITY_NULLABLE) && attr->set == NULL)
        return read_null(r, attr);
    switch (attr->kind) {
    case ENTITY_BOOL:
        rc = read_bool(r->request, value, &flag);
        if (rc == 0)
            entity_set_bool(r->row, attr->offset, flag);
        return rc;
    case ENTITY_INT:
        rc = read_int(r->request, attr, value, &number);
        if (rc != 0)
            return rc;
        entity_set_int(r->row, attr->offset, number);
        if (attr->known != 0 && attr->known != ENTITY_NONE)
            entity_set_bool(r->row, attr->known, true);
        return 0;
    default:
        rc = attr->set != NULL ? attr->set(r->request, value, &text) : read_text(r->request, attr, value, &text);
        if (rc == 0 && attr->offset != ENTITY_NONE)
            entity_set_text(r->row, attr->offset, text);
        return rc;
    }
}

static int read_project(struct reading *r, json_value *value)
{
    const char *project = json_in_text(value);
    if (project == NULL)
        return entity_refuse(r->request, "Invalid input for tenant_id. Reason: '%s' is not a valid string.",
                             json_in_print(value, &r->request->arena));
    if (!entity_is_admin(r->request) && strcmp(project, r->request->credential.project_id) != 0)
        return entity_refuse(r->request, "Specifying 'project_id' or 'tenant_id' other than the authenticated project "
                                         "in request requires admin or advsvc privileges");
    entity_set_text(r->row, r->entity->project, arena_strdup(&r->request->arena, project));
    return 0;
}

/* Giving the default by name is nobody's privilege. */
static int check_privilege(struct reading *r, const struct entity_attr *attr, const char *before)
{
    if (!(attr->flags & ENTITY_ADMIN_SET) || entity_is_admin(r->request))
        return 0;
    const char *after = entity_view_text(r->request, attr, r->row);
    bool same = before == after || (before != NULL && after != NULL && strcmp(before, after) == 0);
    if (r->create && same)
        return 0;
    const char *verb = r->create ? "create" : "update";
    return entity_forbid(r->request, arena_printf(&r->request->arena, "(rule:%s_%s and rule:%s_%s:%s)", verb,
                                                  r->entity->name, verb, r->entity->name, attr->name));
}

static int read_member(void *arg, const char *name, json_value *value)
{
    struct reading *r = arg;
    size_t i = 0;
    while (i < r->entity->attr_count && strcmp(r->entity->attrs[i].name, name) != 0)
        i++;
    if (i == r->entity->attr_count)
        return entity_refuse(r->request, "Unrecognized attribute(s) '%s'", name);
    const struct entity_attr *attr = &r->entity->attrs[i];
    if (r->create && !(attr->flags & ENTITY_POST))
        return entity_refuse(r->request, "Attribute '%s' not allowed in POST", name);
    if (!r->create && !(attr->flags & ENTITY_PUT))
        return entity_refuse(r->request, "Cannot update read-only attribute %s", name);
    r->seen |= (uint64_t)1 << i;
    if (attr->flags & ENTITY_PROJECT)
        return read_project(r, value);
    const char *before = attr->flags & ENTITY_ADMIN_SET ? entity_view_text(r->request, attr, r->row) : NULL;
    int rc = read_value(r, attr, value);
    return rc != 0 ? rc : check_privilege(r, attr, before);
}

int entity_body_read(struct request *request, const struct entity *entity, json_value *body, bool create, void *row,
                     uint64_t *ret_seen)
{
    struct reading r = {.request = request, .entity = entity, .row = row, .create = create};
    json_value *tenant = json_in_member(body, "tenant_id"), *project = json_in_member(body, "project_id");
    if (tenant != NULL && project != NULL && json_in_text(tenant) != NULL && json_in_text(project) != NULL &&
        strcmp(json_in_text(tenant), json_in_text(project)) != 0)
        return entity_refuse(request, "'project_id' and 'tenant_id' do not match");
    int rc = json_in_each(body, read_member, &r);
    for (size_t i = 0; i < entity->attr_count && rc == 0 && create; i++)
        if ((entity->attrs[i].flags & ENTITY_REQUIRED) && !(r.seen >> i & 1U))
            rc = entity_refuse(request, "Failed to parse request. Required attribute '%s' not specified",
                               entity->attrs[i].name);
    if (rc == 0)
        *ret_seen = r.seen;
    return rc;
}

bool entity_seen(const struct entity *entity, uint64_t seen, const char *name)
{
    for (size_t i = 0; i < entity->attr_count; i++)
        if (strcmp(entity->attrs[i].name, name) == 0)
            return (seen >> i & 1U) != 0;
    return false;
}
