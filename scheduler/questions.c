/* Dry runs. A question is a row {"project_id", "zone", "group_id", "flavor_extra", "hints", "image_properties",
 * "networks", "vcpus", "memory_mib", "disk_gib", "least", "most", "by_host", "spot"}; the answer is {"error", "placed":
 * [host ids], "hosts", "removed": [{"reason", "detail", "hosts"}], "nearest": {"resource", "amount", "hosts", "lacks":
 * ["512 MiB"]}, "refusals": [{"host_id", "reason", "detail", "lacks"}], "wakes": [host ids], "preempts":
 * [{"server_id", "host_id"}]}.
 *
 * Happy path: choose for all servers of the question as a batch, so that each sees the ones before, give the room back,
 * and explain for one more server who refuses. Failure modes: a question that cannot be read or asks for something that
 * is not there is answered with the sentence; a database error ends the round, and the question is found again at the
 * next one. */
#include "scheduler/questions.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/store_placement_question.h"
#include "scheduler/dispatch_internal.h"
#include "scheduler/reading/requirements.h"
#include <string.h>

struct question {
    const char *id, *project_id, *zone, *group_id, *image_kind, *networks;
    json_value *flavor_extra, *hints, *image_properties;
    int64_t vcpus, memory_mib, disk_gib, least, most;
    bool by_host, spot;
};
#define AT(member) .offset = offsetof(struct question, member)
static const struct json_field fields[] = {
    {.name = "project_id", .kind = JSON_TEXT, AT(project_id), .flags = JSON_REQUIRED},
    {.name = "zone", .kind = JSON_TEXT, AT(zone), .flags = JSON_NULLABLE},
    {.name = "group_id", .kind = JSON_TEXT, AT(group_id), .flags = JSON_NULLABLE},
    {.name = "flavor_extra", .kind = JSON_ANY, AT(flavor_extra)},
    {.name = "hints", .kind = JSON_ANY, AT(hints)},
    {.name = "image_properties", .kind = JSON_ANY, AT(image_properties)},
    {.name = "image_kind", .kind = JSON_TEXT, AT(image_kind), .flags = JSON_NULLABLE},
    {.name = "networks", .kind = JSON_TEXT, AT(networks), .flags = JSON_NULLABLE},
    {.name = "vcpus", .kind = JSON_INT, AT(vcpus), .min = 0, .max = INT32_MAX},
    {.name = "memory_mib", .kind = JSON_INT, AT(memory_mib), .min = 0, .max = INT32_MAX},
    {.name = "disk_gib", .kind = JSON_INT, AT(disk_gib), .min = 0, .max = INT32_MAX},
    {.name = "least", .kind = JSON_INT, AT(least), .min = 1, .max = QUESTIONS_COUNT_MAX},
    {.name = "most", .kind = JSON_INT, AT(most), .min = 1, .max = QUESTIONS_COUNT_MAX},
    {.name = "by_host", .kind = JSON_BOOL, AT(by_host)},
    {.name = "spot", .kind = JSON_BOOL, AT(spot)},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static const char *text_of(json_value *object, struct arena *a)
{
    return json_in_is_object(object) ? json_in_print(object, a) : NULL;
}

static void fill(const struct question *q, struct arena *a, struct placement_waiting_row *ret)
{
    const char *hints = text_of(q->hints, a);
    *ret = (struct placement_waiting_row){
        .project_id = q->project_id,
        .zone = q->zone,
        .group_id = q->group_id,
        .flavor_extra = text_of(q->flavor_extra, a),
        .hints = hints ? hints : "{}",
        .image_properties = text_of(q->image_properties, a),
        .image_kind = q->image_kind,
        .networks = q->networks,
        .need = {{q->vcpus, q->memory_mib, q->disk_gib}},
    };
}

static void write_lacks(struct json_out *o, const struct placement_explanation *x)
{
    json_out_array(o, "lacks");
    for (size_t i = 0; i < x->short_count; i++) {
        json_out_textf(o, NULL, "%lld %s", (long long)x->shortage[i].amount, x->shortage[i].resource);
    }
    json_out_array_end(o);
}

static void write_removed(struct json_out *o, const struct placement_explanation *x)
{
    json_out_int(o, "hosts", x->hosts);
    json_out_array(o, "removed");
    for (size_t i = 0; i < x->count; i++) {
        json_out_object(o, NULL);
        json_out_text(o, "reason", x->removed[i].reason);
        json_out_text(o, "detail", x->removed[i].detail);
        json_out_int(o, "hosts", x->removed[i].hosts);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    if (x->short_count == 0) {
        json_out_null(o, "nearest");
        return;
    }
    json_out_object(o, "nearest");
    json_out_text(o, "resource", x->shortage[0].resource);
    json_out_int(o, "amount", x->shortage[0].amount);
    json_out_int(o, "hosts", x->short_hosts);
    write_lacks(o, x);
    json_out_object_end(o);
}

struct refusals {
    const struct placement *placement;
    struct json_out *out;
};

static void write_refusal(void *arg, int32_t slot, const struct placement_explanation *x)
{
    struct refusals *r = arg;
    json_out_object(r->out, NULL);
    json_out_text(r->out, "host_id", placement_host_id(r->placement, slot));
    json_out_text(r->out, "reason", x->removed[0].reason);
    json_out_text(r->out, "detail", x->removed[0].detail);
    write_lacks(r->out, x);
    json_out_object_end(r->out);
}

static void write_wakes(const struct placement *p, const int32_t *slots, size_t count, struct json_out *o)
{
    json_out_array(o, "wakes");
    for (size_t i = 0; slots && i < count; i++) {
        bool told = placement_is_alive(p, slots[i]);
        for (size_t k = 0; k < i && !told; k++) {
            told = slots[k] == slots[i];
        }
        if (!told) {
            json_out_text(o, NULL, placement_host_id(p, slots[i]));
        }
    }
    json_out_array_end(o);
}

static void write_preempts(const struct placement *p, const struct preempt_victim *spot,
                           const struct preempt_plan *plans, size_t count, struct json_out *o)
{
    json_out_array(o, "preempts");
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < plans[i].count; k++) {
            json_out_object(o, NULL);
            json_out_text(o, "server_id", spot[plans[i].victims[k]].id);
            json_out_text(o, "host_id", placement_host_id(p, plans[i].slot));
            json_out_object_end(o);
        }
    }
    json_out_array_end(o);
}

