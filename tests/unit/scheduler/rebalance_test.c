/* Plans of moves: hot hosts are cooled by few moves, hosts are emptied as a whole, every rule of placement holds, and
 * the library is as it was afterwards. On small pools plans are compared with the best of all. */
#include "scheduler/placement/rebalance.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS   12
#define SERVERS 200
#define MOVES   100

struct pool {
    struct placement *p;
    struct rebalance_host hosts[HOSTS];
    struct rebalance_server servers[SERVERS];
    struct rebalance_pool pool;
    struct rebalance_move moves[MOVES];
};
static const struct rebalance_limits limits = {
    .hot_permille = 800, .settle_permille = 700, .gain_permille = 20, .moves = MOVES};

static void begin(struct pool *x, int hosts)
{
    memset(x, 0, sizeof(*x));
    x->p = placement_new(NULL);
    for (int i = 0; i < hosts; i++) {
        char id[40];
        snprintf(id, sizeof(id), "host-%d", i);
        struct placement_host h = {.id = id,
                                   .zone = i < 6 ? "a" : "b",
                                   .hypervisor = "qemu",
                                   .architecture = "x86_64",
                                   .enabled = true,
                                   .alive = true,
                                   .inventory = {{.total = 10, .ratio_permille = 2000},
                                                 {.total = 10000, .ratio_permille = 1000},
                                                 {.total = 1000, .ratio_permille = 1000}}};
        int32_t slot = placement_set_host(x->p, &h);
        x->hosts[i] = (struct rebalance_host){
            .slot = slot, .cpu_milli = 10000, .memory_mib = 10000, .gives = true, .takes = true};
    }
    x->pool = (struct rebalance_pool){.hosts = x->hosts, .host_count = (size_t)hosts, .servers = x->servers};
}

/* Servers are added host by host. */
static struct rebalance_server *add(struct pool *x, int host, int64_t cpu_milli)
{
    struct rebalance_server *s = &x->servers[x->pool.server_count++];
    *s = (struct rebalance_server){.host = host,
                                   .request = {.need = {{1, 1000, 10}}, .project_id = "p"},
                                   .cpu_milli = cpu_milli,
                                   .memory_mib = 500,
                                   .movable = true};
    placement_take(x->p, x->hosts[host].slot, &s->request.need, NULL);
    x->hosts[host].cpu_used_milli += cpu_milli;
    x->hosts[host].memory_used_mib += 500;
    x->hosts[host].servers++;
    return s;
}

static void end(struct pool *x)
{
    placement_free(&x->p);
}

static void used(const struct pool *x, int64_t ret[HOSTS])
{
    for (size_t i = 0; i < x->pool.host_count; i++)
        ret[i] = placement_host_used(x->p, x->hosts[i].slot)->amount[RESOURCE_VCPU];
}

TEST("a hot host is cooled by the one move that suffices, to the coolest host")
{
    struct pool x;
    begin(&x, 3);
    add(&x, 0, 5000);
    add(&x, 0, 2500);
    add(&x, 0, 1000);
    add(&x, 1, 3000);
    CHECK_INT(rebalance_load(&x.hosts[0]), 850);
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 1);
    CHECK_INT(x.moves[0].to, 2);
    CHECK_INT(x.moves[0].before_permille, 850);
    CHECK(x.moves[0].after_permille <= 700);
    end(&x);
}

TEST("a pool without a hot host is left alone, and one that was cooled stays so")
{
    struct pool x;
    begin(&x, 3);
    add(&x, 0, 5000);
    add(&x, 0, 2900);
    add(&x, 1, 1000);
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 0);
    end(&x);
}

TEST("nothing moves where no host stays below the mark")
{
    struct pool x;
    begin(&x, 2);
    add(&x, 0, 5000);
    add(&x, 0, 4500);
    add(&x, 1, 6900);
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 0);
    end(&x);
}

