/* Rows of role_assignment. */
#include "db/store_assignment.h"

#define KEY                                                                                                            \
    "actor_kind = $1 AND actor_id = $2 AND target_kind = $3 AND target_id = $4 AND role_id = $5 AND inherited = $6"
#define KEY_ARGS(row)                                                                                                  \
    DB_ARGS(db_text((row)->actor_kind), db_text((row)->actor_id), db_text((row)->target_kind),                         \
            db_text((row)->target_id), db_text((row)->role_id), db_int((row)->inherited))

DB_STATEMENT(assignment_add,
             "INSERT INTO role_assignment (actor_kind, actor_id, target_kind, target_id, role_id, inherited) "
             "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
int store_assignment_insert(struct db_conn *c, const struct assignment_row *row, struct error *e)
{
    return db_exec(c, &assignment_add, NULL, e, KEY_ARGS(row));
}

DB_STATEMENT(assignment_delete, "DELETE FROM role_assignment WHERE " KEY);
int store_assignment_delete(struct db_conn *c, const struct assignment_row *row, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &assignment_delete, &changed, e, KEY_ARGS(row));
    return rc ? rc : changed ? 0 : ERR_NOT_FOUND;
}

DB_STATEMENT(assignment_exists, "SELECT COUNT(*) FROM role_assignment WHERE " KEY);
int store_assignment_exists(struct db_conn *c, const struct assignment_row *row, bool *ret, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &assignment_exists, &count, e, KEY_ARGS(row));
    if (!rc)
        *ret = count > 0;
    return rc;
}

#define LISTED(origin, source)                                                                                         \
    "SELECT a.actor_kind, a.actor_id, a.target_kind, a.target_id, a.role_id, a.inherited, "                            \
    "COALESCE(u.name, g.name), COALESCE(u.domain_id, g.domain_id), ad.name, "                                          \
    "t.name, t.domain_id, td.name, r.name, r.domain_id, rd.name, " origin " FROM " source " a "                        \
    "LEFT JOIN user_account u ON a.actor_kind = 'user' AND u.id = a.actor_id "                                         \
    "LEFT JOIN user_group g ON a.actor_kind = 'group' AND g.id = a.actor_id "                                          \
    "LEFT JOIN project ad ON ad.id = COALESCE(u.domain_id, g.domain_id) "                                              \
    "LEFT JOIN project t ON t.id = a.target_id LEFT JOIN project td ON td.id = t.domain_id "                           \
    "LEFT JOIN role r ON r.id = a.role_id LEFT JOIN project rd ON rd.id = r.domain_id WHERE "
#define NO_ORIGIN "CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)"
#define ANY_ACTOR "(a.actor_kind = $1 OR $1 IS NULL) AND (a.actor_id = $2 OR $2 IS NULL) AND "
#define ONE_ACTOR "a.actor_kind = $1 AND a.actor_id = $2 AND "
#define REST                                                                                                           \
    "(a.target_kind = $3 OR $3 IS NULL) AND (a.target_id = $4 OR $4 IS NULL) AND (a.role_id = $5 OR $5 IS NULL) AND "  \
    "(a.inherited = $6 OR $6 IS NULL) ORDER BY a.actor_kind, a.actor_id, a.target_kind, a.target_id, a.role_id, "      \
    "a.inherited"
DB_STATEMENT(assignment_all, LISTED(NO_ORIGIN, "role_assignment") ANY_ACTOR REST);
DB_STATEMENT(assignment_all_of_actor, LISTED(NO_ORIGIN, "role_assignment") ONE_ACTOR REST);
/* down: what lies below the targets of inherited ones. imp: every role with all that follows from it, itself too.
 * placed: on what they really are. acts: for whom they really are. */
