/* Extra specs of flavors: free keys with text, which placement and hosts read. */
#include "api/compute/compute.h"
#include "api/compute/flavors.h"
#include "common/model/numa_wish.h"
#include <ctype.h>
#include <string.h>

/* Keys as metadata's; values are text or numbers of at most 255 characters. */
static int check_pair(struct request *request, const char *key, json_value *value, const char **ret)
{
    size_t size = strlen(key);
    bool flag;
    for (size_t i = 0; i < strlen(key); i++)
        if (!isalnum((unsigned char)key[i]) && strchr("-_:. ", key[i]) == NULL)
            size = 0;
    if (size < 1 || size > 255)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute extra_specs. Additional properties are not allowed ('%s' "
                         "was unexpected)",
                         key);
    *ret = json_in_text(value);
    if (*ret == NULL && !json_in_is_object(value) && !json_in_is_array(value) && !json_in_is_null(value) &&
        !json_in_bool(value, &flag))
        *ret = json_in_print(value, &request->arena);
    if (*ret == NULL || strlen(*ret) > 255)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. It is text or a number of at most 255 characters", key);
    return 0;
}

struct setting {
    struct request *request;
    const char *flavor_id;
};

static int set_one(void *arg, const char *name, json_value *value)
{
    struct setting *s = arg;
    const char *text = NULL;
    int rc = check_pair(s->request, name, value, &text);
    if (!rc && compute_since(s->request, 86)) /* from there on Nova looks at the values */
        rc = numa_wish_check_spec(name, text, &s->request->error);
    if (rc)
        return rc;
    return store_flavor_set_spec(s->request->conn, s->flavor_id, name, text, &s->request->error);
}

static int flavor_extra_specs_list(struct request *request, struct reply *reply)
{
    struct flavor_row row;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_raw(&reply->out, "extra_specs", row.extra_specs);
    json_out_object_end(&reply->out);
    return 0;
}

static int flavor_extra_specs_show(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key"), *value;
    struct flavor_row row;
    struct json_doc doc;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (!rc)
        rc = json_in_parse(row.extra_specs, strlen(row.extra_specs), &doc, &request->error);
    if (rc)
        return rc;
    value = json_in_text(json_in_member(doc.root, key));
    if (value != NULL) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, key, value);
        json_out_object_end(&reply->out);
    } else {
        rc = error_set(&request->error, ERR_NOT_FOUND, "Flavor %s has no extra specs with key %s.", row.id, key);
    }
    json_in_done(&doc);
    return rc;
}

static int set_all(struct request *request, struct reply *reply, json_value *specs)
{
    struct flavor_row row;
    struct setting s = {.request = request};
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (rc)
        return rc;
    s.flavor_id = row.id;
    rc = json_in_each(specs, set_one, &s);
    if (!rc)
        strbuf_append_text(&reply->body, json_in_print(request->json, &request->arena));
    return rc;
}

static int flavor_extra_specs_create(struct request *request, struct reply *reply)
{
    json_value *specs = json_in_member(request->json, "extra_specs");
    if (!json_in_is_object(specs) || json_in_count(request->json) != 1)
        return error_set(&request->error, ERR_INVALID, "extra_specs: is required, and nothing else is known here");
    return set_all(request, reply, specs);
}

static int flavor_extra_specs_update(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    if (!json_in_is_object(request->json) || json_in_count(request->json) != 1)
        return error_set(&request->error, ERR_INVALID, "One extra spec is expected");
    if (!json_in_has(request->json, key))
        return error_set(&request->error, ERR_INVALID, "Request body and URI mismatch");
    return set_all(request, reply, request->json);
}

static int flavor_extra_specs_delete(struct request *request, struct reply *reply)
{
    struct flavor_row row;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    (void)reply;
    return rc ? rc : store_flavor_delete_spec(request->conn, row.id, request_param(request, "key"), &request->error);
}

#define SPECS     "/flavors/{flavor_id}/os-extra_specs"
#define SPECS_KEY SPECS "/{key}"
static const struct route rows[] = {
    {.method = "GET", .pattern = SPECS, .permission = PERMISSION_READER, .handler = flavor_extra_specs_list},
    {.method = "GET", .pattern = SPECS_KEY, .permission = PERMISSION_READER, .handler = flavor_extra_specs_show},
    {.method = "POST",
     .pattern = SPECS,
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = flavor_extra_specs_create},
    {.method = "PUT",
     .pattern = SPECS_KEY,
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = flavor_extra_specs_update},
    {.method = "DELETE",
     .pattern = SPECS_KEY,
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = flavor_extra_specs_delete},
};
const struct route_table flavor_extra_specs_routes = ROUTE_TABLE(rows);
