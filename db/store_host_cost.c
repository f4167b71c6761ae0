/* Costs of hosts. */
#include "db/store_host_cost.h"

DB_STATEMENT(host_cost_put,
             "INSERT INTO host_cost (kind, name, from_us, nano_per_hour, set_us) VALUES ($1, $2, $3, $4, "
             "$5) ON CONFLICT (kind, name, from_us) DO UPDATE SET nano_per_hour = "
             "excluded.nano_per_hour, set_us = excluded.set_us");
int store_host_cost_put(struct db_conn *c, const struct host_cost_row *r, struct error *e)
{
    return db_exec(
        c, &host_cost_put, NULL, e,
        DB_ARGS(db_text(r->kind), db_text(r->name), db_int(r->from_us), db_int(r->nano_per_hour), db_int(r->set_us)));
}

DB_STATEMENT(host_cost_list,
             "SELECT kind, name, from_us, nano_per_hour, set_us FROM host_cost ORDER BY kind, name, from_us");
int store_host_cost_list(struct db_conn *c, struct arena *a, struct host_cost_row **ret, size_t *ret_count,
                         struct error *e)
{
    struct host_cost_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &host_cost_list, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct host_cost_row){.kind = db_dup_text(&rows, 0, a),
                                               .name = db_dup_text(&rows, 1, a),
                                               .from_us = db_get_int(&rows, 2),
                                               .nano_per_hour = db_get_int(&rows, 3),
                                               .set_us = db_get_int(&rows, 4)};
    }
    rc = db_rows_done(&rows, e);
    *ret = list;
    *ret_count = rc ? 0 : count;
    return rc;
}

DB_STATEMENT(host_cost_lives,
             "SELECT id, name, zone, hypervisor, vcpus, reserved_vcpus, ratio_vcpus, enrolled_us, 9223372036854775807 "
             "AS gone_us FROM host UNION ALL SELECT id, name, zone, hypervisor, vcpus, reserved_vcpus, ratio_vcpus, "
             "enrolled_us, gone_us FROM host_past ORDER BY name, gone_us");
int store_host_cost_lives(struct db_conn *c, struct arena *a, struct host_life_row **ret, size_t *ret_count,
                          struct error *e)
{
    struct host_life_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &host_cost_lives, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct host_life_row){.id = db_dup_text(&rows, 0, a),
                                               .name = db_dup_text(&rows, 1, a),
                                               .zone = db_dup_text(&rows, 2, a),
                                               .hypervisor = db_dup_text(&rows, 3, a),
                                               .vcpus = db_get_int(&rows, 4),
                                               .reserved_vcpus = db_get_int(&rows, 5),
                                               .ratio_permille = db_get_int(&rows, 6),
                                               .enrolled_us = db_get_int(&rows, 7),
                                               .gone_us = db_get_int(&rows, 8)};
    }
    rc = db_rows_done(&rows, e);
    *ret = list;
    *ret_count = rc ? 0 : count;
    return rc;
}
