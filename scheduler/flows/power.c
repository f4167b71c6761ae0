/* Happy path of a fence: a host is silent for long enough, a job is written; its script is called with "off", then with
 * "status" until that says off; in one transaction the job is done, the host is proved off, and its drain begins, which
 * builds its servers anew elsewhere.
 *
 * Failure modes: a script that fails, hangs or contradicts itself is tried again later, for ever, and nothing is
 * started elsewhere meanwhile. A host that is heard again ends its job. One that is heard after it was proved off, and
 * was not started anew in between, has a script that lies: it is not used for fencing again until an operator says so.
 * When many hosts fall silent at once it is more likely the network: none is fenced. A scheduler that has just begun to
 * lead, or that stood still, waits as if every host had been heard just then. */
#include "scheduler/flows/power.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/seal.h"
#include "db/lease.h"
#include "db/store_host.h"
#include "db/store_host_power.h"
#include "db/store_host_work.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define STOOD_STILL_US (10 * CLOCK_SECOND_US)
#define ASK_AGAIN_US   (2 * CLOCK_SECOND_US)
#define LISTEN_US      (2 * CLOCK_SECOND_US)
#define PATIENCE       5 /* attempts after which the pauses are longer */

struct turn {
    struct power *power;
    struct dispatch *d;
    const struct power_settings *settings;
    struct arena arena;
    int64_t now_us;
};

/* ---- writing ---- */

struct write {
    struct turn *t;
    struct power_run *run;
    const char *host_id, *message;
    enum host_power_state state;
    int64_t next_us;
    bool proof;
};

static int lead(struct db_conn *c, const struct turn *t, struct error *e)
{
    return lease_check(c, DISPATCH_LEASE, t->d->holder, t->d->epoch, e);
}

static int begin_row(struct db_conn *c, void *arg, struct error *e)
{
    const struct write *w = arg;
    int rc = lead(c, w->t, e);
    return rc ? rc : store_host_power_begin(c, w->host_id, w->t->now_us, e);
}

/* The host's servers are to run elsewhere; what its drain cannot take, its tenants want down. */
static int evacuate(struct db_conn *c, const struct write *w, struct error *e)
{
    struct host_drain_row row = {.host_id = w->host_id,
                                 .user_id = "",
                                 .project_id = "",
                                 .parallel = w->t->settings->evacuate_parallel,
                                 .started_us = w->t->now_us,
                                 .while_off = true};
    return row.parallel > 0 ? store_host_work_drain(c, &row, "it fell silent and was switched off", e) : 0;
}

static int prove(struct db_conn *c, const struct write *w, struct error *e)
{
    const char *by = arena_printf(&w->t->arena, "script %s", w->run->method);
    struct error refused = {0};
    int rc = store_host_work_fence(c, w->host_id, by, w->t->now_us, &refused);
    if (rc) /* not to be taken for a lost lease */
        return error_set(e, rc == ERR_CONFLICT ? ERR_PRECONDITION : rc, "%s", error_text(&refused));
    return evacuate(c, w, e);
}

static int end_row(struct db_conn *c, void *arg, struct error *e)
{
    const struct write *w = arg;
    int rc = lead(c, w->t, e);
    if (!rc && w->proof)
        rc = prove(c, w, e);
    return rc ? rc : store_host_power_end(c, w->host_id, w->state, w->message, w->next_us, w->t->now_us, e);
}

static int64_t pause_of(const struct turn *t, int64_t attempts)
{
    return t->settings->retry_us * (attempts > PATIENCE ? 4 : 1);
}

/* ---- ends of attempts ---- */

static int64_t attempts_of(struct turn *t, const char *host_id)
{
    struct host_power_job job;
    struct error ignored = {0};
    bool found = false;
    int rc = store_host_power_job(t->d->conn, host_id, &t->arena, &job, &found, &ignored);
    return !rc && found ? job.attempts : 0;
}

static int fail(struct turn *t, struct power_run *run, const char *why, struct error *e)
{
    struct write w = {.t = t, .run = run, .host_id = run->host_id, .state = HOST_POWER_WAITING, .message = why};
    w.next_us = t->now_us + pause_of(t, attempts_of(t, run->host_id));
    run->busy = false;
    t->power->failed++;
    if (strcmp(run->wish, "status") == 0) /* a question has an answer, even if it is none */
        w.state = HOST_POWER_FAILED;
    log_warn("host's power not changed", "host=%s wish=%s script=%s why=\"%s\"", run->name, run->wish, run->method,
             why);
    return db_transact(t->d->conn, end_row, &w, e);
}

