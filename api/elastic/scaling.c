/* Policies. A group is scaled by the first policy that wants another number; then none does until it has cooled down,
 * but for schedules and hooks, which do as they are told. A group is not made smaller while members of it are missing:
 * the average of few members says nothing about all. */
#include "api/elastic/scaling.h"
#include "common/clock.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 1e12

struct step_in {
    double above, below;
    int64_t add;
    struct json_seen seen;
};
enum { STEP_ABOVE, STEP_BELOW, STEP_ADD };
static const struct json_field step_fields[] = {
    [STEP_ABOVE] = {.name = "above", .kind = JSON_NUMBER, .offset = offsetof(struct step_in, above)},
    [STEP_BELOW] = {.name = "below", .kind = JSON_NUMBER, .offset = offsetof(struct step_in, below)},
    [STEP_ADD] = {.name = "add",
                  .kind = JSON_INT,
                  .offset = offsetof(struct step_in, add),
                  .flags = JSON_REQUIRED,
                  .min = -1000,
                  .max = 1000},
};
static const struct json_table step_table = {
    .fields = step_fields, .count = JSON_COUNT(step_fields), .seen_offset = offsetof(struct step_in, seen)};

struct policy_in {
    const char *kind, *metric, *per, *at;
    double target;
    struct json_list steps;
    int64_t every_s, desired, minimum, maximum, add;
    struct json_seen seen;
};
#define AT(member) .offset = offsetof(struct policy_in, member)
static const char *const kinds[] = {"target", "step", "schedule", "hook", NULL};
static const char *const pers[] = {"member", "group", NULL};
enum { IN_KIND, IN_METRIC, IN_PER, IN_TARGET, IN_STEPS, IN_AT, IN_EVERY, IN_DESIRED, IN_MINIMUM, IN_MAXIMUM, IN_ADD };
static const struct json_field policy_fields[] = {
    [IN_KIND] = {.name = "kind", .kind = JSON_TEXT, AT(kind), .flags = JSON_REQUIRED, .choices = kinds},
    [IN_METRIC] = {.name = "metric", .kind = JSON_TEXT, AT(metric), .min = 1, .max = 64},
    [IN_PER] = {.name = "per", .kind = JSON_TEXT, AT(per), .choices = pers},
    [IN_TARGET] = {.name = "target", .kind = JSON_NUMBER, AT(target)},
    [IN_STEPS] = {.name = "steps",
                  .kind = JSON_LIST,
                  AT(steps),
                  .min = 1,
                  .max = ELASTIC_STEPS_MAX,
                  .sub = &step_table,
                  .item_size = sizeof(struct step_in)},
    [IN_AT] = {.name = "at", .kind = JSON_TEXT, AT(at)},
    [IN_EVERY] = {.name = "every_s", .kind = JSON_INT, AT(every_s), .min = 1, .max = (int64_t)366 * 86400},
    [IN_DESIRED] = {.name = "desired", .kind = JSON_INT, AT(desired), .min = 0, .max = 10000},
    [IN_MINIMUM] = {.name = "minimum", .kind = JSON_INT, AT(minimum), .min = 0, .max = 10000},
    [IN_MAXIMUM] = {.name = "maximum", .kind = JSON_INT, AT(maximum), .min = 0, .max = 10000},
    [IN_ADD] = {.name = "add", .kind = JSON_INT, AT(add), .min = -10000, .max = 10000},
};
static const struct json_table policy_table = {
    .fields = policy_fields, .count = JSON_COUNT(policy_fields), .seen_offset = offsetof(struct policy_in, seen)};

/* Which fields each kind must have and may have. */
#define BIT(field) (UINT64_C(1) << (field))
static const struct {
    const char *kind;
    uint64_t must, may;
} shapes[] = {
    {"target", BIT(IN_METRIC) | BIT(IN_TARGET), BIT(IN_PER)},
    {"step", BIT(IN_METRIC) | BIT(IN_STEPS), BIT(IN_PER)},
    {"schedule", BIT(IN_AT), BIT(IN_EVERY) | BIT(IN_DESIRED) | BIT(IN_MINIMUM) | BIT(IN_MAXIMUM)},
    {"hook", 0, BIT(IN_ADD) | BIT(IN_DESIRED)},
};

