/* Questions are rows, as those of tenants' requests are; whoever has not answered is asked again. */
#include "cli/host_ask.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_agent_query.h"
#include "db/store_host.h"
#include <time.h>

#define ROUNDS     3
#define LOOK_NS    (50 * 1000000)
#define EXPIRES_US (300 * CLOCK_SECOND_US)

struct listing {
    struct arena *arena;
    struct host_asked **last;
    size_t silent;
};

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *x = arg;
    if (row->seen_us < clock_now_us() - STORE_HOST_ALIVE_US) {
        x->silent++;
        return 0;
    }
    struct host_asked *host = arena_alloc(x->arena, sizeof(*host));
    *host = (struct host_asked){
        .host_id = arena_strdup(x->arena, row->id), .name = arena_strdup(x->arena, row->name), .args = "{}"};
    *x->last = host;
    x->last = &host->next;
    return 0;
}

int host_ask_list(struct cli *cli, struct host_asked **ret, size_t *ret_silent, struct error *e)
{
    struct listing x = {.arena = &cli->arena, .last = ret};
    *ret = NULL;
    int rc = store_host_list(db_reader(cli->db), add_host, &x, e);
    *ret_silent = x.silent;
    return rc;
}

struct asking {
    struct cli *cli;
    const char *kind;
    struct host_asked *hosts;
};

/* All that have not answered. */
static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct asking *x = arg;
    int64_t now = clock_now_us();
    int rc = 0;
    for (struct host_asked *h = x->hosts; !rc && h; h = h->next) {
        if (h->answer || h->skip) {
            continue;
        }
        h->query_id = uuid_ordered(arena_alloc(&x->cli->arena, UUID_SIZE));
        rc = store_agent_query_insert(c, h->query_id, h->host_id, "", x->kind, h->args, now, now + EXPIRES_US, e);
    }
    return rc;
}

/* Whether all have answered. */
static int look(struct asking *x, bool *ret, struct error *e)
{
    int rc = 0;
    *ret = true;
    for (struct host_asked *h = x->hosts; !rc && h; h = h->next) {
        if (!h->answer && !h->skip) {
            rc = store_agent_query_get(db_reader(x->cli->db), h->query_id, &x->cli->arena, &h->answer, e);
        }
        *ret = *ret && (h->answer || h->skip);
    }
    return rc;
}

static int wait_for_answers(struct asking *x, int64_t wait_ms, bool *ret_all, struct error *e)
{
    int64_t until = clock_mono_us() + wait_ms * 1000;
    int rc = look(x, ret_all, e);
    while (!rc && !*ret_all && clock_mono_us() < until) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        rc = look(x, ret_all, e);
    }
    return rc;
}

int host_ask(struct cli *cli, const char *kind, struct host_asked *hosts, int64_t wait_ms, struct error *e)
{
    struct asking x = {.cli = cli, .kind = kind, .hosts = hosts};
    struct db_conn *writer = NULL;
    bool all = false;
    for (struct host_asked *h = hosts; h; h = h->next) {
        h->answer = NULL;
    }
    int rc = db_conn_open(cli->db, &writer, e);
    if (rc) {
        return rc;
    }
    for (int i = 0; !rc && !all && i < ROUNDS; i++) {
        rc = db_transact(writer, ask, &x, e);
        rc = rc ? rc : wait_for_answers(&x, wait_ms / ROUNDS, &all, e);
    }
    db_conn_close(&writer);
    return rc;
}
