/* Elastic groups: one mapper for groups, one for members with what is known of their servers. */
#include "db/store_elastic.h"

#define GROUP_COLUMNS                                                                                                  \
    "id, project_id, user_id, name, template, version, previous_template, minimum, maximum, desired, zones, "          \
    "server_group_id, cooldown_s, grace_s, batch, paused, deleting, numbered, scaled_us, failures, retry_us, "         \
    "message, next_us, created_us, updated_us, http_check"

/* Texts are copied into `a`, or borrowed when it is NULL. */
static const char *text_of(const struct db_rows *rows, int column, struct arena *a)
{
    return a != NULL ? db_dup_text(rows, column, a) : db_get_text(rows, column);
}

static void map_group(const struct db_rows *rows, struct arena *a, struct elastic_group_row *ret)
{
    *ret = (struct elastic_group_row){
        .id = text_of(rows, 0, a),
        .project_id = text_of(rows, 1, a),
        .user_id = text_of(rows, 2, a),
        .name = text_of(rows, 3, a),
        .template = text_of(rows, 4, a),
        .version = db_get_int(rows, 5),
        .previous_template = text_of(rows, 6, a),
        .minimum = db_get_int(rows, 7),
        .maximum = db_get_int(rows, 8),
        .desired = db_get_int(rows, 9),
        .zones = text_of(rows, 10, a),
        .server_group_id = text_of(rows, 11, a),
        .cooldown_s = db_get_int(rows, 12),
        .grace_s = db_get_int(rows, 13),
        .batch = db_get_int(rows, 14),
        .paused = db_get_int(rows, 15) != 0,
        .deleting = db_get_int(rows, 16) != 0,
        .numbered = db_get_int(rows, 17),
        .scaled_us = db_get_int(rows, 18),
        .failures = db_get_int(rows, 19),
        .retry_us = db_get_int(rows, 20),
        .message = text_of(rows, 21, a),
        .next_us = db_get_int(rows, 22),
        .created_us = db_get_int(rows, 23),
        .updated_us = db_get_int(rows, 24),
        .http_check = text_of(rows, 25, a),
    };
}

DB_STATEMENT(elastic_insert,
             "INSERT INTO elastic_group (" GROUP_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
             "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)");
int store_elastic_insert(struct db_conn *c, const struct elastic_group_row *row, struct error *e)
{
    return db_exec(c, &elastic_insert, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->project_id), db_text(row->user_id), db_text(row->name),
                           db_text(row->template), db_int(row->version), db_text(row->previous_template),
                           db_int(row->minimum), db_int(row->maximum), db_int(row->desired), db_text(row->zones),
                           db_text(row->server_group_id), db_int(row->cooldown_s), db_int(row->grace_s),
                           db_int(row->batch), db_int(row->paused), db_int(row->deleting), db_int(row->numbered),
                           db_int(row->scaled_us), db_int(row->failures), db_int(row->retry_us), db_text(row->message),
                           db_int(row->next_us), db_int(row->created_us), db_int(row->updated_us),
                           db_text(row->http_check)));
}

DB_STATEMENT(elastic_get,
             "SELECT " GROUP_COLUMNS " FROM elastic_group WHERE id = $1 AND (project_id = $2 OR $2 IS NULL)");