static int check_shape(const struct policy_in *in, struct error *e)
{
    size_t k = 0;
    while (strcmp(shapes[k].kind, in->kind) != 0)
        k++;
    for (size_t f = IN_METRIC; f < JSON_COUNT(policy_fields); f++) {
        if ((shapes[k].must & BIT(f)) && !(in->seen.present & BIT(f)))
            return error_set(e, ERR_INVALID, "%s: a policy of kind %s needs it", policy_fields[f].name, in->kind);
        if ((in->seen.present & BIT(f)) && !((shapes[k].must | shapes[k].may) & BIT(f)))
            return error_set(e, ERR_INVALID, "%s: it is not for a policy of kind %s", policy_fields[f].name, in->kind);
    }
    uint64_t either = in->seen.present & (BIT(IN_ADD) | BIT(IN_DESIRED) | BIT(IN_MINIMUM) | BIT(IN_MAXIMUM));
    if (shapes[k].must & BIT(IN_METRIC))
        return 0;
    if (either == 0 || (either & (BIT(IN_ADD) | BIT(IN_DESIRED))) == (BIT(IN_ADD) | BIT(IN_DESIRED)))
        return error_set(e, ERR_INVALID, "a policy of kind %s says what changes, and one thing of it", in->kind);
    return 0;
}

static int read_steps(const struct policy_in *in, struct scaling_policy *ret, struct error *e)
{
    const struct step_in *steps = in->steps.items;
    for (size_t i = 0; i < in->steps.count; i++) {
        bool above = steps[i].seen.present & BIT(STEP_ABOVE), below = steps[i].seen.present & BIT(STEP_BELOW);
        double bound = above ? steps[i].above : steps[i].below;
        if (above == below)
            return error_set(e, ERR_INVALID, "steps[%zu]: it holds above or below a value", i);
        if (!(fabs(bound) < NUMBER_MAX))
            return error_set(e, ERR_INVALID, "steps[%zu]: its bound is too large", i);
        ret->steps[i] = (struct elastic_step){above, llround(bound * 1000), steps[i].add};
    }
    ret->step_count = in->steps.count;
    return 0;
}

/* What is posted is for the whole group unless it is said to be per member. */
static bool is_per_group(const struct policy_in *in)
{
    return in->metric != NULL && (in->per != NULL ? strcmp(in->per, "group") == 0 : strcmp(in->metric, "cpu") != 0);
}

int scaling_read(json_value *body, struct arena *a, struct scaling_policy *ret, struct error *e)
{
    struct policy_in in = {.desired = -1, .minimum = -1, .maximum = -1};
    int rc = json_in_read(body, &policy_table, &in, a, e);
    if (!rc)
        rc = check_shape(&in, e);
    if (!rc && (in.seen.present & BIT(IN_TARGET)) && !(in.target > 0 && in.target < NUMBER_MAX))
        rc = error_set(e, ERR_INVALID, "target: it is above 0");
    *ret = (struct scaling_policy){.kind = in.kind,
                                   .metric = in.metric,
                                   .per_group = is_per_group(&in),
                                   .target = rc ? 0 : llround(in.target * 1000),
                                   .every_s = in.every_s,
                                   .desired = in.desired,
                                   .minimum = in.minimum,
                                   .maximum = in.maximum,
                                   .add = in.add};
    if (!rc && in.at != NULL && !clock_parse(in.at, &ret->at_us))
        rc = error_set(e, ERR_INVALID, "at: it is a time, 2030-01-31T12:00:00Z");
    if (!rc && ret->per_group && strcmp(in.metric, "cpu") == 0)
        rc = error_set(e, ERR_INVALID, "per: cpu is measured on each member");
    return rc ? rc : read_steps(&in, ret, e);
}

/* The average over members, in thousandths. *ret_known false: nothing fresh. */
static int read_metric(struct turn *t, const struct scaling_policy *p, int64_t healthy, int64_t *ret, bool *ret_known,
                       struct error *e)
{
    int64_t sum = 0, count = 0;
    if (strcmp(p->metric, "cpu") == 0) {
        for (size_t i = 0; i < t->count; i++) {
            const struct elastic_member_row *m = &t->members[i];
            if (m->state == ELASTIC_HEALTHY && m->cpu_permille >= 0 && t->now_us - m->cpu_at_us < SCALING_FRESH_US) {
                sum += m->cpu_permille * 100; /* of 1000 to thousandths of a percent */
                count++;
            }
        }
    } else {
        int rc = store_elastic_policy_metric_sum(t->conn, t->group.id, p->metric, t->now_us - SCALING_FRESH_US,
                                                 p->per_group, &sum, &count, e);
        if (rc)
            return rc;
        /* A target for the whole group is what one member bears. */
        if (count > 0 && p->per_group && strcmp(p->kind, "target") == 0)
            count = healthy;
    }
    *ret_known = count > 0;
    *ret = count > 0 ? sum / count : 0;
    return 0;
}

