/* What a token says, as JSON; and the catalog. */
#include "api/identity/auth.h"
#include "common/clock.h"
#include "db/store_endpoint.h"
#include <string.h>

static void put_time(struct json_out *o, const char *key, int64_t us, enum clock_form form)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_text(o, key, us ? clock_text(us, form, text) : NULL);
}

static void put_domain(struct json_out *o, const char *key, const struct project_row *row)
{
    json_out_object(o, key);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_object_end(o);
}

static void put_user(struct json_out *o, const struct auth_context *c)
{
    json_out_object(o, "user");
    put_domain(o, "domain", &c->user_domain);
    json_out_text(o, "id", c->user.id);
    json_out_text(o, "name", c->user.name);
    put_time(o, "password_expires_at", c->user.password_expires_us, CLOCK_ISO_MICRO);
    json_out_object_end(o);
}

static void put_methods(struct json_out *o, unsigned methods)
{
    json_out_array(o, "methods");
    if (methods & AUTH_PASSWORD)
        json_out_text(o, NULL, "password");
    if (methods & AUTH_APPLICATION)
        json_out_text(o, NULL, "application_credential");
    if (methods & AUTH_TOKEN)
        json_out_text(o, NULL, "token");
    json_out_array_end(o);
}

static void put_audit_ids(struct json_out *o, const struct credential *c)
{
    json_out_array(o, "audit_ids");
    json_out_text(o, NULL, c->audit_id);
    if (*c->chain_id)
        json_out_text(o, NULL, c->chain_id);
    json_out_array_end(o);
}

static void put_roles(struct json_out *o, const struct auth_role *roles)
{
    json_out_array(o, "roles");
    for (; roles; roles = roles->next) {
        json_out_object(o, NULL);
        json_out_text(o, "id", roles->id);
        json_out_text(o, "name", roles->name);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void put_scope(struct json_out *o, const struct auth_context *c)
{
    if (c->has_project) {
        json_out_object(o, "project");
        put_domain(o, "domain", &c->project_domain);
        json_out_text(o, "id", c->project.id);
        json_out_text(o, "name", c->project.name);
        json_out_object_end(o);
        json_out_bool(o, "is_domain", false);
    } else if (c->has_domain) {
        put_domain(o, "domain", &c->domain);
    } else if (c->credential.system) {
        json_out_object(o, "system");
        json_out_bool(o, "all", true);
        json_out_object_end(o);
    } else {
        return;
    }
    put_roles(o, c->roles);
}

static int put_rule(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)e;
    struct json_out *o = arg;
    json_out_object(o, NULL);
    json_out_text(o, "id", row->id);
    json_out_text(o, "service", row->service);
    json_out_text(o, "method", row->method);
    json_out_text(o, "path", row->path);
    json_out_object_end(o);
    return 0;
}

static int put_application(struct request *request, struct json_out *o, const struct auth_context *c)
{
    int rc = 0;
    if (!c->has_application)
        return 0;
    json_out_object(o, "application_credential");
    json_out_text(o, "id", c->application.id);
    json_out_text(o, "name", c->application.name);
    json_out_bool(o, "restricted", !c->application.unrestricted);
    if (c->credential.ruled) {
        json_out_array(o, "access_rules");
        rc = store_application_credential_each_rule(request->conn, c->application.id, put_rule, o, &request->error);
        json_out_array_end(o);
    }
    json_out_object_end(o);
    return rc;
}

int auth_view_token(struct request *request, struct reply *reply, const struct auth_context *c, bool with_catalog)
{
    struct json_out *o = &reply->out;
    json_out_object(o, NULL);
    json_out_object(o, "token");
    put_methods(o, c->credential.methods);
    put_user(o, c);
    put_audit_ids(o, &c->credential);
    put_time(o, "expires_at", c->credential.expires_us, CLOCK_ISO_MICRO_Z);
    put_time(o, "issued_at", c->credential.issued_us, CLOCK_ISO_MICRO_Z);
    put_scope(o, c);
    int rc = put_application(request, o, c);
    bool scoped = c->has_project || c->has_domain || c->credential.system;
    if (!rc && with_catalog && scoped)
        rc = auth_view_catalog(request, reply, "catalog", c->has_project ? c->project.id : NULL, c->user.id);
    json_out_object_end(o);
    json_out_object_end(o);
    return rc;
}

struct catalog {
    struct request *request;
    struct json_out *o;
    const char *base, *project_id, *user_id;
    char service_id[65];
};

static void close_service(struct catalog *c)
{
    if (!*c->service_id)
        return;
    json_out_array_end(c->o);
    json_out_object_end(c->o);
}

/* Fills $(name)s and %(name)s. NULL when the URL wants a project and there is none: such an endpoint is left out, as
 * Keystone does. */
static const char *fill_url(const struct catalog *c, const char *url)
{
    const struct {
        const char *name, *value;
    } known[] = {
        {"base", c->base}, {"project_id", c->project_id}, {"tenant_id", c->project_id}, {"user_id", c->user_id}};
    struct strbuf out;
    bool bad = false;
    strbuf_init(&out, 8192);
    while (*url && !bad) {
        size_t i = 0, skip = 0;
        for (; i < JSON_COUNT(known); i++) {
            size_t size = strlen(known[i].name);
            if ((url[0] == '$' || url[0] == '%') && url[1] == '(' && strncmp(url + 2, known[i].name, size) == 0 &&
                strncmp(url + 2 + size, ")s", 2) == 0) {
                skip = size + 4;
                break;
            }
        }
        if (!skip)
            strbuf_append_char(&out, *url++);
        else if (known[i].value)
            strbuf_append_text(&out, known[i].value);
        bad = skip && !known[i].value;
        url += skip;
    }
    const char *text = bad || out.error ? NULL : arena_strdup(&c->request->arena, out.data);
    strbuf_done(&out);
    return text;
}

static int put_endpoint(void *arg, const char *type, const char *name, const struct endpoint_row *row, struct error *e)
{
    (void)e;
    struct catalog *c = arg;
    const char *url = fill_url(c, row->url);
    if (strcmp(c->service_id, row->service_id) != 0) {
        close_service(c);
        memset(c->service_id, 0, sizeof(c->service_id));
        memcpy(c->service_id, row->service_id, strnlen(row->service_id, sizeof(c->service_id) - 1));
        json_out_object(c->o, NULL);
        json_out_text(c->o, "id", row->service_id);
        json_out_text(c->o, "type", type);
        json_out_text(c->o, "name", name ? name : "");
        json_out_array(c->o, "endpoints");
    }
    if (!url)
        return 0;
    json_out_object(c->o, NULL);
    json_out_text(c->o, "id", row->id);
    json_out_text(c->o, "interface", row->interface);
    json_out_text(c->o, "region_id", row->region_id);
    json_out_text(c->o, "region", row->region_id);
    json_out_text(c->o, "url", url);
    json_out_object_end(c->o);
    return 0;
}

int auth_view_catalog(struct request *request, struct reply *reply, const char *key, const char *project_id,
                      const char *user_id)
{
    struct catalog c = {.request = request,
                        .o = &reply->out,
                        .base = request_base_url(request),
                        .project_id = project_id,
                        .user_id = user_id};
    json_out_array(c.o, key);
    int rc = store_endpoint_each_in_catalog(request->conn, put_endpoint, &c, &request->error);
    close_service(&c);
    json_out_array_end(c.o);
    return rc;
}
