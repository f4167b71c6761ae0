/* What creating and changing projects and domains have in common. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_project.h"

struct project_body {
    const char *name, *domain_id, *parent_id, *description;
    bool enabled, is_domain;
    struct json_list tags;
    json_value *options;
    struct json_seen seen;
};
enum {
    PROJECT_NAME,
    PROJECT_DOMAIN_ID,
    PROJECT_PARENT_ID,
    PROJECT_DESCRIPTION,
    PROJECT_ENABLED,
    PROJECT_IS_DOMAIN,
    PROJECT_TAGS,
    PROJECT_OPTIONS
};
extern const struct json_table project_create_table, project_update_table;
/* Whether the body names the field, be it with null. */
bool project_edit_has(const struct project_body *body, int field);

/* A row from the body, still without id, domain and parent. */
int project_edit_start(struct request *request, struct project_row *ret);
/* Writes a new row; 409 with Keystone's sentence for a name that is taken. */
int project_edit_insert(struct request *request, const struct project_row *row);
/* Changes `row` by the body and writes it: immutability, enabling and disabling with their conditions, revocation of
 * tokens. */
int project_edit_update(struct request *request, struct project_row *row);
/* 403 when an option says that it must not be changed. */
int project_edit_check_mutable(struct request *request, const struct project_row *row, const char *verb);
/* 400 unless every tag has 1 to 255 characters without comma and slash, and there are at most 80. */
int project_edit_check_tags(struct request *request, const struct json_list *tags);
