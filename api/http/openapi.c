/* OpenAPI: one path per pattern, its methods, who may call, and the body as a JSON schema of its field table. */
#include "api/http/openapi.h"
#include <stdbool.h>
#include <string.h>

static const char *const permissions[] = {
    [PERMISSION_PUBLIC] = "anybody",
    [PERMISSION_AUTHENTICATED] = "any valid token",
    [PERMISSION_READER] = "reader of the project",
    [PERMISSION_MEMBER] = "member of the project",
    [PERMISSION_BILLED] = "reader of the project, or the billing role",
    [PERMISSION_BILLING] = "the billing role, or administrator",
    [PERMISSION_ADMIN] = "administrator",
    [PERMISSION_AGENT] = "a host's certificate",
    [PERMISSION_JOIN] = "a join token",
};

static void write_table(struct json_out *out, const struct json_table *table);

static void write_limits(struct json_out *out, const struct json_field *f, const char *least, const char *most)
{
    if (f->min == 0 && f->max == 0)
        return;
    json_out_int(out, least, f->min);
    if (f->max != 0)
        json_out_int(out, most, f->max);
}

static void write_choices(struct json_out *out, const char *const *choices)
{
    if (choices == NULL)
        return;
    json_out_array(out, "enum");
    for (; *choices != NULL; choices++)
        json_out_text(out, NULL, *choices);
    json_out_array_end(out);
}

static void write_type(struct json_out *out, const struct json_field *f, const char *type)
{
    if (!(f->flags & JSON_NULLABLE)) {
        json_out_text(out, "type", type);
        return;
    }
    json_out_array(out, "type");
    json_out_text(out, NULL, type);
    json_out_text(out, NULL, "null");
    json_out_array_end(out);
}