static int succeed(struct turn *t, struct power_run *run, const char *what, struct error *e)
{
    struct error refused = {0};
    struct write w = {.t = t, .run = run, .host_id = run->host_id, .state = HOST_POWER_DONE, .message = what};
    w.proof = run->fences && strcmp(run->wish, "off") == 0;
    run->busy = false;
    int rc = db_transact(t->d->conn, end_row, &w, &refused);
    if (rc == ERR_PRECONDITION) /* it was heard until just now */
        return fail(t, run, error_text(&refused), e);
    if (rc)
        return error_set(e, rc, "%s", error_text(&refused));
    t->power->fenced += w.proof;
    log_info(w.proof ? "host is proved off" : "host's power changed", "host=%s wish=%s script=%s says=\"%s\"",
             run->name, run->wish, run->method, what);
    return 0;
}

/* ---- calling the script ---- */

static char *no_password(void)
{
    return "";
}

/* The password leaves memory that we clear again; the script gets it in its environment, which others cannot read. */
static int open_secret(struct turn *t, const struct host_power_row *how, const char **ret, size_t *ret_size,
                       struct error *e)
{
    struct seal_key key;
    void *secret = NULL;
    *ret = no_password();
    *ret_size = 0;
    if (!how->secret)
        return 0;
    int rc = seal_key_read(t->settings->master_key, &key, e);
    if (rc)
        return error_prefix(e, "the password of the management controller");
    rc = seal_open(&key, how->secret, &t->arena, &secret, ret_size, e);
    seal_key_wipe(&key);
    if (!rc)
        *ret = secret;
    return rc;
}

/* %h is the host's name. */
static const char *expand(struct arena *a, const char *address, const char *name)
{
    const char *mark = strstr(address, "%h");
    return mark ? arena_printf(a, "%.*s%s%s", (int)(mark - address), address, name, mark + 2) : address;
}

static int call(struct turn *t, struct power_run *run, const char *verb, struct error *e)
{
    struct host_row host;
    struct host_power_row how;
    bool found = false;
    const char *password = NULL;
    size_t size = 0;
    int rc = store_host_get(t->d->conn, run->host_id, &t->arena, &host, e);
    rc = rc ? rc : store_host_power_get(t->d->conn, run->host_id, &t->arena, &how, &found, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "no script is set for it");
    rc = rc ? rc : open_secret(t, &how, &password, &size, e);
    if (rc)
        return rc;
    const char *address = *how.address ? expand(&t->arena, how.address, host.name) : host.address;
    const char *path =
        strchr(how.script, '/') ? how.script : arena_printf(&t->arena, "%s/%s", t->settings->scripts, how.script);
    char *shown = arena_printf(&t->arena, "VIRGA_POWER_PASSWORD=%s", password);
    const char *argv[] = {path, verb, host.name, address, host.id, NULL};
    const char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                 arena_printf(&t->arena, "VIRGA_HOST=%s", host.name),
                                 arena_printf(&t->arena, "VIRGA_HOST_ID=%s", host.id),
                                 arena_printf(&t->arena, "VIRGA_POWER_ADDRESS=%s", address),
                                 arena_printf(&t->arena, "VIRGA_POWER_USER=%s", how.username),
                                 shown,
                                 NULL};
    snprintf(run->name, sizeof(run->name), "%s", host.name);
    snprintf(run->method, sizeof(run->method), "%s", how.script);
    rc = script_start(&run->script, argv, environment, t->settings->limit_us, e);
    sodium_memzero(shown, strlen(shown));
    sodium_memzero((void *)(uintptr_t)password, size);
    return rc;
}

static int call_or_fail(struct turn *t, struct power_run *run, const char *verb, struct error *e)
{
    struct error failure = {0};
    int rc = call(t, run, verb, &failure);
    return rc ? fail(t, run, arena_strdup(&t->arena, error_text(&failure)), e) : 0;
}

/* ---- what a script said ---- */

static const char *first_line(struct turn *t, const struct script *s)
{
    size_t size = strcspn(s->output, "\n");
    return arena_printf(&t->arena, "%.*s", (int)size, s->output);
}

