/* Who may do what in identity. */
#include "api/identity/access.h"
#include "db/store_assignment.h"
#include <string.h>

bool access_is_admin(const struct request *request)
{
    const struct credential *c = &request->credential;
    return c->roles & ROLE_ADMIN && (*c->project_id || c->system);
}

bool access_reads_all(const struct request *request)
{
    return access_is_admin(request) || (request->credential.system && request->credential.roles & ROLE_READER);
}

static bool has_domain_role(const struct request *request, const char *domain_id, unsigned roles)
{
    const struct credential *c = &request->credential;
    return *c->domain_id && strcmp(c->domain_id, domain_id) == 0 && c->roles & roles;
}

bool access_reads_domain(const struct request *request, const char *domain_id)
{
    return access_reads_all(request) || has_domain_role(request, domain_id, ROLE_READER | ROLE_MANAGER | ROLE_ADMIN);
}

bool access_manages_domain(const struct request *request, const char *domain_id)
{
    return access_is_admin(request) || has_domain_role(request, domain_id, ROLE_MANAGER | ROLE_ADMIN);
}

bool access_is_self(const struct request *request, const char *user_id)
{
    return strcmp(request->credential.user_id, user_id) == 0;
}

int access_deny(struct request *request, const char *action)
{
    return error_set(&request->error, ERR_FORBIDDEN, "You are not authorized to perform the requested action: %s.",
                     action);
}

int access_admin(struct request *request, const char *action)
{
    return access_is_admin(request) ? 0 : access_deny(request, action);
}

int access_read_all(struct request *request, const char *action)
{
    return access_reads_all(request) ? 0 : access_deny(request, action);
}

int access_read_domain(struct request *request, const char *domain_id, const char *action)
{
    return access_reads_domain(request, domain_id) ? 0 : access_deny(request, action);
}

int access_manage_domain(struct request *request, const char *domain_id, const char *action)
{
    return access_manages_domain(request, domain_id) ? 0 : access_deny(request, action);
}

int access_self_or_admin(struct request *request, const char *user_id, const char *action)
{
    return access_is_self(request, user_id) || access_is_admin(request) ? 0 : access_deny(request, action);
}

int access_unrestricted(struct request *request, const char *action)
{
    return request->credential.restricted ? access_deny(request, action) : 0;
}

const char *access_domain_limit(const struct request *request)
{
    return *request->credential.domain_id ? request->credential.domain_id : NULL;
}

int access_manage_actor(struct request *request, const char *kind, const char *id, const char *domain_id,
                        const char *action)
{
    bool admin = true;
    if (access_is_admin(request))
        return 0;
    if (!access_manages_domain(request, domain_id))
        return access_deny(request, action);
    int rc = store_assignment_reaches(request->conn, kind, id, "admin", &admin, &request->error);
    return rc ? rc : admin ? access_deny(request, action) : 0;
}
