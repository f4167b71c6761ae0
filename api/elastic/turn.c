/* A group's turn. Rows decide everything, so a turn may end anywhere and the next one goes on: members that are half
 * made were rolled back, those that are made are rows.
 *
 * Happy path: each member's health from its server; policies; the pure plan; servers are made as POST /servers makes
 * them, in the name of who made the group, each in a savepoint of its own; others are deleted.
 *
 * Failure modes: a server cannot be made (quota, no such image any more), or dies before it was healthy: the group
 * keeps the reason and waits, longer after each failure, and a rolling update stands still. */
#include "api/elastic/turn.h"
#include "api/api.h"
#include "api/compute/server_life.h"
#include "api/elastic/scaling.h"
#include "api/elastic/template.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/store_elastic_policy.h"
#include "db/store_server_group.h"
#include <stdio.h>
#include <string.h>

#define AT_ONCE      50 /* members made or removed in one turn */
#define SILENT_US    (120 * CLOCK_SECOND_US)
#define BUSY_US      (1 * CLOCK_SECOND_US)
#define REST_US      (10 * CLOCK_SECOND_US)
#define MEASURING_US (3 * CLOCK_SECOND_US)
#define KEEP_US      (7 * 86400 * CLOCK_SECOND_US)

int turn_note(struct turn *t, const char *kind, struct error *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(t->arena, format, args);
    va_end(args);
    log_info("elastic group", "group=%s event=%s text=\"%s\"", t->group.id, kind, text);
    return store_elastic_policy_event_add(t->conn, t->group.id, kind, text, t->now_us, e);
}

static void fail(struct turn *t, const char *message)
{
    t->group.failures++;
    t->group.retry_us = t->now_us + elastic_wait_s(t->group.failures) * CLOCK_SECOND_US;
    t->group.message = message;
}

static bool is_late(const struct turn *t, const struct elastic_member_row *m)
{
    return t->now_us - m->created_us > t->group.grace_s * CLOCK_SECOND_US;
}

/* What it says by HTTP, when it runs. Until it has answered once it has its grace; one that nobody can ask, or of which
 * no agent tells, is as healthy as it looks. */
static enum elastic_health judge_answer(const struct turn *t, const struct elastic_member_row *m,
                                        const char **ret_reason)
{
    bool fails = m->check_state && strcmp(m->check_state, "failing") == 0;
    if (m->healthy_us == 0 && !is_late(t, m) && (fails || !m->check_state))
        return ELASTIC_STARTING;
    if (!fails)
        return ELASTIC_HEALTHY;
    *ret_reason = arena_printf(t->arena, "HTTP check: %s", m->check_message ? m->check_message : "it fails");
    return ELASTIC_SICK;
}

/* What a member's server says about its health. */
static enum elastic_health judge(const struct turn *t, const struct elastic_member_row *m, const char **ret_reason)
{
    const struct server_situation *s = &m->situation;
    *ret_reason = NULL;
    if (!s->exists)
        return ELASTIC_LEAVING;
    if (s->fault || s->placement == SERVER_PLACEMENT_FAILED) {
        *ret_reason = m->fault != NULL ? m->fault : "it is in ERROR";
        return ELASTIC_SICK;
    }
    if (s->state == SERVER_STATE_RUNNING && s->power == SERVER_POWER_RUNNING) {
        if (m->host_seen_us != 0 && t->now_us - m->host_seen_us > SILENT_US) {
            *ret_reason = "its host is silent";
            return ELASTIC_SICK;
        }
        if (t->group.http_check)
            return judge_answer(t, m, ret_reason);
        return ELASTIC_HEALTHY;
    }
    if (m->healthy_us != 0) {
        *ret_reason = arena_printf(t->arena, "it is %s", server_state_name(s->state));
        return ELASTIC_SICK;
    }
    if (s->placement == SERVER_PLACEMENT_PLACED && is_late(t, m)) {
        *ret_reason = arena_printf(t->arena, "it was not healthy within %lld s", (long long)t->group.grace_s);
        return ELASTIC_SICK;
    }
    return ELASTIC_STARTING;
}

