/* Spot servers that go for a server that found no room. Happy path: the plan is made when the server is refused; in the
 * batch's transaction each of them gets notice, and the server is parked until they are gone (room.c). Who is planned
 * for once goes for nobody else. A room that somebody else took meanwhile: it is planned anew. */
#include "common/clock.h"
#include "common/json_in.h"
#include "common/log.h"
#include "db/store_preemption.h"
#include "scheduler/dispatch_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct placement *placement;
    struct arena *arena;
    struct preempt_victim *list;
    size_t count, room;
};
struct reading {
    struct placement *placement;
    struct placement_extra *extra;
};

static int add_class(void *arg, const char *name, json_value *value)
{
    struct reading *r = arg;
    if (r->extra->count < PLACEMENT_CLASSES_MAX) {
        r->extra->item[r->extra->count].class = placement_class_number(r->placement, name);
        json_in_int(value, &r->extra->item[r->extra->count++].amount);
    }
    return 0;
}

/* Its further resources (dedicated processors are among them), and its part of the host's cells. */
static int read_held(struct loading *l, const struct preemption_victim_row *row, struct preempt_victim *v,
                     struct error *e)
{
    struct reading r = {l->placement, &v->extra};
    struct json_doc doc;
    int rc = row->resources ? json_in_parse(row->resources, strlen(row->resources), &doc, e) : 0;
    if (!rc && row->resources) {
        json_in_each(doc.root, add_class, &r);
        json_in_done(&doc);
    }
    if (!rc && row->topology) {
        struct numa_given *given = arena_alloc(l->arena, sizeof(*given));
        rc = numa_given_read(row->topology, given, e);
        v->given = given;
    }
    return rc;
}

static int add_victim(void *arg, const struct preemption_victim_row *row, struct error *e)
{
    struct loading *l = arg;
    int32_t slot = placement_slot(l->placement, row->host_id);
    if (slot == PLACEMENT_NO_SLOT) {
        return 0;
    }
    l->list = arena_more(l->arena, l->list, l->count, &l->room, sizeof(*l->list));
    struct preempt_victim *v = &l->list[l->count++];
    *v = (struct preempt_victim){.id = arena_strdup(l->arena, row->id), .slot = slot, .held = row->held};
    return read_held(l, row, v, e);
}

static int by_slot(const void *a, const void *b)
{
    const struct preempt_victim *x = a, *y = b;
    return x->slot != y->slot ? (x->slot > y->slot) - (x->slot < y->slot) : strcmp(x->id, y->id);
}

int dispatch_read_spot(struct dispatch *d, struct arena *a, struct preempt_victim **ret, size_t *ret_count,
                       struct error *e)
{
    struct loading l = {.placement = d->feed.placement, .arena = a};
    int rc = store_preemption_victims(d->conn, add_victim, &l, e);
    if (!rc && l.count > 1) {
        qsort(l.list, l.count, sizeof(*l.list), by_slot);
    }
    if (!rc) {
        *ret = l.list;
        *ret_count = l.count;
    }
    return rc;
}

int dispatch_preempt(struct batch *b, const struct placement_request *r, size_t count, struct preempt_plan *plans,
                     char **refusal, bool *ret_planned, struct arena *a, struct error *e)
{
    char text[CLOCK_TEXT_SIZE];
    size_t victims = 0;
    int rc = b->spot_known ? 0 : dispatch_read_spot(b->d, a, &b->spot, &b->spot_count, e);
    *ret_planned = false;
    b->spot_known = !rc;
    if (rc || b->spot_count == 0) {
        return rc;
    }
    struct placement_group_host *members = arena_array(a, r->member_count + count + 1, sizeof(*members));
    if (!preempt_choose_batch(b->d->feed.placement, r, count, b->spot, b->spot_count, members, plans)) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        victims += plans[i].count;
    }
    *ret_planned = true;
    *refusal = arena_printf(a, "%s; %zu spot server%s will be gone by %s", *refusal, victims, victims == 1 ? "" : "s",
                            clock_text(b->now_us + b->d->spot_notice_us, CLOCK_ISO_Z, text));
    return 0;
}

int dispatch_write_preemption(struct db_conn *c, const struct batch *b, const struct decision *x, struct error *e)
{
    char text[CLOCK_TEXT_SIZE], message[128];
    int64_t due_us = b->now_us + b->d->spot_notice_us;
    int rc = store_preemption_park(c, x->server->id, x->refusal, b->now_us, e);
    snprintf(message, sizeof(message), "It goes at %s: its room is needed", clock_text(due_us, CLOCK_ISO_Z, text));
    for (size_t i = 0; !rc && x->plan && i < x->plan->count; i++) {
        struct preemption_row row = {.server_id = b->spot[x->plan->victims[i]].id,
                                     .host_id = placement_host_id(b->d->feed.placement, x->plan->slot),
                                     .for_server_id = x->server->id,
                                     .noticed_us = b->now_us,
                                     .due_us = due_us};
        rc = store_preemption_notice(c, &row, message, e);
        log_info("spot server has to go", "server=%s for=%s", row.server_id, row.for_server_id);
    }
    return rc;
}