TEST("a move goes only where placement lets it, and not over capacity")
{
    struct pool x;
    begin(&x, 8);
    for (int i = 0; i < 4; i++)
        add(&x, 0, 2300)->request.zone = "a";
    for (int host = 1; host < 6; host++)
        for (int i = 0; i < 10; i++)
            add(&x, host, 100); /* their memory is full */
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 0);
    for (int i = 0; i < 4; i++)
        x.servers[i].request.zone = NULL;
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 1);
    CHECK(x.moves[0].to >= 6);
    x.hosts[6].takes = x.hosts[7].takes = false;
    CHECK_INT(rebalance_relieve(x.p, &x.pool, &limits, x.moves), 0);
    end(&x);
}

TEST("hosts are emptied as a whole, the emptiest first, and the library is as it was")
{
    struct pool x;
    int64_t before[HOSTS] = {0}, after[HOSTS] = {0};
    size_t emptied = 0;
    begin(&x, 6);
    for (int host = 0; host < 5; host++)
        for (int i = 0; i <= host; i++)
            add(&x, host, 200);
    used(&x, before);
    size_t count = rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied);
    used(&x, after);
    CHECK_INT(emptied, 3); /* fifteen servers of a tenth of a host each need two */
    CHECK_INT(count, 6);
    CHECK(memcmp(before, after, sizeof(before)) == 0);
    for (size_t i = 0; i < count; i++)
        CHECK(x.moves[i].to == 3 || x.moves[i].to == 4);
    struct placement_request r = {.need = {{1, 1000, 10}}, .project_id = "p", .goal = PLACEMENT_GOAL_SPREAD};
    CHECK_INT(placement_choose(x.p, &r), x.hosts[5].slot); /* it is seen again */
    end(&x);
}

TEST("a host with a server that cannot move keeps all of them")
{
    struct pool x;
    size_t emptied = 0;
    begin(&x, 3);
    add(&x, 0, 100)->movable = false;
    add(&x, 0, 100);
    for (int i = 0; i < 5; i++)
        add(&x, 1, 100);
    CHECK_INT(rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied), 5);
    CHECK_INT(emptied, 1);
    x.hosts[0].takes = false;
    CHECK_INT(rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied), 0);
    end(&x);
}

TEST("hosts with room are found behind any number of full ones")
{
    struct pool x;
    size_t emptied = 0;
    begin(&x, HOSTS);
    for (int host = 0; host < HOSTS - 2; host++) /* tight, and as hot as may be */
        for (int i = 0; i < 7; i++)
            add(&x, host, 1000);
    for (int host = HOSTS - 2; host < HOSTS; host++)
        add(&x, host, 1000);
    CHECK_INT(rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied), 1);
    CHECK_INT(emptied, 1);
    CHECK_INT(x.moves[0].from, HOSTS - 2);
    CHECK_INT(x.moves[0].to, HOSTS - 1);
    end(&x);
}

TEST("of a group one server moves per plan")
{
    struct pool x;
    size_t emptied = 0;
    begin(&x, 3);
    add(&x, 0, 100)->group_id = "g";
    add(&x, 1, 100)->group_id = "g";
    for (int i = 0; i < 5; i++)
        add(&x, 2, 100);
    CHECK_INT(rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied), 1);
    CHECK_INT(emptied, 1);
    end(&x);
}

static void carry_out(struct pool *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rebalance_server *s = &x->servers[x->moves[i].server];
        struct rebalance_host *from = &x->hosts[s->host], *to = &x->hosts[x->moves[i].to];
        placement_release(x->p, from->slot, &s->request.need, NULL);
        placement_take(x->p, to->slot, &s->request.need, NULL);
        from->cpu_used_milli -= s->cpu_milli;
        to->cpu_used_milli += s->cpu_milli;
        from->memory_used_mib -= s->memory_mib;
        to->memory_used_mib += s->memory_mib;
        s->host = x->moves[i].to;
    }
}

static int by_host(const void *a, const void *b)
{
    return ((const struct rebalance_server *)a)->host - ((const struct rebalance_server *)b)->host;
}