int scaling_set(struct turn *t, int64_t desired, const char *why, struct error *e)
{
    struct elastic_group_row *g = &t->group;
    desired = elastic_clamp(desired, g->minimum, g->maximum);
    if (desired == g->desired)
        return 0;
    int rc = turn_note(t, "scaled", e, "from %lld to %lld: %s", (long long)g->desired, (long long)desired, why);
    g->desired = desired;
    g->scaled_us = g->updated_us = t->now_us;
    return rc;
}

static int64_t count_healthy(const struct turn *t)
{
    int64_t healthy = 0;
    for (size_t i = 0; i < t->count; i++)
        healthy += t->members[i].state == ELASTIC_HEALTHY;
    return healthy;
}

static int apply_metric(struct turn *t, const struct elastic_policy_row *row, const struct scaling_policy *p,
                        bool *ret_fired, struct error *e)
{
    int64_t healthy = count_healthy(t), value = 0, wanted, cool_us = t->group.cooldown_s * CLOCK_SECOND_US;
    bool known = false;
    int rc =
        healthy > 0 && t->now_us - t->group.scaled_us >= cool_us ? read_metric(t, p, healthy, &value, &known, e) : 0;
    if (rc || !known)
        return rc;
    wanted = strcmp(p->kind, "target") == 0 ? elastic_for_target(healthy, value, p->target)
                                            : t->group.desired + elastic_for_steps(p->steps, p->step_count, value);
    wanted = elastic_clamp(wanted, t->group.minimum, t->group.maximum);
    if (wanted == t->group.desired || (wanted < t->group.desired && healthy < t->group.desired))
        return 0;
    *ret_fired = true;
    return scaling_set(t, wanted,
                       arena_printf(t->arena, "%s is %lld.%03lld (policy %s)", p->metric, (long long)(value / 1000),
                                    (long long)(value % 1000), row->id),
                       e);
}

static int apply_schedule(struct turn *t, const struct elastic_policy_row *row, const struct scaling_policy *p,
                          bool *ret_fired, struct error *e)
{
    struct elastic_group_row *g = &t->group;
    int64_t time_us = elastic_schedule_time(p->at_us, p->every_s, t->now_us);
    /* What came before the policy was made does not count. */
    if (time_us == 0 || time_us <= row->fired_us || time_us < row->created_us)
        return 0;
    g->minimum = p->minimum >= 0 ? p->minimum : g->minimum;
    g->maximum = p->maximum >= 0 ? p->maximum : g->maximum;
    g->maximum = g->maximum < g->minimum ? g->minimum : g->maximum;
    *ret_fired = true;
    return scaling_set(t, p->desired >= 0 ? p->desired : g->desired,
                       arena_printf(t->arena, "its time came (policy %s)", row->id), e);
}

static int apply_one(struct turn *t, const struct elastic_policy_row *row, bool *ret_measures, bool *ret_fired,
                     struct error *e)
{
    struct scaling_policy p;
    struct json_doc doc;
    int rc = json_in_parse(row->body, strlen(row->body), &doc, e);
    if (rc)
        return rc;
    rc = scaling_read(doc.root, t->arena, &p, e);
    json_in_done(&doc);
    if (rc || strcmp(row->kind, "hook") == 0)
        return rc;
    if (strcmp(row->kind, "schedule") == 0)
        return apply_schedule(t, row, &p, ret_fired, e);
    *ret_measures = true;
    return apply_metric(t, row, &p, ret_fired, e);
}

int scaling_apply(struct turn *t, bool *ret_measures, struct error *e)
{
    struct elastic_policy_row *rows = NULL;
    size_t count = 0;
    bool fired = false;
    int rc = store_elastic_policy_list(t->conn, t->group.id, t->arena, &rows, &count, e);
    for (size_t i = 0; !rc && i < count; i++) {
        bool now = false;
        if (fired && strcmp(rows[i].kind, "schedule") != 0)
            continue;
        rc = apply_one(t, &rows[i], ret_measures, &now, e);
        if (!rc && now)
            rc = store_elastic_policy_fired(t->conn, rows[i].id, t->now_us, rows[i].hook_busy_us, e);
        fired = fired || now;
    }
    return rc;
}