/* What dispatch would do for the least of those that were refused: wake hosts, or let spot servers go. */
static int write_room(struct dispatch *d, const struct question *q, bool refused, struct placement_request *r,
                      struct arena *a, struct json_out *o, struct error *e)
{
    size_t count = (size_t)q->least, spot_count = 0;
    struct preempt_victim *spot = NULL;
    struct preempt_plan *plans = arena_array(a, count, sizeof(*plans));
    struct placement_group_host *members = arena_array(a, r->member_count + count + 1, sizeof(*members));
    const int32_t *slots = refused ? dispatch_choose_asleep(d, r, count, a) : NULL;
    int rc = refused && !slots && !q->spot ? dispatch_read_spot(d, a, &spot, &spot_count, e) : 0;
    requirements_make_room(r, count, a);
    bool planned =
        !rc && spot_count > 0 && preempt_choose_batch(d->feed.placement, r, count, spot, spot_count, members, plans);
    write_wakes(d->feed.placement, slots, count, o);
    write_preempts(d->feed.placement, spot, plans, planned ? count : 0, o);
    return rc;
}

/* Places as many as fit, tells where, and gives all of it back. Returns how many. */
static size_t write_placed(struct placement *p, const struct question *q, struct placement_request *r, struct arena *a,
                           struct json_out *o)
{
    int32_t *slots = arena_array(a, (size_t)q->most, sizeof(*slots));
    struct placement_group_host *members = arena_array(a, r->member_count + (size_t)q->most, sizeof(*members));
    struct placement_explanation x;
    requirements_make_room(r, (size_t)q->most, a);
    size_t count = placement_choose_batch(p, r, 1, (size_t)q->most, members, slots);
    json_out_array(o, "placed");
    for (size_t i = 0; i < count; i++) {
        json_out_text(o, NULL, placement_host_id(p, slots[i]));
    }
    json_out_array_end(o);
    /* Who refuses: with what was placed in place when not all fitted, as things are when they did. */
    bool short_of_room = count < (size_t)q->most;
    if (short_of_room && r->policy != PLACEMENT_GROUP_NONE) {
        r->members = members;
        while (members[r->member_count].count > 0) { /* fewer are added than there is room for */
            r->member_count++;
        }
    }
    for (size_t i = 0; !short_of_room && i < count; i++) {
        struct placement_extra extra = placement_extra_at(r, i);
        placement_release(p, slots[i], &r->need, &extra);
    }
    placement_explain(p, r, &x);
    write_removed(o, &x);
    json_out_array(o, "refusals");
    if (q->by_host) {
        placement_explain_each(p, r, QUESTIONS_HOSTS_MAX, write_refusal, &(struct refusals){p, o});
    }
    json_out_array_end(o);
    for (size_t i = 0; short_of_room && i < count; i++) {
        struct placement_extra extra = placement_extra_at(r, i);
        placement_release(p, slots[i], &r->need, &extra);
    }
    return count;
}