/* CPU between the last two samples, in thousandths of all VCPUs. */
static bool measure(struct elastic_member_row *m)
{
    int64_t span_us = m->sample_us - m->cpu_at_us, used_ns = m->sample_ns - m->cpu_ns;
    if (m->sample_us == 0 || span_us <= 0 || m->vcpus <= 0)
        return false;
    if (m->cpu_at_us != 0 && used_ns >= 0)
        m->cpu_permille = elastic_clamp(used_ns / span_us / m->vcpus, 0, 1000);
    m->cpu_ns = m->sample_ns;
    m->cpu_at_us = m->sample_us;
    return true;
}

static bool has_old(const struct turn *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->members[i].version != t->group.version)
            return true;
    return false;
}

/* A member turned sick. */
static int note_sick(struct turn *t, struct elastic_member_row *m, struct error *e)
{
    int rc = turn_note(t, "sick", e, "%s: %s", m->name, m->reason);
    if (m->healthy_us != 0 || rc)
        return rc;
    fail(t, arena_printf(t->arena, "%s: %s", m->name, m->reason));
    if (m->version != t->group.version || t->group.paused || !has_old(t))
        return 0;
    t->group.paused = true;
    return turn_note(t, "paused", e, "the rolling update stands still: %s failed", m->name);
}

static int look_at(struct turn *t, struct elastic_member_row *m, struct error *e)
{
    const char *reason;
    enum elastic_health health = judge(t, m, &reason);
    bool measured = measure(m), changed = health != m->state;
    m->state = health;
    m->reason = reason;
    if (health == ELASTIC_HEALTHY && m->healthy_us == 0) {
        m->healthy_us = t->now_us;
        t->group.failures = t->group.retry_us = 0;
        t->group.message = NULL;
    }
    int rc = changed || measured ? store_elastic_write_member(t->conn, m, e) : 0;
    return !rc && changed && health == ELASTIC_SICK ? note_sick(t, m, e) : rc;
}

static int look(struct turn *t, struct error *e)
{
    size_t kept = 0;
    int rc = store_elastic_members(t->conn, t->group.id, t->arena, &t->members, &t->count, e);
    for (size_t i = 0; !rc && i < t->count; i++) {
        struct elastic_member_row *m = &t->members[i];
        if (!m->is_there) {
            rc = store_elastic_remove_member(t->conn, m->server_id, e);
            if (!rc && m->state != ELASTIC_LEAVING)
                rc = turn_note(t, "gone", e, "server %s was deleted by somebody else", m->server_id);
            continue;
        }
        rc = look_at(t, m, e);
        t->members[kept++] = *m;
    }
    t->count = rc ? t->count : kept;
    return rc;
}

/* ---- making and removing ---- */

struct making {
    struct turn *turn;
    struct request request; /* as if the maker of the group had asked */
    struct template template;
    struct servers_found found;
    const char *zone;
};

/* One member in a savepoint of its own. */
static int make_one(struct db_conn *c, void *arg, struct error *e)
{
    struct making *x = arg;
    struct turn *t = x->turn;
    struct servers_wish wish = x->template.wish;
    struct server_row row = {0};
    int64_t count = 0;
    error_clear(&x->request.error);
    wish.name = arena_printf(t->arena, "%.200s-%lld", t->group.name, (long long)t->group.numbered + 1);
    wish.zone = x->zone;
    wish.group_id = t->group.server_group_id;
    int rc = servers_create_take_quota(&x->request, &wish, &x->found.flavor, &count);
    if (!rc)
        rc = servers_create_insert(&x->request, &wish, &x->found, 1, &row);
    if (rc)
        return error_set(e, rc, "%s", error_text(&x->request.error));
    struct elastic_member_row member = {.server_id = row.id,
                                        .group_id = t->group.id,
                                        .zone = x->zone,
                                        .version = t->group.version,
                                        .state = ELASTIC_STARTING,
                                        .created_us = t->now_us};
    rc = store_elastic_add_member(c, &member, e);
    return rc ? rc : turn_note(t, "made", e, "%s%s%s", wish.name, x->zone ? " in " : "", x->zone ? x->zone : "");
}

