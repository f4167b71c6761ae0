/* Projects and domains as JSON. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_project.h"

enum project_view {
    PROJECT_VIEW_PROJECT,
    PROJECT_VIEW_UPDATED, /* a project after PATCH: Keystone then repeats the unforeseen attributes under "extra" */
    PROJECT_VIEW_DOMAIN,
};
/* An object under `key` (NULL in an array). */
void project_view_put(struct request *request, struct reply *reply, const char *key, const struct project_row *row,
                      enum project_view view);
/* Leaves the object open for further members. */
void project_view_open(struct request *request, struct reply *reply, const char *key, const struct project_row *row,
                       enum project_view view);