DB_STATEMENT(
    assignment_all_effective,
    "WITH RECURSIVE down (root_kind, root_id, id) AS (SELECT b.target_kind, b.target_id, p.id FROM role_assignment b "
    "JOIN project p ON p.parent_id = b.target_id WHERE b.inherited = 1 UNION "
    "SELECT d.root_kind, d.root_id, p.id FROM down d JOIN project p ON p.parent_id = d.id), "
    "imp (prior_id, role_id) AS (SELECT id, id FROM role UNION "
    "SELECT m.prior_id, i.implied_id FROM imp m JOIN role_implied i ON i.prior_id = m.role_id), "
    "placed (actor_kind, actor_id, target_kind, target_id, role_id, via_kind, via_id) AS ("
    "SELECT actor_kind, actor_id, target_kind, target_id, role_id, CAST(NULL AS TEXT), CAST(NULL AS TEXT) "
    "FROM role_assignment WHERE inherited = 0 UNION ALL "
    "SELECT b.actor_kind, b.actor_id, 'project', d.id, b.role_id, b.target_kind, b.target_id FROM role_assignment b "
    "JOIN down d ON d.root_kind = b.target_kind AND d.root_id = b.target_id WHERE b.inherited = 1), "
    "acts (actor_kind, actor_id, target_kind, target_id, role_id, inherited, group_id, via_kind, via_id, via_role) AS ("
    "SELECT 'user', COALESCE(m.user_id, s.actor_id), s.target_kind, s.target_id, i.role_id, 0, "
    "CASE WHEN s.actor_kind = 'group' THEN s.actor_id END, s.via_kind, s.via_id, "
    "CASE WHEN i.role_id <> s.role_id THEN s.role_id END FROM placed s JOIN imp i ON i.prior_id = s.role_id "
    "LEFT JOIN group_member m ON s.actor_kind = 'group' AND m.group_id = s.actor_id "
    "WHERE s.actor_kind = 'user' OR m.user_id IS NOT NULL) " LISTED("a.group_id, a.via_kind, a.via_id, a.via_role",
                                                                    "acts") "r.domain_id = '' AND " ANY_ACTOR REST);
