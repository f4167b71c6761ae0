/* What a reservation holds, for the bill: the ledger's interval of its free slots ends and begins in the transaction in
 * which their number changes, as does what each host keeps free for it. */
#include "common/json_out.h"
#include "db/store_ledger.h"
#include "db/store_reservation.h"
#include <string.h>

static char *print_amounts(const struct reservation_row *r, struct arena *a)
{
    static const char *const names[RESOURCE_COUNT] = {"reserved_vcpu", "reserved_memory_mib", "reserved_disk_gib"};
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_int(&out, "reservation", r->free);
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (r->need.amount[i] > 0)
            json_out_int(&out, names[i], r->free * r->need.amount[i]);
    }
    json_out_object_end(&out);
    char *copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

DB_STATEMENT(reservation_past_end,
             "UPDATE reservation_past SET until_us = CASE WHEN from_us > $2 THEN from_us ELSE $2 END WHERE "
             "reservation_id = $1 AND until_us = 9223372036854775807 AND NOT EXISTS (SELECT 1 FROM reservation_slot t "
             "WHERE t.id = reservation_past.slot_id AND t.server_id IS NULL)");
DB_STATEMENT(reservation_past_begin,
             "INSERT INTO reservation_past (slot_id, reservation_id, host_id, vcpus, from_us, until_us) SELECT t.id, "
             "t.reservation_id, t.host_id, r.vcpus, $2, 9223372036854775807 FROM reservation_slot t JOIN reservation r "
             "ON r.id = t.reservation_id WHERE t.reservation_id = $1 AND t.server_id IS NULL AND NOT EXISTS (SELECT 1 "
             "FROM reservation_past p WHERE p.slot_id = t.id AND p.until_us = 9223372036854775807)");
/* Where the slots are free, and where not any more. */
static int note_slots(struct db_conn *c, const char *id, int64_t now_us, struct error *e)
{
    int rc = db_exec(c, &reservation_past_end, NULL, e, DB_ARGS(db_text(id), db_int(now_us)));
    return rc ? rc : db_exec(c, &reservation_past_begin, NULL, e, DB_ARGS(db_text(id), db_int(now_us)));
}

int store_reservation_meter(struct db_conn *c, const char *id, int64_t now_us, struct arena *a, struct error *e)
{
    struct reservation_row r;
    int rc = store_reservation_get(c, id, NULL, a, &r, e);
    if (rc)
        return rc;
    const struct ledger_shape shape = {.source = "reservation",
                                       .state = "held",
                                       .flavor = r.flavor_name,
                                       .zone = r.zone ? r.zone : "",
                                       .region = "",
                                       .tags = "[]",
                                       .extra = print_amounts(&r, a)};
    rc = note_slots(c, r.id, now_us, e);
    return rc ? rc : store_ledger_hold(c, r.id, r.free > 0 ? r.project_id : NULL, &shape, now_us, e);
}
