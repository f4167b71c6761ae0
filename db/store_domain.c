/* The end of a domain, in the order in which rows hang on each other. */
#include "db/store_domain.h"

#define PROJECTS "(SELECT id FROM project WHERE domain_id = $1 OR id = $1)"
#define USERS    "(SELECT id FROM user_account WHERE domain_id = $1)"
#define GROUPS   "(SELECT id FROM user_group WHERE domain_id = $1)"
#define ROLES    "(SELECT id FROM role WHERE domain_id = $1)"
#define APPS     "(SELECT id FROM application_credential WHERE user_id IN " USERS " OR project_id IN " PROJECTS ")"

DB_STATEMENT(domain_delete_app_roles, "DELETE FROM application_credential_role WHERE application_credential_id IN " APPS
                                      " OR role_id IN " ROLES);
DB_STATEMENT(domain_delete_app_rules,
             "DELETE FROM application_credential_rule WHERE application_credential_id IN " APPS);
DB_STATEMENT(domain_delete_apps,
             "DELETE FROM application_credential WHERE user_id IN " USERS " OR project_id IN " PROJECTS);
DB_STATEMENT(domain_delete_rules, "DELETE FROM access_rule WHERE user_id IN " USERS);
DB_STATEMENT(domain_delete_credentials, "DELETE FROM credential WHERE user_id IN " USERS " OR project_id IN " PROJECTS);
DB_STATEMENT(domain_delete_assignments,
             "DELETE FROM role_assignment WHERE (actor_kind = 'user' AND actor_id IN " USERS
             ") OR (actor_kind = 'group' AND actor_id IN " GROUPS
             ") OR (target_kind IN ('project', 'domain') AND target_id IN " PROJECTS ") OR role_id IN " ROLES);
DB_STATEMENT(domain_delete_implied, "DELETE FROM role_implied WHERE prior_id IN " ROLES " OR implied_id IN " ROLES);
DB_STATEMENT(domain_delete_members, "DELETE FROM group_member WHERE group_id IN " GROUPS " OR user_id IN " USERS);
DB_STATEMENT(domain_delete_defaults,
             "UPDATE user_account SET default_project_id = NULL WHERE default_project_id IN " PROJECTS);
DB_STATEMENT(domain_delete_roles, "DELETE FROM role WHERE domain_id = $1");
DB_STATEMENT(domain_delete_groups, "DELETE FROM user_group WHERE domain_id = $1");
DB_STATEMENT(domain_delete_users, "DELETE FROM user_account WHERE domain_id = $1");
DB_STATEMENT(domain_delete_projects, "DELETE FROM project WHERE domain_id = $1 OR id = $1");

int store_domain_delete(struct db_conn *c, const char *id, struct error *e)
{
    static const struct db_statement *const all[] = {
        &domain_delete_app_roles,   &domain_delete_app_rules,   &domain_delete_apps,    &domain_delete_rules,
        &domain_delete_credentials, &domain_delete_assignments, &domain_delete_implied, &domain_delete_members,
        &domain_delete_defaults,    &domain_delete_roles,       &domain_delete_groups,  &domain_delete_users,
        &domain_delete_projects};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
        rc = db_exec(c, all[i], NULL, e, DB_ARGS(db_text(id)));
    return rc;
}
