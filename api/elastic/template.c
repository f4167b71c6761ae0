/* Templates. The request that reads one is of the newest microversion, whoever made it. */
#include "api/elastic/template.h"
#include "api/compute/compute.h"
#include <string.h>

static int invalid(struct request *request, const char *text)
{
    return error_set(&request->error, ERR_INVALID, "template: %s", text);
}

/* What the group decides. */
static int check_free(struct request *request, const struct template *t)
{
    for (size_t i = 0; i < t->wish.request_count; i++)
        if (t->wish.requests[i].port_id != NULL || t->wish.requests[i].fixed_ip != NULL)
            return invalid(request, "members cannot share a port or a fixed address");
    if (t->wish.max_count > 1)
        return invalid(request, "the group decides how many servers there are: min_count and max_count are not for it");
    if (t->wish.zone != NULL)
        return invalid(request, "availability_zone is not for it: give the group its zones");
    if (t->wish.group_id != NULL)
        return invalid(request, "the hint group is not for it: give the group its spread");
    return 0;
}

int template_read(struct request *request, const char *text, struct template *ret)
{
    memset(ret, 0, sizeof(*ret));
    int rc = json_in_parse(text, strlen(text), &ret->doc, &request->error);
    if (rc)
        return rc;
    request->microversion = COMPUTE_VERSION_MAX;
    rc = json_in_read(ret->doc.root, &servers_document_table, &ret->document, &request->arena, &request->error);
    if (!rc)
        rc = servers_body_read(request, &ret->document, &ret->wish);
    if (!rc)
        rc = check_free(request, ret);
    if (rc)
        template_done(ret);
    return rc;
}

void template_done(struct template *t)
{
    json_in_done(&t->doc);
}

int template_check(struct request *request, json_value *value, const char **ret_text)
{
    struct servers_found found = {0};
    struct template t;
    const char *text = json_in_print(value, &request->arena);
    if (!json_in_is_object(value))
        return invalid(request, "it is the body of a server create, {\"server\": {...}}");
    int rc = template_read(request, text, &t);
    if (rc)
        return rc;
    rc = servers_create_look_up(request, &t.wish, &found);
    if (!rc)
        rc = servers_create_find_network(request, &t.wish);
    template_done(&t);
    if (!rc)
        *ret_text = text;
    return rc;
}
