/* The body of POST /auth/tokens as tables. Members that nobody knows are ignored, as Keystone does. */
#include "api/identity/auth.h"
#include <string.h>

#define OPEN(array)                                                                                                    \
    {                                                                                                                  \
        .fields = (array), .count = JSON_COUNT(array), .open = true, .seen_offset = JSON_NO_SEEN                       \
    }
#define IDENTITY(member) offsetof(struct auth_body, identity.member) - offsetof(struct auth_body, identity)
#define APPLICATION(member)                                                                                            \
    offsetof(struct auth_body, identity.application_credential.member) -                                               \
        offsetof(struct auth_body, identity.application_credential)

static const struct json_field name_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct auth_name, id)},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct auth_name, name)},
};
static const struct json_table name_table = OPEN(name_fields);

static const struct json_field user_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct auth_user, id)},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct auth_user, name)},
    {.name = "password", .kind = JSON_TEXT, .offset = offsetof(struct auth_user, password)},
    {.name = "domain", .kind = JSON_OBJECT, .offset = offsetof(struct auth_user, domain), .sub = &name_table},
};
static const struct json_table user_table = OPEN(user_fields);

static const struct json_field password_fields[] = {
    {.name = "user", .kind = JSON_OBJECT, .flags = JSON_REQUIRED, .sub = &user_table},
};
static const struct json_table password_table = OPEN(password_fields);

static const struct json_field token_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .flags = JSON_REQUIRED},
};
static const struct json_table token_table = OPEN(token_fields);

static const struct json_field application_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = APPLICATION(id)},
    {.name = "name", .kind = JSON_TEXT, .offset = APPLICATION(name)},
    {.name = "secret", .kind = JSON_TEXT, .offset = APPLICATION(secret), .flags = JSON_REQUIRED},
    {.name = "user", .kind = JSON_OBJECT, .offset = APPLICATION(user), .sub = &user_table},
};
static const struct json_table application_table = OPEN(application_fields);

enum { FIELD_METHODS, FIELD_PASSWORD, FIELD_TOKEN, FIELD_APPLICATION };
static const struct json_field identity_fields[] = {
    [FIELD_METHODS] = {.name = "methods", .kind = JSON_TEXTS, .offset = IDENTITY(methods), .flags = JSON_REQUIRED},
    [FIELD_PASSWORD] = {.name = "password", .kind = JSON_OBJECT, .offset = IDENTITY(password), .sub = &password_table},
    [FIELD_TOKEN] = {.name = "token", .kind = JSON_OBJECT, .offset = IDENTITY(token), .sub = &token_table},
    [FIELD_APPLICATION] = {.name = "application_credential",
                           .kind = JSON_OBJECT,
                           .offset = IDENTITY(application_credential),
                           .sub = &application_table},
};
static const struct json_table identity_table = {
    .fields = identity_fields, .count = JSON_COUNT(identity_fields), .open = true, .seen_offset = IDENTITY(seen)};

static const struct json_field fields[] = {
    {.name = "identity",
     .kind = JSON_OBJECT,
     .offset = offsetof(struct auth_body, identity),
     .flags = JSON_REQUIRED,
     .sub = &identity_table},
    {.name = "scope", .kind = JSON_ANY, .offset = offsetof(struct auth_body, scope)},
};
const struct json_table auth_body_table = OPEN(fields);

static const struct {
    const char *name;
    unsigned bit;
    int field;
} methods[] = {
    {"password", AUTH_PASSWORD, FIELD_PASSWORD},
    {"token", AUTH_TOKEN, FIELD_TOKEN},
    {"application_credential", AUTH_APPLICATION, FIELD_APPLICATION},
};

int auth_methods(struct request *request, const struct auth_body *body, unsigned *ret)
{
    const char *const *names = body->identity.methods.items;
    *ret = 0;
    for (size_t i = 0; i < body->identity.methods.count; i++) {
        unsigned bit = 0;
        for (size_t k = 0; k < JSON_COUNT(methods); k++)
            if (strcmp(names[i], methods[k].name) == 0) {
                bit = methods[k].bit;
                if (!(body->identity.seen.present & (uint64_t)1 << methods[k].field))
                    return error_set(&request->error, ERR_INVALID, "Expecting to find %s in identity.", names[i]);
            }
        if (!bit)
            return error_set(&request->error, ERR_UNAUTHORIZED,
                             "Attempted to authenticate with an unsupported method.");
        *ret |= bit;
    }
    return *ret ? 0 : error_set(&request->error, ERR_UNAUTHORIZED, "No authentication method was given.");
}