int store_assignment_each(struct db_conn *c, const struct assignment_filter *f, store_assignment_fn each, void *arg,
                          struct error *e)
{
    struct db_rows rows;
    const struct db_statement *statement = f->effective                   ? &assignment_all_effective
                                           : f->actor_kind && f->actor_id ? &assignment_all_of_actor
                                                                          : &assignment_all;
    int stop = 0, rc = db_query(c, statement, &rows, e,
                                DB_ARGS(db_text(f->actor_kind), db_text(f->actor_id), db_text(f->target_kind),
                                        db_text(f->target_id), db_text(f->role_id),
                                        db_int_opt(f->inherited >= 0 && !f->effective, f->inherited)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct assignment_row row = {.actor_kind = db_get_text(&rows, 0),
                                     .actor_id = db_get_text(&rows, 1),
                                     .target_kind = db_get_text(&rows, 2),
                                     .target_id = db_get_text(&rows, 3),
                                     .role_id = db_get_text(&rows, 4),
                                     .inherited = db_get_int(&rows, 5)};
        struct assignment_names names = {.actor_name = db_get_text(&rows, 6),
                                         .actor_domain_id = db_get_text(&rows, 7),
                                         .actor_domain_name = db_get_text(&rows, 8),
                                         .target_name = db_get_text(&rows, 9),
                                         .target_domain_id = db_get_text(&rows, 10),
                                         .target_domain_name = db_get_text(&rows, 11),
                                         .role_name = db_get_text(&rows, 12),
                                         .role_domain_id = db_get_text(&rows, 13),
                                         .role_domain_name = db_get_text(&rows, 14)};
        struct assignment_origin origin = {.group_id = db_get_text(&rows, 15),
                                           .target_kind = db_get_text(&rows, 16),
                                           .target_id = db_get_text(&rows, 17),
                                           .role_id = db_get_text(&rows, 18)};
        stop = each(arg, &row, &names, &origin, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

static int each_role(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                     store_role_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct role_row row = {.id = db_get_text(&rows, 0),
                               .name = db_get_text(&rows, 1),
                               .domain_id = db_get_text(&rows, 2),
                               .description = db_get_text(&rows, 3),
                               .options = db_get_text(&rows, 4),
                               .extra = db_get_text(&rows, 5)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

#define ROLE "SELECT r.id, r.name, r.domain_id, r.description, r.options, r.extra FROM role r "
DB_STATEMENT(assignment_roles,
             ROLE "JOIN role_assignment a ON a.role_id = r.id WHERE a.actor_kind = $1 AND a.actor_id = $2 "
                  "AND a.target_kind = $3 AND a.target_id = $4 AND a.inherited = $5 ORDER BY r.id");
int store_assignment_each_role(struct db_conn *c, const struct assignment_row *of, store_role_fn each, void *arg,
                               struct error *e)
{
    return each_role(c, &assignment_roles,
                     DB_ARGS(db_text(of->actor_kind), db_text(of->actor_id), db_text(of->target_kind),
                             db_text(of->target_id), db_int(of->inherited)),
                     each, arg, e);
}

DB_STATEMENT(assignment_effective,
             "WITH RECURSIVE up (id) AS (SELECT parent_id FROM project WHERE id = $3 AND $2 = 'project' UNION "
             "SELECT p.parent_id FROM project p JOIN up ON p.id = up.id), "
             "has (role_id) AS (SELECT a.role_id FROM role_assignment a WHERE "
             "((a.actor_kind = 'user' AND a.actor_id = $1) OR (a.actor_kind = 'group' AND a.actor_id IN "
             "(SELECT group_id FROM group_member WHERE user_id = $1))) AND "
             "((a.target_kind = $2 AND a.target_id = $3 AND a.inherited = 0) OR "
             "(a.inherited = 1 AND a.target_id IN (SELECT id FROM up))) "
             "UNION SELECT i.implied_id FROM role_implied i JOIN has ON has.role_id = i.prior_id) " ROLE
             "JOIN has ON has.role_id = r.id WHERE r.domain_id = '' ORDER BY r.name");
int store_assignment_each_effective(struct db_conn *c, const char *user_id, const char *target_kind,
                                    const char *target_id, store_role_fn each, void *arg, struct error *e)
{
    return each_role(c, &assignment_effective, DB_ARGS(db_text(user_id), db_text(target_kind), db_text(target_id)),
                     each, arg, e);
}

DB_STATEMENT(assignment_reaches,
             "WITH RECURSIVE gives (role_id) AS (SELECT id FROM role WHERE name = $3 AND domain_id = '' UNION "
             "SELECT i.prior_id FROM role_implied i JOIN gives ON i.implied_id = gives.role_id) "
             "SELECT COUNT(*) FROM role_assignment a WHERE a.role_id IN (SELECT role_id FROM gives) AND "
             "(a.target_kind IN ('project', 'system') OR a.inherited = 1) AND "
             "((a.actor_kind = $1 AND a.actor_id = $2) OR ($1 = 'user' AND a.actor_kind = 'group' AND a.actor_id IN "
             "(SELECT group_id FROM group_member WHERE user_id = $2)))");
int store_assignment_reaches(struct db_conn *c, const char *actor_kind, const char *actor_id, const char *name,
                             bool *ret, struct error *e)
{
    int64_t count;
    int rc =
        db_query_int(c, &assignment_reaches, &count, e, DB_ARGS(db_text(actor_kind), db_text(actor_id), db_text(name)));
    if (!rc)
        *ret = count > 0;
    return rc;
}

DB_STATEMENT(
    assignment_holders,
    "WITH RECURSIVE gives (role_id) AS (SELECT id FROM role WHERE id = $1 UNION "
    "SELECT i.prior_id FROM role_implied i JOIN gives ON i.implied_id = gives.role_id) "
    "SELECT DISTINCT COALESCE(m.user_id, a.actor_id), a.target_kind, a.target_id, a.inherited FROM role_assignment a "
    "LEFT JOIN group_member m ON a.actor_kind = 'group' AND m.group_id = a.actor_id "
    "WHERE a.role_id IN (SELECT role_id FROM gives) AND (a.actor_kind = 'user' OR m.user_id IS NOT NULL)");
int store_assignment_each_holder(struct db_conn *c, const char *role_id, store_assignment_holder_fn each, void *arg,
                                 struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &assignment_holders, &rows, e, DB_ARGS(db_text(role_id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_text(&rows, 2), db_get_int(&rows, 3), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