TEST("random pools: plans keep to capacity and marks, help, and come to rest")
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct pool x;
        srand(seed);
        begin(&x, HOSTS);
        for (int host = 0; host < HOSTS; host++)
            for (int i = rand() % 10; i > 0; i--)
                add(&x, host, rand() % 2000);
        size_t rounds = 0, count;
        while ((count = rebalance_relieve(x.p, &x.pool, &limits, x.moves)) > 0 && ++rounds < 20) {
            for (size_t i = 0; i < count; i++)
                CHECK(x.moves[i].target_permille <= limits.settle_permille &&
                      x.moves[i].before_permille > limits.settle_permille);
            carry_out(&x, count);
            qsort(x.servers, x.pool.server_count, sizeof(*x.servers), by_host);
        }
        CHECK(rounds <= 2); /* what one plan did the next does not undo */
        for (size_t i = 0; i < HOSTS; i++)
            CHECK(placement_host_used(x.p, x.hosts[i].slot)->amount[RESOURCE_MEMORY_MIB] <= 10000);
        end(&x);
    }
}

/* ---- the best plan of all, on small pools: every assignment is tried ---- */

#define SMALL 4

struct goal {
    int hot, moves; /* relieving: hosts above the mark that were hot; servers that move */
    int emptied;    /* consolidating */
};
struct trial {
    struct pool *x;
    int at[SERVERS]; /* where each server is */
    bool relieve;
    bool open[HOSTS]; /* relieving: hosts that were hot; consolidating: those that are emptied */
    struct goal best;
};

static int64_t load_at(const struct trial *t, int host, int64_t *ret_memory)
{
    struct rebalance_host h = t->x->hosts[host];
    h.cpu_used_milli = h.memory_used_mib = *ret_memory = 0;
    for (size_t i = 0; i < t->x->pool.server_count; i++) {
        if (t->at[i] == host) {
            h.cpu_used_milli += t->x->servers[i].cpu_milli;
            h.memory_used_mib += t->x->servers[i].memory_mib;
            *ret_memory += t->x->servers[i].request.need.amount[RESOURCE_MEMORY_MIB];
        }
    }
    return rebalance_load(&h);
}

/* Whether whoever got a server has room and stays below the mark; counts what was reached. */
static bool is_allowed(const struct trial *t, struct goal *ret)
{
    bool came[SMALL] = {false};
    *ret = (struct goal){0};
    for (size_t i = 0; i < t->x->pool.server_count; i++) {
        came[t->at[i]] |= t->at[i] != t->x->servers[i].host;
        ret->moves += t->at[i] != t->x->servers[i].host;
    }
    for (int i = 0; i < SMALL; i++) {
        int64_t memory, load = load_at(t, i, &memory);
        if (came[i] && (load > limits.settle_permille || memory > 10000)) {
            return false;
        }
        ret->hot += t->relieve && t->open[i] && load > limits.settle_permille;
        ret->emptied += !t->relieve && t->open[i];
    }
    return true;
}

static bool is_better(const struct goal *a, const struct goal *b)
{
    return a->emptied != b->emptied ? a->emptied > b->emptied
           : a->hot != b->hot       ? a->hot < b->hot
                                    : a->moves < b->moves;
}

static void try_all(struct trial *t, size_t server)
{
    struct goal g;
    if (server == t->x->pool.server_count) {
        if (is_allowed(t, &g) && is_better(&g, &t->best)) {
            t->best = g;
        }
        return;
    }
    const struct rebalance_server *s = &t->x->servers[server];
    bool may = t->open[s->host] && s->movable, must = t->open[s->host] && !t->relieve;
    for (int to = 0; to < SMALL; to++) {
        const char *zone = s->request.zone;
        bool stays = to == s->host;
        bool fits = t->x->hosts[to].takes && (t->relieve || (!t->open[to] && t->x->hosts[to].servers > 0));
        if (stays ? !must : may && fits && (!zone || strcmp(zone, to < 6 ? "a" : "b") == 0)) {
            t->at[server] = to;
            try_all(t, server + 1);
        }
    }
}

