/* What a reservation holds, for the bill: the ledger's interval of its free slots ends and begins in the transaction in
 * which their number changes. */
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
    return store_ledger_hold(c, r.id, r.free > 0 ? r.project_id : NULL, &shape, now_us, e);
}