/* What the last line says is what went wrong. */
static const char *last_line(struct turn *t, const struct script *s)
{
    size_t end = s->size;
    while (end > 0 && (s->output[end - 1] == '\n' || s->output[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && s->output[begin - 1] != '\n')
        begin--;
    return arena_printf(&t->arena, "%.*s", (int)(end - begin), s->output + begin);
}

static bool says(const char *line, const char *word)
{
    size_t size = strlen(word);
    return strncmp(line, word, size) == 0 && (line[size] == '\0' || line[size] == ' ');
}

/* The status was asked to prove what was done. */
static int verify(struct turn *t, struct power_run *run, int status, struct error *e)
{
    const char *line = first_line(t, &run->script);
    if (status == POWER_NO_STATUS)
        return succeed(t, run, arena_printf(&t->arena, "%s was done; the script has no status", run->wish), e);
    if (status == 0 && says(line, run->wish))
        return succeed(t, run, arena_printf(&t->arena, "the status is %s", run->wish), e);
    if (clock_mono_us() < run->settle_mono_us) {
        run->next_mono_us = clock_mono_us() + ASK_AGAIN_US;
        return 0;
    }
    return fail(t, run,
                status == 0 ? arena_printf(&t->arena, "it was done, but the status is still \"%s\"", line)
                            : arena_printf(&t->arena, "the status could not be asked (exit status %d): %s", status,
                                           last_line(t, &run->script)),
                e);
}

static int ended(struct turn *t, struct power_run *run, int status, struct error *e)
{
    if (run->verifies)
        return verify(t, run, status, e);
    if (strcmp(run->wish, "status") == 0 && status == 0)
        return succeed(t, run, first_line(t, &run->script), e);
    if (status != 0)
        return fail(t, run, arena_printf(&t->arena, "exit status %d: %s", status, last_line(t, &run->script)), e);
    run->verifies = true;
    run->settle_mono_us = clock_mono_us() + t->settings->settle_us;
    return call_or_fail(t, run, "status", e);
}

static int look(struct turn *t, struct power_run *run, struct error *e)
{
    int status = 0;
    if (run->script.pid == 0)
        return clock_mono_us() >= run->next_mono_us ? call_or_fail(t, run, "status", e) : 0;
    switch (script_step(&run->script, &status)) {
    case SCRIPT_RUNS:
        return 0;
    case SCRIPT_OVERDUE:
        return fail(
            t, run,
            arena_printf(&t->arena, "the script did not end within %lld ms", (long long)(t->settings->limit_us / 1000)),
            e);
    case SCRIPT_KILLED:
        return fail(t, run, "the script was killed", e);
    default:
        return ended(t, run, status, e);
    }
}

/* ---- jobs ---- */

static struct power_run *run_of(struct power *p, const char *host_id)
{
    for (size_t i = 0; i < POWER_AT_ONCE; i++)
        if (p->runs[i].busy && (host_id == NULL || strcmp(p->runs[i].host_id, host_id) == 0))
            return &p->runs[i];
    return NULL;
}

static struct power_run *free_run(struct power *p)
{
    for (size_t i = 0; i < POWER_AT_ONCE; i++)
        if (!p->runs[i].busy)
            return &p->runs[i];
    return NULL;
}

/* A fence of a host that speaks is over. */
static int give_up(struct turn *t, const struct host_power_job *job, struct error *e)
{
    struct write w = {
        .t = t, .host_id = job->host_id, .state = HOST_POWER_CANCELLED, .message = "the host is heard again"};
    log_info("host is heard again", "host=%s", job->host_id);
    return db_transact(t->d->conn, end_row, &w, e);
}

static int begin(struct turn *t, const struct host_power_job *job, struct error *e)
{
    struct power_run *run = free_run(t->power);
    struct host_row host;
    struct error none = {0};
    if (!run || job->next_us > t->now_us || run_of(t->power, job->host_id))
        return 0;
    int rc = store_host_get(t->d->conn, job->host_id, &t->arena, &host, &none);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&none));
    bool fences = strcmp(job->reason, "fence") == 0;
    if (fences && t->now_us - host.seen_us <= STORE_HOST_ALIVE_US && job->attempts == 0)
        return give_up(t, job, e);
    if (fences && host.seen_us > job->asked_us && t->now_us - host.seen_us <= STORE_HOST_ALIVE_US)
        return give_up(t, job, e);
    struct write w = {.t = t, .host_id = job->host_id};
    rc = db_transact(t->d->conn, begin_row, &w, &none);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&none));
    *run = (struct power_run){.busy = true, .fences = fences};
    snprintf(run->host_id, sizeof(run->host_id), "%s", job->host_id);
    snprintf(run->wish, sizeof(run->wish), "%s", job->wish);
    return call_or_fail(t, run, job->wish, e);
}

/* ---- who is dead ---- */

struct finding {
    struct turn *t;
    const char **ids;
    size_t count;
};

