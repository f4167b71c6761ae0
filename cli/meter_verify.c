/* virga meter verify: reconciles the usage ledger with what hosts' journals have told, server by server and to the
 * microsecond, with the servers' observed states, with the hosts' capacity, and with what hypervisors counted. Changes
 * nothing. */
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/verify_journals.h"
#include "common/clock.h"
#include "db/store_usage.h"
#include "db/store_verify.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SETTLED_S    30
#define ANSWER_MS    15000
#define CLOCK_OFF_US (5 * CLOCK_SECOND_US) /* beyond that a host's clock is told */

struct verify {
    struct cli *cli;
    int64_t from_us, to_us, now_us, position, settled_us;
    int64_t states_us; /* of the server at hand: what its states in the ledger add up to */
    struct table hosts, states;
    uint64_t servers, intervals, wrong;
    bool has_hosts;
    __int128 sold_us, life_us; /* on hosts that are known; of all servers */
    struct host_sum {
        const char *id, *name;
        int64_t enrolled_us;
        __int128 capacity, sold, slots, kept, held;
    } host; /* the life at hand */
    struct state_sum {
        const char *state;
        __int128 us;
        struct state_sum *next;
    } * sums;
};

/* The interval that the events so far have opened; texts in the server's arena. */
struct expected {
    struct verify_row row;
    bool open;
};

static bool is_used(const char *state)
{
    return strcmp(state, "none") != 0 && strcmp(state, "gone") != 0 && strcmp(state, "building") != 0;
}

