/* Projects with their parents and children, their tags as filters, and their ends. */
#include "api/identity/project_tree.h"
#include "api/identity/project_view.h"
#include "api/identity/token.h"
#include "db/store_domain.h"
#include <string.h>

#define DEPTH_MAX 5 /* projects in a line below a domain, as Keystone's default */

struct node {
    struct project_row row;
    struct node *next;
};
struct chain {
    struct arena *arena;
    struct node *first, **last;
    size_t count;
};

static int keep(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    struct chain *chain = arg;
    struct arena *a = chain->arena;
    struct node *node = arena_alloc(a, sizeof(*node));
    node->row = (struct project_row){.id = arena_strdup(a, row->id),
                                     .domain_id = arena_strdup(a, row->domain_id),
                                     .parent_id = arena_strdup(a, row->parent_id),
                                     .is_domain = row->is_domain,
                                     .enabled = row->enabled,
                                     .name = arena_strdup(a, row->name),
                                     .description = arena_strdup(a, row->description),
                                     .tags = arena_strdup(a, row->tags),
                                     .options = arena_strdup(a, row->options),
                                     .extra = arena_strdup(a, row->extra),
                                     .created_us = row->created_us};
    *chain->last = node;
    chain->last = &node->next;
    chain->count++;
    return 0;
}

static int gather(struct request *request, const char *id, bool up, struct chain *ret)
{
    *ret = (struct chain){.arena = &request->arena};
    ret->last = &ret->first;
    return (up ? store_project_each_above : store_project_each_below)(request->conn, id, keep, ret, &request->error);
}

int project_tree_check_depth(struct request *request, const char *parent_id)
{
    struct chain above;
    int rc = gather(request, parent_id, true, &above);
    if (!rc && above.count + 1 > DEPTH_MAX)
        rc = error_set(&request->error, ERR_FORBIDDEN, "Max hierarchy depth reached for %s branch.", parent_id);
    return rc;
}

static bool asked(struct request *request, const char *name)
{
    const char *value = request_query(request, name);
    return value && strcmp(value, "0") != 0;
}

static bool contains(const struct chain *chain, const char *id)
{
    for (const struct node *node = chain->first; node; node = node->next)
        if (strcmp(node->row.id, id) == 0)
            return true;
    return false;
}

/* As lists Keystone shows only those on which the caller has a role. */
static int put_list(struct request *request, struct reply *reply, const char *key, const struct chain *chain)
{
    struct chain mine = {.arena = &request->arena};
    mine.last = &mine.first;
    int rc = store_project_each_of_user(request->conn, request->credential.user_id, keep, &mine, &request->error);
    if (rc)
        return rc;
    json_out_array(&reply->out, key);
    for (const struct node *node = chain->first; node; node = node->next) {
        if (!contains(&mine, node->row.id))
            continue;
        json_out_object(&reply->out, NULL);
        project_view_put(request, reply, "project", &node->row, PROJECT_VIEW_PROJECT);
        json_out_object_end(&reply->out);
    }
    json_out_array_end(&reply->out);
    return 0;
}

static void put_parents(struct json_out *o, const struct node *node, const char *key)
{
    if (!node) {
        json_out_null(o, key);
        return;
    }
    json_out_object(o, key);
    put_parents(o, node->next, node->row.id);
    json_out_object_end(o);
}

static void put_children(struct json_out *o, const struct chain *all, const char *id, const char *key)
{
    bool any = false;
    for (const struct node *node = all->first; node; node = node->next)
        if (node->row.parent_id && strcmp(node->row.parent_id, id) == 0) {
            if (!any)
                json_out_object(o, key);
            any = true;
            put_children(o, all, node->row.id, node->row.id);
        }
    if (any)
        json_out_object_end(o);
    else
        json_out_null(o, key);
}