static void write_field(struct json_out *out, const struct json_field *f)
{
    static const char *const types[] = {[JSON_TEXT] = "string",   [JSON_INT] = "integer",   [JSON_BOOL] = "boolean",
                                        [JSON_NUMBER] = "number", [JSON_OBJECT] = "object", [JSON_LIST] = "array",
                                        [JSON_TEXTS] = "array",   [JSON_MAP] = "object",    [JSON_ANY] = NULL};
    json_out_object(out, f->name);
    if (types[f->kind] != NULL)
        write_type(out, f, types[f->kind]);
    if (f->kind == JSON_TEXT) {
        write_limits(out, f, "minLength", "maxLength");
        write_choices(out, f->choices);
    } else if (f->kind == JSON_INT || f->kind == JSON_NUMBER) {
        write_limits(out, f, "minimum", "maximum");
    } else if (f->kind == JSON_OBJECT) {
        write_table(out, f->sub);
    } else if (f->kind == JSON_LIST || f->kind == JSON_TEXTS) {
        write_limits(out, f, "minItems", "maxItems");
        json_out_object(out, "items");
        json_out_text(out, "type", f->kind == JSON_LIST ? "object" : "string");
        if (f->kind == JSON_LIST)
            write_table(out, f->sub);
        else
            write_choices(out, f->choices);
        json_out_object_end(out);
    } else if (f->kind == JSON_MAP) {
        json_out_object(out, "additionalProperties");
        json_out_text(out, "type", "string");
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

/* Members of an object's schema, but for its type. */
static void write_table(struct json_out *out, const struct json_table *table)
{
    bool required = false;
    json_out_bool(out, "additionalProperties", table->open);
    json_out_object(out, "properties");
    for (size_t i = 0; i < table->count; i++) {
        write_field(out, &table->fields[i]);
        required = required || (table->fields[i].flags & JSON_REQUIRED);
    }
    json_out_object_end(out);
    if (!required)
        return;
    json_out_array(out, "required");
    for (size_t i = 0; i < table->count; i++)
        if (table->fields[i].flags & JSON_REQUIRED)
            json_out_text(out, NULL, table->fields[i].name);
    json_out_array_end(out);
}

static void write_body(struct json_out *out, const struct route *row)
{
    json_out_object(out, "requestBody");
    json_out_bool(out, "required", true);
    json_out_object(out, "content");
    json_out_object(out, "application/json");
    json_out_object(out, "schema");
    json_out_text(out, "type", "object");
    if (row->member != NULL) {
        const struct json_field whole = {
            .name = row->member, .kind = JSON_OBJECT, .flags = JSON_REQUIRED, .sub = row->body};
        write_table(out, &(const struct json_table){.fields = &whole, .count = 1});
    } else {
        write_table(out, row->body);
    }
    for (int i = 0; i < 4; i++)
        json_out_object_end(out);
}

static void write_parameters(struct json_out *out, const char *pattern)
{
    bool any = false;
    for (const char *at = strchr(pattern, '{'); at != NULL; at = strchr(at + 1, '{')) {
        if (!any)
            json_out_array(out, "parameters");
        any = true;
        json_out_object(out, NULL);
        json_out_text_n(out, "name", at + 1, strcspn(at + 1, "*}"));
        json_out_text(out, "in", "path");
        json_out_bool(out, "required", true);
        json_out_object(out, "schema");
        json_out_text(out, "type", "string");
        json_out_object_end(out);
        json_out_object_end(out);
    }
    if (any)
        json_out_array_end(out);
}

static void write_row(struct json_out *out, const struct route *row)
{
    char method[8] = "";
    for (size_t i = 0; row->method[i] != '\0' && i + 1 < sizeof(method); i++)
        method[i] = (char)(row->method[i] | 0x20); /* letters alone: lower case */
    json_out_object(out, method);
    json_out_textf(out, "summary", "%s %s", row->method, row->pattern);
    json_out_text(out, "x-permission", permissions[row->permission]);
    json_out_array(out, "security");
    if (row->permission != PERMISSION_PUBLIC) {
        json_out_object(out, NULL);
        json_out_array(out, "token");
        json_out_array_end(out);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    write_parameters(out, row->pattern);
    if (row->body != NULL)
        write_body(out, row);
    json_out_object(out, "responses");
    json_out_object(out, "default");
    json_out_text(out, "description", "The answer, or a fault with its sentence");
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
}

/* The methods of a pattern, in whichever tables they are. */
static void write_path(struct json_out *out, const struct service *service, const char *pattern)
{
    json_out_object(out, pattern);
    for (size_t t = 0; service->tables[t] != NULL; t++)
        for (size_t i = 0; i < service->tables[t]->count; i++)
            if (strcmp(service->tables[t]->rows[i].pattern, pattern) == 0)
                write_row(out, &service->tables[t]->rows[i]);
    json_out_object_end(out);
}

/* Whether no row before this one has its pattern. */
static bool is_first(const struct service *service, const struct route *row)
{
    for (size_t t = 0; service->tables[t] != NULL; t++)
        for (size_t i = 0; i < service->tables[t]->count; i++) {
            const struct route *other = &service->tables[t]->rows[i];
            if (strcmp(other->pattern, row->pattern) == 0)
                return other == row;
        }
    return true;
}

static void write_paths(struct json_out *out, const struct service *service)
{
    json_out_object(out, "paths");
    for (size_t t = 0; service->tables[t] != NULL; t++)
        for (size_t i = 0; i < service->tables[t]->count; i++)
            if (is_first(service, &service->tables[t]->rows[i]))
                write_path(out, service, service->tables[t]->rows[i].pattern);
    json_out_object_end(out);
}

void openapi_write(struct json_out *out, const struct service *service, const char *title, const char *base)
{
    json_out_object(out, NULL);
    json_out_text(out, "openapi", "3.1.0");
    json_out_object(out, "info");
    json_out_text(out, "title", title);
    json_out_text(out, "version", VIRGA_VERSION);
    json_out_object_end(out);
    json_out_array(out, "servers");
    json_out_object(out, NULL);
    json_out_text(out, "url", base);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object(out, "components");
    json_out_object(out, "securitySchemes");
    json_out_object(out, "token");
    json_out_text(out, "type", "apiKey");
    json_out_text(out, "in", "header");
    json_out_text(out, "name", "X-Auth-Token");
    for (int i = 0; i < 3; i++)
        json_out_object_end(out);
    write_paths(out, service);
    json_out_object_end(out);
}