static void complain(struct verify *v, const char *server, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void complain(struct verify *v, const char *server, const char *format, ...)
{
    va_list args;
    v->wrong++;
    printf("server %s: ", server);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static bool same_facts(const struct verify_row *a, const struct verify_row *b)
{
    return strcmp(a->state, b->state) == 0 && strcmp(a->project_id, b->project_id) == 0 &&
           strcmp(a->host_id, b->host_id) == 0 && strcmp(a->flavor, b->flavor) == 0 && strcmp(a->zone, b->zone) == 0 &&
           strcmp(a->tags, b->tags) == 0 && strcmp(a->extra, b->extra) == 0 && a->vcpus == b->vcpus &&
           a->memory_mib == b->memory_mib && a->disk_gib == b->disk_gib;
}

static struct verify_row keep(const struct verify_row *row, struct arena *a)
{
    struct verify_row copy = *row;
    copy.server_id = arena_strdup(a, row->server_id);
    copy.project_id = arena_strdup(a, row->project_id);
    copy.host_id = arena_strdup(a, row->host_id);
    copy.state = arena_strdup(a, row->state);
    copy.flavor = arena_strdup(a, row->flavor);
    copy.zone = arena_strdup(a, row->zone);
    copy.tags = arena_strdup(a, row->tags);
    copy.extra = arena_strdup(a, row->extra);
    return copy;
}

static void add_state(struct verify *v, const char *state, int64_t us)
{
    struct state_sum **at = &v->sums;
    while (*at && strcmp((*at)->state, state) != 0) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = arena_alloc(&v->cli->arena, sizeof(**at));
        **at = (struct state_sum){.state = arena_strdup(&v->cli->arena, state)};
    }
    (*at)->us += us;
}

/* An interval of the ledger as far as it lies before now. */
static int64_t length_of(const struct verify *v, const struct verify_row *row)
{
    int64_t end = row->end_us < v->now_us ? row->end_us : v->now_us;
    return end > row->begin_us ? end - row->begin_us : 0;
}

/* The next interval of the ledger must be the one that events make. */
static void compare(struct verify *v, struct verify_list *ledger, const struct verify_row *want)
{
    bool here = ledger->more && strcmp(ledger->row.server_id, want->server_id) == 0;
    if (!here || ledger->row.id != want->id) {
        complain(v, want->server_id, "the ledger lacks the interval that event %" PRId64 " opened", want->id);
        return;
    }
    v->intervals++;
    if (!same_facts(&ledger->row, want) || ledger->row.begin_us != want->begin_us ||
        ledger->row.end_us != want->end_us) {
        complain(v, want->server_id,
                 "the interval of event %" PRId64 " is %s [%" PRId64 ", %" PRId64
                 ") in the ledger, events make it %s [%" PRId64 ", %" PRId64 ")",
                 want->id, ledger->row.state, ledger->row.begin_us, ledger->row.end_us, want->state, want->begin_us,
                 want->end_us);
    }
    v->states_us += length_of(v, &ledger->row);
    add_state(v, ledger->row.state, length_of(v, &ledger->row));
    store_verify_next(ledger);
}

/* From its first use to its end, less the time in which it was built anew: by the events alone, without intervals. */
struct life {
    int64_t from_us, used_us;
    bool used;
};

static void live(struct life *l, int64_t at_us, bool used)
{
    if (l->used && at_us < l->from_us) {
        at_us = l->from_us; /* a clock that stepped back ends what runs at its begin */
    }
    if (l->used) {
        l->used_us += at_us - l->from_us;
    }
    l->from_us = at_us;
    l->used = used;
}

static void check_life(struct verify *v, const char *server, struct life *l)
{
    live(l, v->now_us > l->from_us ? v->now_us : l->from_us, false);
    v->life_us += l->used_us;
    if (l->used_us != v->states_us) {
        complain(v, server, "its states add up to %" PRId64 " us, its life is %" PRId64 " us", v->states_us,
                 l->used_us);
    }
}

/* One server's events from the first to the last. */
static void tell_life(struct verify *v, struct verify_list *events, struct verify_list *ledger, struct arena *a)
{
    struct expected now = {.open = false};
    struct life life = {0};
    const char *server = arena_strdup(a, events->row.server_id);
    v->servers++;
    v->states_us = 0;
    for (; events->more && strcmp(events->row.server_id, server) == 0; store_verify_next(events)) {
        struct verify_row x = keep(&events->row, a);
        bool used = is_used(x.state);
        if (strcmp(x.state, "shelved") == 0) {
            x.host_id = ""; /* on none */
        } else if (!*x.host_id && now.open) {
            x.host_id = now.row.host_id;
        }
        if (now.open && used && same_facts(&now.row, &x)) {
            continue;
        }
        if (now.open && x.begin_us < now.row.begin_us) {
            x.begin_us = now.row.begin_us;
        }
        live(&life, x.begin_us, used);
        if (now.open) {
            now.row.end_us = x.begin_us;
            compare(v, ledger, &now.row);
        }
        now.row = x;
        now.open = used;
    }
    if (now.open) {
        now.row.end_us = INT64_MAX;
        compare(v, ledger, &now.row);
    }
    check_life(v, server, &life);
    while (ledger->more && strcmp(ledger->row.server_id, server) == 0) {
        complain(v, server, "no events make the interval of event %" PRId64, ledger->row.id);
        store_verify_next(ledger);
    }
}

static int check_events(struct verify *v, struct db_conn *c, struct error *e)
{
    struct verify_list events = {0}, ledger = {0};
    struct arena a;
    int rc = store_verify_events(c, v->position, &events, e);
    if (rc) {
        return rc;
    }
    rc = store_verify_intervals(c, &ledger, e);
    arena_init(&a);
    while (!rc && events.more) {
        arena_reset(&a);
        while (ledger.more && strcmp(ledger.row.server_id, events.row.server_id) < 0) {
            complain(v, ledger.row.server_id, "is in the ledger without events");
            store_verify_next(&ledger);
        }
        tell_life(v, &events, &ledger, &a);
    }
    arena_done(&a);
    for (; !rc && ledger.more; store_verify_next(&ledger)) {
        complain(v, ledger.row.server_id, "is in the ledger without events");
    }
    int end = store_verify_end(&events, e);
    if (!rc) {
        rc = store_verify_end(&ledger, e);
    }
    return rc ? rc : end;
}

static int check_state(void *arg, const char *server_id, const char *observed, const char *metered, struct error *e)
{
    (void)e;
    complain(arg, server_id, "its host says %s, the ledger %s", observed, *metered ? metered : "nothing");
    return 0;
}

static double hours(__int128 us)
{
    return (double)us / 3600e6;
}

/* A row of the table: one life of a host. */
static void add_life(struct verify *v)
{
    const struct host_sum *s = &v->host;
    if (!*s->id) {
        return;
    }
    table_add(&v->hosts, s->name);
    table_addf(&v->hosts, "%.3f", hours(s->capacity));
    table_addf(&v->hosts, "%.3f", hours(s->sold));
    table_addf(&v->hosts, "%.3f", hours(s->slots));
    table_addf(&v->hosts, "%.3f", hours(s->kept));
    table_addf(&v->hosts, "%.3f", hours(s->held));
    table_addf(&v->hosts, "%.3f", hours(s->capacity - s->sold - s->slots - s->kept - s->held));
}

/* Every second of every VCPU is sold, reserved or free; more than there is cannot have been sold, whatever size the
 * host had. Hosts' clocks and the controller's may differ by what is not yet reported. */
static int check_host(void *arg, const struct verify_host *h, struct error *e)
{
    (void)e;
    struct verify *v = arg;
    struct host_sum *s = &v->host;
    __int128 span = h->to_us - h->from_us, capacity = span * h->vcpus * h->ratio_permille / 1000;
    __int128 kept = span * h->reserved_vcpus * h->ratio_permille / 1000;
    __int128 left = capacity - kept - h->sold_us - h->slots_us;
    v->has_hosts = true;
    if (strcmp(s->id, h->id) != 0 || s->enrolled_us != h->enrolled_us) {
        add_life(v);
        *s = (struct host_sum){.id = arena_strdup(&v->cli->arena, h->id),
                               .name = arena_strdup(&v->cli->arena, h->name),
                               .enrolled_us = h->enrolled_us};
    }
    s->capacity += capacity;
    s->kept += kept;
    s->sold += h->sold_us;
    s->held += h->held_us;
    s->slots += h->slots_us;
    v->sold_us += h->sold_us;
    if (left < -(__int128)CLOCK_OFF_US * h->vcpus * h->ratio_permille / 1000) {
        char text[CLOCK_TEXT_SIZE];
        v->wrong++;
        printf("host %s: more was sold and reserved than it has, from %s on\n", h->name,
               clock_text(h->from_us, CLOCK_ISO_Z, text));
    }
    return 0;
}

static void tell_noted(void *arg, const char *host, const char *what)
{
    struct verify *v = arg;
    v->wrong++;
    printf("host %s: %s now is not what was noted last\n", host, what);
}

/* What was used was used on some host. */
static int check_sold(struct db_conn *c, struct verify *v, struct error *e)
{
    int64_t sold = 0;
    int rc = store_verify_sold(c, v->from_us, v->to_us, &sold, e);
    if (!rc && v->has_hosts && sold != v->sold_us) {
        v->wrong++;
        printf("%.3f VCPU hours were sold on hosts that are not known\n", hours(sold - v->sold_us));
    }
    return rc;
}

/* Whoever used a processor was on. */
static int check_used(void *arg, const char *server_id, const char *host_id, int64_t hour_us, struct error *e)
{
    char text[CLOCK_TEXT_SIZE];
    (void)e;
    complain(arg, server_id, "host %s counted processor time in the hour from %s on, the ledger has it off", host_id,
             clock_text(hour_us, CLOCK_ISO_Z, text));
    return 0;
}

static int verify_all(struct db_conn *c, void *arg, struct error *e)
{
    struct verify *v = arg;
    int64_t newest = 0;
    int rc = store_usage_newest_event(c, &newest, e);
    rc = rc ? rc : store_usage_cursor(c, "intervals", &v->position, e);
    rc = rc ? rc : check_events(v, c, e);
    if (!rc && v->position >= newest) {
        rc = store_verify_states(c, v->now_us - v->settled_us, check_state, v, e);
    } else if (!rc) {
        printf("%" PRId64 " events wait to be metered: the servers' states are not compared\n", newest - v->position);
    }
    rc = rc ? rc : store_verify_hosts(c, v->from_us, v->to_us, check_host, v, e);
    add_life(v);
    rc = rc ? rc : store_verify_noted(c, tell_noted, v, e);
    rc = rc ? rc : check_sold(c, v, e);
    return rc ? rc : store_verify_used(c, v->from_us, v->to_us, check_used, v, e);
}

static int read_time(struct cli *cli, const char *name, int64_t fallback, int64_t *ret, struct error *e)
{
    const char *text = command_value(cli, name);
    *ret = fallback;
    return text && !clock_parse(text, ret) ? error_set(e, ERR_INVALID, "--%s: \"%s\" is not a time", name, text) : 0;
}

static void tell_difference(void *arg, const char *server_id, const char *words)
{
    complain(arg, server_id, "%s", words);
}

/* What the hosts themselves say, of now and of the period. */
static int ask_hosts(struct verify *v, struct error *e)
{
    struct verify_hosts said;
    struct verify_journals past;
    int rc = verify_hosts(v->cli, ANSWER_MS, v->now_us - v->settled_us, tell_difference, v, &said, e);
    if (!rc) {
        printf("%zu of %zu hosts answered for %zu servers; %zu are not heard, %zu journal entries are still to come\n",
               said.answered, said.asked, said.servers, said.silent, said.pending);
        rc = verify_journals(v->cli, ANSWER_MS, v->from_us, v->to_us, v->settled_us, tell_difference, v, &past, e);
    }
    if (!rc) {
        printf("%zu entries of journals from the period were compared; %zu journals do not reach back to its begin\n",
               past.entries, past.shorter);
    }
    return rc;
}

static void print_states(struct verify *v)
{
    static const char *const headings[] = {"STATE", "SERVER HOURS", NULL};
    struct table t;
    table_init(&t, &v->cli->arena, headings);
    for (const struct state_sum *s = v->sums; s; s = s->next) {
        table_add(&t, s->state);
        table_addf(&t, "%.3f", hours(s->us));
    }
    table_add(&t, "whole lives");
    table_addf(&t, "%.3f", hours(v->life_us));
    table_print(&t);
}

static int meter_verify_run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"HOST", "VCPU HOURS", "SOLD", "SLOTS", "RESERVED", "OFF", "FREE", NULL};
    int64_t now = clock_now_us();
    struct verify v = {.cli = cli, .now_us = now, .host = {.id = ""}};
    int rc = read_time(cli, "from", now - (int64_t)86400 * CLOCK_SECOND_US, &v.from_us, e);
    rc = rc ? rc : read_time(cli, "to", now, &v.to_us, e);
    rc = rc ? rc : command_number(cli, "settled", 0, 86400, SETTLED_S, &v.settled_us, e);
    v.settled_us *= CLOCK_SECOND_US;
    rc = rc ? rc : command_open(cli, false, e);
    if (rc) {
        return rc;
    }
    table_init(&v.hosts, &cli->arena, headings);
    rc = db_snapshot(db_reader(cli->db), verify_all, &v, e);
    if (!rc && !command_flag(cli, "offline")) {
        rc = ask_hosts(&v, e);
    }
    if (!rc) {
        print_states(&v);
        table_print(&v.hosts);
        printf("%" PRIu64 " servers with %" PRIu64 " intervals compared with their events up to %" PRId64 ": %" PRIu64
               " differences\n",
               v.servers, v.intervals, v.position, v.wrong);
    }
    cli->status = v.wrong > 0;
    return rc;
}

static const struct command_option options[] = {
    {"from", "TIME", "Begin of the period that hosts' capacity and counters are looked at for. Default: a day ago."},
    {"to", "TIME", "And its end. Default: now."},
    {"settled", "SECONDS", "Leave out servers that changed within the last 30, or so many, seconds."},
    {"offline", NULL, "Do not ask the hosts: compare what the database has alone."},
};
const struct command meter_verify_command = {
    .name = "meter verify",
    .arguments = "",
    .summary = "Compare the usage ledger with the hosts' journals, the servers' states and the hosts' capacity",
    COMMAND_OPTIONS(options),
    .run = meter_verify_run,
};