static int look_up(struct making *x)
{
    x->template.wish.zone = x->zone;
    x->template.wish.group_id = x->turn->group.server_group_id;
    int rc = servers_create_look_up(&x->request, &x->template.wish, &x->found);
    return rc ? rc : servers_create_find_network(&x->request, &x->template.wish);
}

/* Errors that the tenant can cause end the making and are kept; others end the turn. */
static bool is_ours(int code)
{
    return code == ERR_DATABASE || code == ERR_SERIALIZATION || code == ERR_UNAVAILABLE || code == ERR_NO_SPACE ||
           code == ERR_BUSY || code == ERR_CORRUPT;
}

static int make_in_zone(struct making *x, int64_t count, struct error *e)
{
    struct error failed = {0};
    int rc = count > 0 ? look_up(x) : 0;
    if (rc)
        error_set(&failed, rc, "%s", error_text(&x->request.error));
    for (int64_t i = 0; !rc && i < count; i++) {
        rc = db_savepoint(x->turn->conn, make_one, x, &failed);
        x->turn->group.numbered += rc ? 0 : 1;
    }
    if (!rc)
        return 0;
    if (is_ours(rc))
        return error_set(e, rc, "%s", error_text(&failed));
    fail(x->turn, arena_strdup(x->turn->arena, error_text(&failed)));
    rc = turn_note(x->turn, "failed", e, "no member could be made: %s", x->turn->group.message);
    return rc ? rc : ERR_PRECONDITION; /* told; nothing more is made in this turn */
}

static int make(struct turn *t, const struct elastic_plan *plan, const char *const *zones, int zone_count,
                struct error *e)
{
    struct making *x = arena_alloc(t->arena, sizeof(*x));
    struct request *r = &x->request;
    char id[UUID_SIZE];
    x->turn = t;
    r->api = t->api;
    r->conn = t->conn;
    r->now_us = r->arrived_us = t->now_us;
    r->credential.roles = ROLE_MEMBER | ROLE_READER;
    snprintf(r->credential.user_id, sizeof(r->credential.user_id), "%s", t->group.user_id);
    snprintf(r->credential.project_id, sizeof(r->credential.project_id), "%s", t->group.project_id);
    snprintf(r->id, sizeof(r->id), "req-%s", uuid_random(id));
    arena_init(&r->arena);
    int rc = template_read(r, t->group.template, &x->template);
    if (rc) {
        fail(t, arena_strdup(t->arena, error_text(&r->error)));
        arena_done(&r->arena);
        return turn_note(t, "failed", e, "the template cannot be read: %s", t->group.message);
    }
    rc = make_in_zone(x, plan->make[ELASTIC_ZONES_MAX], e);
    for (int z = 0; !rc && z < zone_count; z++) {
        x->zone = zones[z];
        rc = make_in_zone(x, plan->make[z], e);
    }
    template_done(&x->template);
    arena_done(&r->arena);
    return rc == ERR_PRECONDITION ? 0 : rc;
}

/* `replaced`: others are made in this turn. */
static int remove_one(struct turn *t, struct elastic_member_row *m, bool replaced, struct error *e)
{
    struct server_life_actor actor = {
        .request_id = "req-elastic", .user_id = t->group.user_id, .project_id = t->group.project_id};
    const char *why = m->state == ELASTIC_SICK         ? "sick"
                      : m->version != t->group.version ? "of an old template"
                      : t->group.deleting              ? "the group is deleted"
                      : replaced                       ? "to balance the zones"
                                                       : "surplus";
    struct server_row row;
    int rc = store_server_get(t->conn, m->server_id, t->arena, &row, e);
    if (!rc)
        rc = server_life_delete(t->conn, &row, &actor, t->now_us, e);
    m->state = ELASTIC_LEAVING;
    if (!rc)
        rc = store_elastic_write_member(t->conn, m, e);
    return rc ? rc : turn_note(t, "removed", e, "%s (%s)", m->name, why);
}

