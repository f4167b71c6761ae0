/* What creating and changing projects and domains have in common. */
#include "api/identity/project_edit.h"
#include "api/identity/attributes.h"
#include "api/identity/token.h"
#include <string.h>

#define FIELD(member) .offset = offsetof(struct project_body, member)
#define TAGS_MAX      80

#define FIELDS(name_flags)                                                                                             \
    {                                                                                                                  \
        [PROJECT_NAME] = {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = name_flags, .min = 1, .max = 64},   \
        [PROJECT_DOMAIN_ID] =                                                                                          \
            {.name = "domain_id", .kind = JSON_TEXT, FIELD(domain_id), .flags = JSON_NULLABLE, .min = 1, .max = 64},   \
        [PROJECT_PARENT_ID] =                                                                                          \
            {.name = "parent_id", .kind = JSON_TEXT, FIELD(parent_id), .flags = JSON_NULLABLE, .min = 1, .max = 64},   \
        [PROJECT_DESCRIPTION] = {.name = "description",                                                                \
                                 .kind = JSON_TEXT,                                                                    \
                                 FIELD(description),                                                                   \
                                 .flags = JSON_NULLABLE},                                                              \
        [PROJECT_ENABLED] = {.name = "enabled", .kind = JSON_BOOL, FIELD(enabled)},                                    \
        [PROJECT_IS_DOMAIN] = {.name = "is_domain", .kind = JSON_BOOL, FIELD(is_domain)},                              \
        [PROJECT_TAGS] = {.name = "tags", .kind = JSON_TEXTS, FIELD(tags)},                                            \
        [PROJECT_OPTIONS] = {.name = "options", .kind = JSON_ANY, FIELD(options)},                                     \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
const struct json_table project_create_table = {.fields = create_fields,
                                                .count = JSON_COUNT(create_fields),
                                                .open = true,
                                                .seen_offset = offsetof(struct project_body, seen)};
const struct json_table project_update_table = {.fields = update_fields,
                                                .count = JSON_COUNT(update_fields),
                                                .open = true,
                                                .seen_offset = offsetof(struct project_body, seen)};

static const char *const known[] = {"id",        "name", "domain_id", "parent_id", "description", "enabled",
                                    "is_domain", "tags", "options",   "links",     "extra",       NULL};

bool project_edit_has(const struct project_body *body, int field)
{
    return body->seen.present & (uint64_t)1 << field;
}

/* The object that the body is, for attributes that no table names. */
static json_value *members(struct request *request)
{
    return json_in_member(request->json, request->route->member);
}

int project_edit_check_tags(struct request *request, const struct json_list *tags)
{
    const char *const *texts = tags->items;
    if (tags->count > TAGS_MAX)
        return identity_invalid(request, "tags", "more than %d tags", TAGS_MAX);
    for (size_t i = 0; i < tags->count; i++) {
        size_t size = strlen(texts[i]);
        if (size < 1 || size > 255 || strpbrk(texts[i], ",/"))
            return identity_invalid(request, "tags", "'%.255s' does not match '^[^,/]*$' with 1 to 255 characters",
                                    texts[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(texts[i], texts[k]) == 0)
                return identity_invalid(request, "tags", "'%s' is there twice", texts[i]);
    }
    return 0;
}

static int check_body(struct request *request)
{
    const struct project_body *body = request->body;
    int rc = body->name ? identity_check_name(request, body->name) : 0;
    if (!rc && project_edit_has(body, PROJECT_TAGS))
        rc = project_edit_check_tags(request, &body->tags);
    if (!rc && project_edit_has(body, PROJECT_OPTIONS) && !json_in_is_object(body->options))
        rc = identity_invalid(request, "options", "it is not an object");
    return rc;
}

static const char *trimmed(struct request *request, const char *name)
{
    static const char white[] = " \t\r\n\f\v";
    name += strspn(name, white);
    size_t size = strlen(name);
    while (size && strchr(white, name[size - 1]))
        size--;
    return arena_strndup(&request->arena, name, size);
}

int project_edit_start(struct request *request, struct project_row *ret)
{
    const struct project_body *body = request->body;
    int rc = check_body(request);
    if (rc)
        return rc;
    *ret = (struct project_row){
        .id = identity_id(request),
        .is_domain = body->is_domain,
        .enabled = project_edit_has(body, PROJECT_ENABLED) ? body->enabled : true,
        .name = trimmed(request, body->name),
        .description = body->description ? body->description : "",
        .tags = attributes_tags(request, &body->tags),
        .options = attributes_update(request, NULL, body->options),
        .extra = attributes_merge(request, NULL, members(request), known),
        .created_us = request->now_us,
    };
    return 0;
}

/* 409 when another one in the domain has the name. */
static int check_name_free(struct request *request, const struct project_row *row)
{
    struct project_row other;
    int rc = store_project_find(request->conn, row->domain_id, row->name, &request->arena, &other, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && strcmp(other.id, row->id) == 0))
        return 0;
    if (rc)
        return rc;
    if (row->is_domain)
        return identity_conflict(request, "project",
                                 "it is not permitted to have two projects acting as domains with the same name: %s",
                                 row->name);
    return identity_conflict(
        request, "project",
        "it is not permitted to have two projects with either the same name or same id in the same domain: name "
        "is %s, project id %s",
        row->name, row->id);
}

int project_edit_insert(struct request *request, const struct project_row *row)
{
    int rc = check_name_free(request, row);
    return rc ? rc : store_project_insert(request->conn, row, &request->error);
}

int project_edit_check_mutable(struct request *request, const struct project_row *row, const char *verb)
{
    if (!attributes_flag(row->options, "immutable"))
        return 0;
    return error_set(&request->error, ERR_FORBIDDEN,
                     "Unable to %s immutable %s resource: `%s. Set resource option \"immutable\" to false first.", verb,
                     row->is_domain ? "domain" : "project", row->id);
}

static int check_unchanged(struct request *request, const struct project_row *row)
{
    const struct project_body *body = request->body;
    const char *id = json_in_text(json_in_member(members(request), "id"));
    bool immutable_off = false;
    if (id && strcmp(id, row->id) != 0)
        return error_set(&request->error, ERR_INVALID, "Cannot change ID");
    if (body->domain_id && strcmp(body->domain_id, row->is_domain ? row->id : row->domain_id) != 0)
        return error_set(&request->error, ERR_INVALID, "Cannot change Domain ID");
    if (body->parent_id && (!row->parent_id || strcmp(body->parent_id, row->parent_id) != 0))
        return error_set(&request->error, ERR_FORBIDDEN, "Update of `parent_id` is not allowed.");
    if (project_edit_has(body, PROJECT_IS_DOMAIN) && body->is_domain != row->is_domain)
        return error_set(&request->error, ERR_INVALID, "Update of `is_domain` is not allowed.");
    if (json_in_bool(json_in_member(body->options, "immutable"), &immutable_off) && !immutable_off)
        return 0;
    return project_edit_check_mutable(request, row, "update");
}

static int count_enabled(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    *(size_t *)arg += row->enabled;
    return 0;
}

static int count_disabled(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    *(size_t *)arg += !row->enabled;
    return 0;
}

static int enable(struct request *request, const struct project_row *row)
{
    size_t disabled = 0;
    int rc = store_project_each_above(request->conn, row->id, count_disabled, &disabled, &request->error);
    if (!rc && disabled)
        rc = error_set(&request->error, ERR_FORBIDDEN, "Cannot enable project %s since it has disabled parents",
                       row->id);
    return rc;
}

static int disable(struct request *request, const struct project_row *row)
{
    size_t enabled = 0;
    int rc =
        row->is_domain ? 0 : store_project_each_below(request->conn, row->id, count_enabled, &enabled, &request->error);
    if (!rc && enabled)
        rc = error_set(&request->error, ERR_FORBIDDEN,
                       "Cannot disable project %s since its subtree contains enabled projects.", row->id);
    if (rc)
        return rc;
    return token_revoke(request->api->tokens, request->conn,
                        row->is_domain ? TOKEN_REVOKE_DOMAIN : TOKEN_REVOKE_PROJECT, row->id, "", &request->error);
}

int project_edit_update(struct request *request, struct project_row *row)
{
    const struct project_body *body = request->body;
    int rc = check_body(request);
    if (!rc)
        rc = check_unchanged(request, row);
    if (!rc && project_edit_has(body, PROJECT_ENABLED) && body->enabled != row->enabled) {
        rc = body->enabled ? enable(request, row) : disable(request, row);
        row->enabled = body->enabled;
    }
    if (rc)
        return rc;
    if (body->name)
        row->name = trimmed(request, body->name);
    if (project_edit_has(body, PROJECT_DESCRIPTION))
        row->description = body->description ? body->description : "";
    if (project_edit_has(body, PROJECT_TAGS))
        row->tags = attributes_tags(request, &body->tags);
    row->options = attributes_update(request, row->options, body->options);
    row->extra = attributes_merge(request, row->extra, members(request), known);
    rc = check_name_free(request, row);
    return rc ? rc : store_project_update(request->conn, row, &request->error);
}