static int write_answer(struct dispatch *d, json_value *root, struct arena *a, struct json_out *o, struct error *e)
{
    struct question q = {.least = 1, .most = 1};
    struct placement_waiting_row row;
    struct placement_request r;
    struct error reason = {0};
    int rc = json_in_read(root, &table, &q, a, &reason);
    if (!rc) {
        fill(&q, a, &row);
        rc = requirements_read(d->conn, d->feed.placement, &row, a, &r, &reason);
    }
    if (rc && rc != ERR_INVALID && rc != ERR_NO_VALID_HOST) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    json_out_object(o, NULL);
    json_out_text(o, "error", rc ? error_text(&reason) : NULL);
    if (!rc) {
        struct placement_request asked = r;
        size_t placed = write_placed(d->feed.placement, &q, &r, a, o);
        rc = write_room(d, &q, placed < (size_t)q.least, &asked, a, o, e);
    } else {
        rc = 0;
    }
    json_out_object_end(o);
    return rc;
}

struct round {
    struct dispatch *d;
    struct arena arena;
    struct question_text {
        char id[40];
        const char *request;
        const char *answer;
    } items[QUESTIONS_AT_ONCE];
    size_t count;
};

static int collect(void *arg, const char *id, const char *request, struct error *e)
{
    (void)e;
    struct round *r = arg;
    struct question_text *q = &r->items[r->count++];
    strncpy(q->id, id, sizeof(q->id) - 1);
    q->request = arena_strdup(&r->arena, request);
    return 0;
}

static int think(struct round *r, struct question_text *q, struct error *e)
{
    struct strbuf text;
    struct json_out out;
    struct json_doc doc;
    int rc = json_in_parse(q->request, strlen(q->request), &doc, e);
    if (rc) {
        return rc;
    }
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    rc = write_answer(r->d, doc.root, &r->arena, &out, e);
    if (!rc) {
        q->answer = arena_strdup(&r->arena, text.data);
    }
    strbuf_done(&text);
    json_in_done(&doc);
    return rc;
}

static int write_answers(struct db_conn *c, void *arg, struct error *e)
{
    struct round *r = arg;
    int rc = 0;
    for (size_t i = 0; !rc && i < r->count; i++) {
        rc = store_placement_question_answer(c, r->items[i].id, r->items[i].answer, e);
    }
    return rc;
}

int questions_answer(struct dispatch *d, struct error *e)
{
    if (!d->leader) {
        return 0;
    }
    struct round r = {.d = d};
    arena_init(&r.arena);
    int rc = store_placement_question_open(d->conn, clock_now_us(), QUESTIONS_AT_ONCE, collect, &r, e);
    for (size_t i = 0; !rc && i < r.count; i++) {
        rc = think(&r, &r.items[i], e);
    }
    if (!rc && r.count > 0) {
        rc = db_transact(d->conn, write_answers, &r, e);
    }
    arena_done(&r.arena);
    return rc;
}