int project_tree_show(struct request *request, struct reply *reply, const struct project_row *row)
{
    bool parents_list = asked(request, "parents_as_list"), parents_ids = asked(request, "parents_as_ids");
    bool subtree_list = asked(request, "subtree_as_list"), subtree_ids = asked(request, "subtree_as_ids");
    struct chain above = {0}, below = {0};
    int rc = 0;
    if ((parents_list && parents_ids) || (subtree_list && subtree_ids))
        return error_set(
            &request->error, ERR_INVALID, "Cannot use %s_as_list and %s_as_ids query params at the same time.",
            parents_list && parents_ids ? "parents" : "subtree", parents_list && parents_ids ? "parents" : "subtree");
    if (parents_list || parents_ids)
        rc = gather(request, row->id, true, &above);
    if (!rc && (subtree_list || subtree_ids))
        rc = gather(request, row->id, false, &below);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    project_view_open(request, reply, "project", row, PROJECT_VIEW_PROJECT);
    if (parents_list)
        rc = put_list(request, reply, "parents", &above);
    else if (parents_ids)
        put_parents(&reply->out, above.first, "parents");
    if (!rc && subtree_list)
        rc = put_list(request, reply, "subtree", &below);
    else if (subtree_ids)
        put_children(&reply->out, &below, row->id, "subtree");
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

/* ---- tags as filters ---- */

static const struct {
    const char *name;
    bool all, negate;
} tag_filters[] = {
    {"tags", true, false}, {"tags-any", false, false}, {"not-tags", true, true}, {"not-tags-any", false, true}};

bool project_tree_has_tag_filter(struct request *request)
{
    for (size_t i = 0; i < JSON_COUNT(tag_filters); i++)
        if (request_query(request, tag_filters[i].name))
            return true;
    return false;
}

static bool has_tag(json_value *tags, const char *wanted, size_t size)
{
    for (size_t i = 0; i < json_in_count(tags); i++) {
        const char *tag = json_in_text(json_in_item(tags, i));
        if (tag && strlen(tag) == size && memcmp(tag, wanted, size) == 0)
            return true;
    }
    return false;
}

static bool tags_fit(json_value *tags, const char *wanted, bool all)
{
    bool every = true, any = false;
    while (*wanted) {
        size_t size = strcspn(wanted, ",");
        bool has = has_tag(tags, wanted, size);
        every = every && has;
        any = any || has;
        wanted += size + (wanted[size] == ',');
    }
    return all ? every : any;
}

bool project_tree_tags_match(struct request *request, const char *tags)
{
    struct json_doc doc;
    bool match = true;
    if (!project_tree_has_tag_filter(request))
        return true;
    if (json_in_parse(tags, strlen(tags), &doc, NULL))
        return false;
    for (size_t i = 0; i < JSON_COUNT(tag_filters); i++) {
        const char *wanted = request_query(request, tag_filters[i].name);
        if (wanted)
            match = match && tags_fit(doc.root, wanted, tag_filters[i].all) != tag_filters[i].negate;
    }
    json_in_done(&doc);
    return match;
}

size_t project_tree_drop_tag_filters(struct list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->filter_count; i++)
        if (strcmp(list->filters[i].name, "tags") != 0)
            list->filters[kept++] = list->filters[i];
    return kept;
}

/* ---- ends ---- */

int project_tree_delete_leaf(struct request *request, const struct project_row *row)
{
    struct chain below;
    int rc = gather(request, row->id, false, &below);
    if (!rc && below.count)
        rc = error_set(&request->error, ERR_FORBIDDEN,
                       "Cannot delete the project %s since it is not a leaf in the hierarchy. Use the cascade option "
                       "if you want to "
                       "delete a whole subtree.",
                       row->id);
    if (!rc)
        rc = store_project_delete(request->conn, row->id, &request->error);
    if (!rc)
        rc = token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_PROJECT, row->id, "", &request->error);
    return rc;
}

int project_tree_delete_domain(struct request *request, const struct project_row *row)
{
    if (strcmp(row->id, "default") == 0)
        return error_set(&request->error, ERR_FORBIDDEN, "Cannot delete the default domain.");
    if (row->enabled)
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Cannot delete a domain that is enabled, please disable it first.");
    int rc = store_domain_delete(request->conn, row->id, &request->error);
    if (!rc)
        rc = token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_DOMAIN, row->id, "", &request->error);
    return rc;
}