static int read_zones(struct turn *t, const char **zones, int *ret_count, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(t->group.zones, strlen(t->group.zones), &doc, e);
    if (rc)
        return rc;
    int count = 0;
    for (size_t i = 0; i < json_in_count(doc.root) && count < ELASTIC_ZONES_MAX; i++)
        zones[count++] = arena_strdup(t->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    *ret_count = count;
    return 0;
}

static int index_of(const char *zone, const char *const *zones, int count)
{
    for (int i = 0; zone != NULL && i < count; i++)
        if (strcmp(zones[i], zone) == 0)
            return i;
    return -1;
}

static int act(struct turn *t, bool *ret_settled, struct error *e)
{
    struct elastic_group_row *g = &t->group;
    struct elastic_member *members = arena_array(t->arena, t->count + 1, sizeof(*members));
    struct elastic_plan plan = {.remove = arena_array(t->arena, t->count + 1, sizeof(size_t))};
    const char *zones[ELASTIC_ZONES_MAX];
    struct elastic_wish wish = {.desired = g->deleting ? 0 : g->desired,
                                .batch = g->batch,
                                .paused = g->paused,
                                .waits = t->now_us < g->retry_us,
                                .at_once = AT_ONCE};
    int rc = read_zones(t, zones, &wish.zones, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < t->count; i++)
        members[i] = (struct elastic_member){.health = t->members[i].state,
                                             .zone = index_of(t->members[i].zone, zones, wish.zones),
                                             .current = t->members[i].version == g->version};
    elastic_plan_turn(&wish, members, t->count, &plan);
    *ret_settled = plan.settled;
    for (size_t i = 0; !rc && i < plan.remove_count; i++)
        rc = remove_one(t, &t->members[plan.remove[i]], plan.make_count > 0, e);
    return !rc && plan.make_count > 0 ? make(t, &plan, zones, wish.zones, e) : rc;
}

/* The last member is gone. */
static int end_group(struct turn *t, struct error *e)
{
    struct error gone = {0};
    int rc = 0;
    if (t->group.server_group_id != NULL)
        rc = store_server_group_delete(t->conn, t->group.server_group_id, t->group.project_id, &gone);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&gone));
    log_info("elastic group deleted", "group=%s project=%s", t->group.id, t->group.project_id);
    return store_elastic_delete(t->conn, t->group.id, e);
}

static int run(struct turn *t, struct error *e)
{
    bool settled = false, measures = false;
    int rc = look(t, e);
    if (rc)
        return rc;
    if (t->group.deleting && t->count == 0)
        return end_group(t, e);
    if (!t->group.deleting)
        rc = scaling_apply(t, &measures, e);
    if (!rc)
        rc = act(t, &settled, e);
    if (!rc && settled)
        rc = store_elastic_policy_event_purge(t->conn, t->group.id, t->now_us - KEEP_US, e);
    t->group.next_us = t->now_us + (!settled ? BUSY_US : measures ? MEASURING_US : REST_US);
    return rc ? rc : store_elastic_write(t->conn, &t->group, e);
}

int turn_run(struct api *api, struct db_conn *c, const char *group_id, int64_t now_us, struct error *e)
{
    struct arena arena;
    struct error gone = {0};
    struct turn t = {.api = api, .conn = c, .arena = &arena, .now_us = now_us};
    arena_init(&arena);
    int rc = store_elastic_get(c, group_id, NULL, &arena, &t.group, &gone);
    if (!rc)
        rc = run(&t, e);
    else
        rc = rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&gone));
    arena_done(&arena);
    return rc;
}