int store_elastic_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                      struct elastic_group_row *ret, struct error *e)
{
    struct db_rows rows;
    struct elastic_group_row row;
    int rc = db_query(c, &elastic_get, &rows, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        map_group(&rows, a, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Group %s could not be found.", id);
    if (!rc)
        *ret = row;
    return rc;
}

static int walk(struct db_rows *rows, store_elastic_fn each, void *arg, struct error *e)
{
    int stop = 0;
    while (!stop && db_next(rows)) {
        struct elastic_group_row row;
        map_group(rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    int rc = db_rows_done(rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(elastic_list_own, "SELECT " GROUP_COLUMNS " FROM elastic_group WHERE project_id = $1 AND id > $2 "
                               "ORDER BY id LIMIT $3");
DB_STATEMENT(elastic_list_all, "SELECT " GROUP_COLUMNS " FROM elastic_group WHERE id > $1 ORDER BY id LIMIT $2");
int store_elastic_list(struct db_conn *c, const char *project_id, const struct page *page, store_elastic_fn each,
                       void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = project_id != NULL ? db_query(c, &elastic_list_own, &rows, e,
                                           DB_ARGS(db_text(project_id), PAGE_AFTER(page), PAGE_LIMIT(page)))
                                : db_query(c, &elastic_list_all, &rows, e, DB_ARGS(PAGE_AFTER(page), PAGE_LIMIT(page)));
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(elastic_count, "SELECT COUNT(*) FROM elastic_group WHERE project_id = $1");
int store_elastic_count(struct db_conn *c, const char *project_id, int64_t *ret, struct error *e)
{
    return db_query_int(c, &elastic_count, ret, e, DB_ARGS(db_text(project_id)));
}

DB_STATEMENT(elastic_write,
             "UPDATE elastic_group SET name = $2, template = $3, version = $4, previous_template = $5, minimum = $6, "
             "maximum = $7, desired = $8, zones = $9, server_group_id = $10, cooldown_s = $11, grace_s = $12, "
             "batch = $13, paused = $14, deleting = $15, numbered = $16, scaled_us = $17, failures = $18, "
             "retry_us = $19, message = $20, next_us = $21, updated_us = $22, http_check = $23 WHERE id = $1");
int store_elastic_write(struct db_conn *c, const struct elastic_group_row *row, struct error *e)
{
    return db_exec(c, &elastic_write, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->template), db_int(row->version),
                           db_text(row->previous_template), db_int(row->minimum), db_int(row->maximum),
                           db_int(row->desired), db_text(row->zones), db_text(row->server_group_id),
                           db_int(row->cooldown_s), db_int(row->grace_s), db_int(row->batch), db_int(row->paused),
                           db_int(row->deleting), db_int(row->numbered), db_int(row->scaled_us), db_int(row->failures),
                           db_int(row->retry_us), db_text(row->message), db_int(row->next_us), db_int(row->updated_us),
                           db_text(row->http_check)));
}

DB_STATEMENT(elastic_delete_metrics, "DELETE FROM elastic_metric WHERE group_id = $1");
DB_STATEMENT(elastic_delete_policies, "DELETE FROM elastic_policy WHERE group_id = $1");
DB_STATEMENT(elastic_delete_events, "DELETE FROM elastic_event WHERE group_id = $1");
DB_STATEMENT(elastic_delete, "DELETE FROM elastic_group WHERE id = $1");
int store_elastic_delete(struct db_conn *c, const char *id, struct error *e)
{
    const struct db_statement *const all[] = {&elastic_delete_metrics, &elastic_delete_policies, &elastic_delete_events,
                                              &elastic_delete};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
        rc = db_exec(c, all[i], NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(elastic_due, "SELECT id FROM elastic_group WHERE next_us <= $1 ORDER BY next_us LIMIT $2");
int store_elastic_due(struct db_conn *c, int64_t now_us, int64_t limit, struct arena *a, const char **ret_ids,
                      size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    size_t count = 0;
    int rc = db_query(c, &elastic_due, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    if (rc)
        return rc;
    while (db_next(&rows))
        ret_ids[count++] = db_dup_text(&rows, 0, a);
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret_count = count;
    return rc;
}

static int word(const char *text, int (*parse)(const char *), int *ret_bad)
{
    int value = parse(text);
    *ret_bad |= value < 0;
    return value < 0 ? 0 : value;
}

static int map_member(const struct db_rows *rows, struct arena *a, struct elastic_member_row *ret, struct error *e)
{
    int bad = 0;
    *ret = (struct elastic_member_row){
        .server_id = db_dup_text(rows, 0, a),
        .group_id = db_dup_text(rows, 1, a),
        .version = db_get_int(rows, 2),
        .zone = db_dup_text(rows, 3, a),
        .state = (enum elastic_health)word(db_get_text(rows, 4), elastic_health_parse, &bad),
        .reason = db_dup_text(rows, 5, a),
        .created_us = db_get_int(rows, 6),
        .healthy_us = db_get_int(rows, 7),
        .cpu_ns = db_get_int(rows, 8),
        .cpu_at_us = db_get_int(rows, 9),
        .cpu_permille = db_get_int(rows, 10),
        .is_there = !db_is_null(rows, 11),
        .check_state = db_dup_text(rows, 22, a),
        .check_message = db_dup_text(rows, 23, a),
    };
    if (ret->is_there) {
        ret->name = db_dup_text(rows, 11, a);
        ret->fault = db_dup_text(rows, 12, a);
        ret->situation = (struct server_situation){
            .exists = db_get_int(rows, 13) != 0,
            .power = (enum server_power)word(db_get_text(rows, 14), server_power_parse, &bad),
            .placement = (enum server_placement)word(db_get_text(rows, 15), server_placement_parse, &bad),
            .state = (enum server_state)word(db_get_text(rows, 16), server_state_parse, &bad),
            .fault = !db_is_null(rows, 17),
        };
        ret->vcpus = db_get_int(rows, 18);
        ret->host_seen_us = db_get_int(rows, 19);
        ret->sample_ns = db_get_int(rows, 20);
        ret->sample_us = db_get_int(rows, 21);
    }
    return bad ? error_set(e, ERR_CORRUPT, "member %s has a state that nobody knows", ret->server_id) : 0;
}

DB_STATEMENT(elastic_members,
             "SELECT m.server_id, m.group_id, m.version, m.zone, m.state, m.reason, m.created_us, m.healthy_us, "
             "m.cpu_ns, m.cpu_at_us, m.cpu_permille, s.name, s.fault_message, s.desired_exists, s.desired_power, "
             "s.placement, s.observed_state, s.fault_code, s.vcpus, h.seen_us, x.cpu_ns, x.at_us, "
             "m.check_state, m.check_message "
             "FROM elastic_member m LEFT JOIN server s ON s.id = m.server_id LEFT JOIN host h ON h.id = s.host_id "
             "LEFT JOIN usage_name n ON n.kind = 'server' AND n.text = m.server_id "
             "LEFT JOIN usage_name o ON o.kind = 'host' AND o.text = s.host_id "
             "LEFT JOIN counter_stream x ON x.subject_no = n.no AND x.host_no = o.no WHERE m.group_id = $1 "
             "ORDER BY m.created_us, m.server_id");
int store_elastic_members(struct db_conn *c, const char *group_id, struct arena *a,
                          struct elastic_member_row **ret_rows, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct elastic_member_row *list = NULL;
    size_t count = 0, room = 0;
    int bad = 0, rc = db_query(c, &elastic_members, &rows, e, DB_ARGS(db_text(group_id)));
    if (rc)
        return rc;
    while (!bad && db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        bad = map_member(&rows, a, &list[count++], e);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && !bad) {
        *ret_rows = list;
        *ret_count = count;
    }
    return bad ? bad : rc;
}

DB_STATEMENT(elastic_add_member,
             "INSERT INTO elastic_member (server_id, group_id, version, zone, state, reason, created_us, healthy_us, "
             "cpu_ns, cpu_at_us, cpu_permille) VALUES ($1, $2, $3, $4, $5, NULL, $6, 0, 0, 0, -1)");
int store_elastic_add_member(struct db_conn *c, const struct elastic_member_row *row, struct error *e)
{
    return db_exec(c, &elastic_add_member, NULL, e,
                   DB_ARGS(db_text(row->server_id), db_text(row->group_id), db_int(row->version), db_text(row->zone),
                           db_text(elastic_health_name(row->state)), db_int(row->created_us)));
}

DB_STATEMENT(elastic_write_member, "UPDATE elastic_member SET state = $2, reason = $3, healthy_us = $4, cpu_ns = $5, "
                                   "cpu_at_us = $6, cpu_permille = $7 WHERE server_id = $1");
int store_elastic_write_member(struct db_conn *c, const struct elastic_member_row *row, struct error *e)
{
    return db_exec(c, &elastic_write_member, NULL, e,
                   DB_ARGS(db_text(row->server_id), db_text(elastic_health_name(row->state)), db_text(row->reason),
                           db_int(row->healthy_us), db_int(row->cpu_ns), db_int(row->cpu_at_us),
                           db_int(row->cpu_permille)));
}

DB_STATEMENT(elastic_remove_member, "DELETE FROM elastic_member WHERE server_id = $1");
int store_elastic_remove_member(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &elastic_remove_member, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(elastic_postpone, "UPDATE elastic_group SET next_us = $2 WHERE id = $1");
int store_elastic_postpone(struct db_conn *c, const char *id, int64_t next_us, struct error *e)
{
    return db_exec(c, &elastic_postpone, NULL, e, DB_ARGS(db_text(id), db_int(next_us)));
}