static int ask_fences(struct db_conn *c, void *arg, struct error *e)
{
    const struct finding *f = arg;
    int rc = lead(c, f->t, e);
    for (size_t i = 0; !rc && i < f->count; i++)
        rc = store_host_power_ask(c, f->ids[i], "off", "fence", f->t->now_us, e);
    return rc;
}

/* With nobody heard it is this controller that is deaf, and it counts the silence anew once it hears again. */
static int listen_round(struct turn *t, bool *ret_storm, struct error *e)
{
    struct power *p = t->power;
    int64_t all = 0, heard = 0;
    int rc = store_host_power_heard(t->d->conn, t->now_us - STORE_HOST_ALIVE_US, &all, &heard, e);
    int64_t silent = all - heard;
    if (rc)
        return rc;
    if (heard == 0)
        p->ears_us = t->now_us;
    *ret_storm = silent > 1 && silent * 100 > all * t->settings->fence_share_percent;
    if (*ret_storm && !p->storm)
        log_error("many hosts are silent at once: none is fenced by itself", "silent=%lld of=%lld", (long long)silent,
                  (long long)all);
    p->storm = *ret_storm;
    return 0;
}

static int find_dead(struct turn *t, struct error *e)
{
    struct finding f = {.t = t};
    bool storm = false;
    int64_t since_us = t->now_us - t->settings->fence_after_us;
    if (!t->settings->fence || t->now_us - t->power->listened_us < LISTEN_US)
        return 0;
    t->power->listened_us = t->now_us;
    int rc = listen_round(t, &storm, e);
    if (rc || storm || t->power->ears_us > since_us)
        return rc;
    rc = store_host_power_dead(t->d->conn, since_us, &t->arena, &f.ids, &f.count, e);
    if (rc || f.count == 0)
        return rc;
    for (size_t i = 0; i < f.count; i++)
        log_warn("host is dead: it is to be switched off", "host=%s", f.ids[i]);
    return db_transact(t->d->conn, ask_fences, &f, e);
}

static int note_liar(void *arg, const char *host_id, struct error *e)
{
    (void)arg;
    (void)e;
    log_error("a host that its script said was off went on", "host=%s", host_id);
    return 0;
}

static int judge(struct db_conn *c, void *arg, struct error *e)
{
    const struct turn *t = arg;
    int rc = lead(c, t, e);
    return rc ? rc : store_host_power_judge(c, t->now_us, note_liar, NULL, e);
}

static int judge_if_needed(struct turn *t, struct error *e)
{
    bool needed = false;
    int rc = store_host_power_to_judge(t->d->conn, &needed, e);
    return rc || !needed ? rc : db_transact(t->d->conn, judge, t, e);
}

/* ---- a turn ---- */

static int run_jobs(struct turn *t, struct error *e)
{
    struct host_power_job *jobs = NULL;
    size_t count = 0;
    int rc = store_host_power_open(t->d->conn, &t->arena, &jobs, &count, e);
    for (size_t i = 0; !rc && i < POWER_AT_ONCE; i++) {
        struct power_run *run = &t->power->runs[i];
        bool open = false;
        for (size_t k = 0; run->busy && k < count && !open; k++)
            open = strcmp(jobs[k].host_id, run->host_id) == 0 && strcmp(jobs[k].wish, run->wish) == 0;
        if (run->busy && !open) { /* cancelled, or something else is wished */
            script_stop(&run->script);
            run->busy = false;
        }
        rc = run->busy ? look(t, run, e) : 0;
    }
    for (size_t i = 0; !rc && i < count; i++)
        rc = begin(t, &jobs[i], e);
    return rc;
}

int power_run(struct power *p, struct dispatch *d, const struct power_settings *settings, struct error *e)
{
    struct turn t = {.power = p, .d = d, .settings = settings, .now_us = clock_now_us()};
    if (!d->leader) {
        power_stop(p);
        p->ears_us = 0;
        return 0;
    }
    if (p->ears_us == 0 || t.now_us - p->turned_us > STOOD_STILL_US + 2 * settings->poll_us || t.now_us < p->turned_us)
        p->ears_us = t.now_us;
    p->turned_us = t.now_us;
    arena_init(&t.arena);
    int rc = judge_if_needed(&t, e);
    rc = rc ? rc : find_dead(&t, e);
    rc = rc ? rc : run_jobs(&t, e);
    arena_done(&t.arena);
    if (rc == ERR_CONFLICT)
        d->leader = false;
    return rc;
}

void power_stop(struct power *p)
{
    for (size_t i = 0; i < POWER_AT_ONCE; i++) {
        if (p->runs[i].busy)
            script_stop(&p->runs[i].script);
        p->runs[i].busy = false;
    }
}
