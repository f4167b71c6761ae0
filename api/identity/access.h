/* Who may do what in identity, beyond what a route row can say. A project- or system-scoped admin runs the cloud, as in
 * OpenStack; a system-scoped reader sees all of it; who has admin or manager on a domain manages what lies in that
 * domain and nothing else; everybody may look after himself. */
#pragma once
#include "api/http/handler.h"

bool access_is_admin(const struct request *request);
bool access_reads_all(const struct request *request);
bool access_reads_domain(const struct request *request, const char *domain_id);
bool access_manages_domain(const struct request *request, const char *domain_id);
/* Whether the caller may change an account or group of this domain: who manages the domain, unless it is an
 * administrator of the cloud, whom only another one may touch. `kind` is "user" or "group". 0 or ERR_FORBIDDEN. */
int access_manage_actor(struct request *request, const char *kind, const char *id, const char *domain_id,
                        const char *action);
bool access_is_self(const struct request *request, const char *user_id);

/* 403 with Keystone's sentence; `action` is the name of its rule, "identity:list_users". Returns ERR_FORBIDDEN. */
int access_deny(struct request *request, const char *action);
/* 0 or that. */
int access_admin(struct request *request, const char *action);
int access_read_all(struct request *request, const char *action);
int access_read_domain(struct request *request, const char *domain_id, const char *action);
int access_manage_domain(struct request *request, const char *domain_id, const char *action);
int access_self_or_admin(struct request *request, const char *user_id, const char *action);
/* A restricted application credential must not touch what could outlive it: other credentials. */
int access_unrestricted(struct request *request, const char *action);
/* The domain to which a domain-scoped caller's lists are confined; NULL: none. */
const char *access_domain_limit(const struct request *request);
