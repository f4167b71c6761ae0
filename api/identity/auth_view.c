/* What a token says, as JSON. */
#include "api/identity/auth.h"
#include "api/identity/catalog.h"
#include "common/clock.h"

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
        rc = catalog_write(request, o, c->has_project ? c->project.id : NULL, c->user.id);
    json_out_object_end(o);
    json_out_object_end(o);
    return rc;
}
