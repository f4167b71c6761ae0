/* Projects with their parents and children, their tags as filters, and their ends. */
#pragma once
#include "api/identity/list.h"
#include "db/store_project.h"

/* {"project": ...} with what ?parents_as_list, parents_as_ids, subtree_as_list, subtree_as_ids ask for. */
int project_tree_show(struct request *request, struct reply *reply, const struct project_row *row);
/* 403 when a child of `parent_id` would lie too deep. */
int project_tree_check_depth(struct request *request, const char *parent_id);

/* ?tags, tags-any, not-tags, not-tags-any: comma-separated. */
bool project_tree_has_tag_filter(struct request *request);
bool project_tree_tags_match(struct request *request, const char *tags);
/* Takes "tags" out of the list's own filters, as its value is a set; returns their new count. */
size_t project_tree_drop_tag_filters(struct list *list);

/* Deletes a project that has no children (else 403), or a disabled domain with all that is in it (403 while it is
 * enabled, or for the default one). Tokens are void. */
int project_tree_delete_leaf(struct request *request, const struct project_row *row);
int project_tree_delete_domain(struct request *request, const struct project_row *row);