static struct goal best_relief(struct pool *x)
{
    struct trial t = {.x = x, .relieve = true, .best = {.hot = HOSTS + 1}};
    for (int i = 0; i < SMALL; i++) {
        t.open[i] = x->hosts[i].gives && rebalance_load(&x->hosts[i]) > limits.hot_permille;
    }
    try_all(&t, 0);
    return t.best;
}

static struct goal best_consolidation(struct pool *x)
{
    struct trial t = {.x = x, .best = {.emptied = -1}};
    for (unsigned set = 0; set < 1U << SMALL; set++) {
        bool all = true;
        for (int i = 0; i < SMALL; i++) {
            t.open[i] = set >> i & 1;
            all = all && (!t.open[i] || (x->hosts[i].gives && x->hosts[i].servers > 0));
        }
        if (all) {
            try_all(&t, 0);
        }
    }
    return t.best;
}

static void make_small(struct pool *x, unsigned seed, int most, int hottest)
{
    srand(seed);
    begin(x, SMALL);
    for (int host = 0; host < SMALL; host++) {
        x->hosts[host].gives = rand() % 8 > 0;
        x->hosts[host].takes = rand() % 8 > 0;
        for (int i = rand() % (most + 1); i > 0; i--) {
            struct rebalance_server *s = add(x, host, 100 + rand() % hottest);
            s->movable = rand() % 10 > 0;
            s->request.need.amount[RESOURCE_MEMORY_MIB] = 1000;
        }
    }
}

/* What the plan reaches, by the same measure. */
static struct goal reached(struct pool *x, size_t count, bool relieve, size_t emptied)
{
    struct trial t = {.x = x, .relieve = relieve};
    struct goal g;
    for (size_t i = 0; i < x->pool.server_count; i++) {
        t.at[i] = x->servers[i].host;
    }
    for (int i = 0; i < SMALL; i++) {
        t.open[i] = relieve && x->hosts[i].gives && rebalance_load(&x->hosts[i]) > limits.hot_permille;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(x->servers[x->moves[i].server].movable && x->hosts[x->moves[i].to].takes);
        t.at[x->moves[i].server] = x->moves[i].to;
    }
    CHECK(is_allowed(&t, &g));
    CHECK_INT(g.moves, count);
    g.emptied = (int)emptied;
    return g;
}

TEST("small pools: of twenty plans nineteen cool as many hosts as the best of all, hardly any by more moves")
{
    int plans = 0, least_hot = 0, best = 0;
    for (unsigned seed = 1; seed <= 400; seed++) {
        struct pool x;
        make_small(&x, seed, 3, 5000);
        struct goal want = best_relief(&x);
        struct goal got = reached(&x, rebalance_relieve(x.p, &x.pool, &limits, x.moves), true, 0);
        CHECK(!is_better(&got, &want));
        plans += want.moves > 0;
        least_hot += want.moves > 0 && got.hot == want.hot;
        best += want.moves > 0 && got.hot == want.hot && got.moves == want.moves;
        end(&x);
    }
    CHECK(plans > 100);
    CHECK(least_hot * 100 >= plans * 95);
    CHECK(best * 100 >= plans * 93);
}

TEST("small pools: of ten plans nine empty as many hosts as the best of all")
{
    int plans = 0, best = 0;
    for (unsigned seed = 1; seed <= 400; seed++) {
        struct pool x;
        size_t emptied;
        make_small(&x, seed, 3, 3000);
        struct goal want = best_consolidation(&x);
        size_t count = rebalance_consolidate(x.p, &x.pool, &limits, x.moves, &emptied);
        struct goal got = reached(&x, count, false, emptied);
        CHECK(got.emptied <= want.emptied);
        plans += want.emptied > 0;
        best += want.emptied > 0 && got.emptied == want.emptied;
        end(&x);
    }
    CHECK(plans > 100);
    CHECK(best * 100 >= plans * 90);
}
