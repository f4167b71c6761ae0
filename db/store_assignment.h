/* Role assignments: who has which role on what. */
#pragma once
#include "db/db.h"
#include "db/store_role.h"

struct assignment_row {
    const char *actor_kind, *actor_id;   /* "user" or "group" */
    const char *target_kind, *target_id; /* "project", "domain" or "system"; "all" for the system */
    const char *role_id;
    bool inherited; /* on the projects below the target instead of the target */
};
/* NULL: any. */
struct assignment_filter {
    const char *actor_kind, *actor_id, *target_kind, *target_id, *role_id;
    int inherited;  /* -1: any */
    bool effective; /* as they act: groups by their members, inherited ones by the projects below, implied roles added;
                       then `inherited` is ignored */
};
/* Where an effective assignment comes from; NULL for what it has itself. */
struct assignment_origin {
    const char *group_id, *target_kind, *target_id, *role_id;
};
/* With the names of everything, for lists; NULL where a row is gone. */
struct assignment_names {
    const char *actor_name, *actor_domain_id, *actor_domain_name;
    const char *target_name, *target_domain_id, *target_domain_name;
    const char *role_name, *role_domain_id, *role_domain_name;
};

/* Nothing when it is there already. */
int store_assignment_insert(struct db_conn *c, const struct assignment_row *row, struct error *e);
/* ERR_NOT_FOUND without a sentence when there is none. */
int store_assignment_delete(struct db_conn *c, const struct assignment_row *row, struct error *e);
int store_assignment_exists(struct db_conn *c, const struct assignment_row *row, bool *ret, struct error *e);

/* Calls `each` until it returns non-zero, which is returned. Texts are borrowed during the call. */
typedef int (*store_assignment_fn)(void *arg, const struct assignment_row *row, const struct assignment_names *names,
                                   const struct assignment_origin *origin, struct error *e);
int store_assignment_each(struct db_conn *c, const struct assignment_filter *filter, store_assignment_fn each,
                          void *arg, struct error *e);
/* Roles of one actor on one target, as assigned. */
int store_assignment_each_role(struct db_conn *c, const struct assignment_row *of, store_role_fn each, void *arg,
                               struct error *e);
/* Roles that a user really has on a target: own and through groups, inherited from above (projects), and all that those
 * imply. target_id "all" for the system. Domain-specific roles are left out, as they carry no permission themselves. */
int store_assignment_each_effective(struct db_conn *c, const char *user_id, const char *target_kind,
                                    const char *target_id, store_role_fn each, void *arg, struct error *e);
/* Whether the actor, himself or through groups, has the global role `name` or one that implies it on some project or on
 * the system. */
int store_assignment_reaches(struct db_conn *c, const char *actor_kind, const char *actor_id, const char *name,
                             bool *ret, struct error *e);
/* Every user who has the role through some assignment, once per target: to void their tokens. Groups are expanded. */
typedef int (*store_assignment_holder_fn)(void *arg, const char *user_id, const char *target_kind,
                                          const char *target_id, bool inherited, struct error *e);
int store_assignment_each_holder(struct db_conn *c, const char *role_id, store_assignment_holder_fn each, void *arg,
                                 struct error *e);
