/* Two columns: host.topology and allocation.topology; and what they amount to as resources. */
#include "db/store_cells.h"
#include <stdio.h>
#include <string.h>

#define PAGES_PREFIX "CUSTOM_HUGE_PAGES_"

const char *store_cells_class(int64_t page_kib, char ret[STORE_CELLS_CLASS_SIZE])
{
    if (page_kib == 0)
        snprintf(ret, STORE_CELLS_CLASS_SIZE, "PCPU");
    else
        snprintf(ret, STORE_CELLS_CLASS_SIZE, PAGES_PREFIX "%lldKB", (long long)page_kib);
    return ret;
}

bool store_cells_is_class(const char *name)
{
    return strcmp(name, "PCPU") == 0 || strncmp(name, PAGES_PREFIX, strlen(PAGES_PREFIX)) == 0;
}

/* ---- what it amounts to ---- */

struct amounts {
    struct arena *arena;
    struct numa_topology *t;
    struct host_resource_row *list;
    size_t count, room;
    const char *host_id;
    size_t first; /* of this host's in the list */
};

static struct host_resource_row *amount_of(struct amounts *x, int64_t page_kib)
{
    char name[STORE_CELLS_CLASS_SIZE];
    store_cells_class(page_kib, name);
    for (size_t i = x->first; i < x->count; i++)
        if (strcmp(x->list[i].name, name) == 0)
            return &x->list[i];
    x->list = arena_more(x->arena, x->list, x->count, &x->room, sizeof(*x->list));
    x->list[x->count] = (struct host_resource_row){
        .host_id = x->host_id, .name = arena_strdup(x->arena, name), .inventory = {.ratio_permille = 1000}};
    return &x->list[x->count++];
}

static void add_given(void *arg, const struct numa_given *g)
{
    struct amounts *x = arg;
    int64_t held = numa_given_held(g), huge_mib = numa_given_huge_mib(g);
    if (held > 0)
        amount_of(x, 0)->used += held;
    if (huge_mib > 0)
        amount_of(x, g->page_kib)->used += huge_mib * 1024 / g->page_kib;
}

static int add_host(struct amounts *x, const char *topology, const char *given, struct error *e)
{
    int rc = numa_topology_read(topology, x->t, e);
    if (rc)
        return rc;
    x->first = x->count;
    for (int32_t h = 0; h < x->t->cell_count; h++) {
        const struct numa_cell *cell = &x->t->cells[h];
        int64_t dedicated = cpuset_count(&cell->dedicated);
        if (dedicated > 0)
            amount_of(x, 0)->inventory.total += dedicated;
        for (int32_t i = 0; i < cell->page_count; i++)
            if (cell->pages[i].total > 0)
                amount_of(x, cell->pages[i].kib)->inventory.total += cell->pages[i].total;
    }
    return given != NULL ? numa_given_each(given, add_given, x, e) : 0;
}

#define CELLS(concat, where)                                                                                           \
    "SELECT id, topology, (SELECT '[' || " concat "(l.topology, ',') || ']' FROM allocation l WHERE l.host_id = "      \
    "host.id AND l.topology IS NOT NULL) FROM host WHERE " where "topology <> '{}' ORDER BY id"
DB_STATEMENT2(cells_resources, CELLS("group_concat", "id = $1 AND "), CELLS("string_agg", "id = $1 AND "));
DB_STATEMENT2(cells_resources_all, CELLS("group_concat", ""), CELLS("string_agg", ""));
int store_cells_resources(struct db_conn *c, const char *host_id, struct arena *a, struct host_resource_row **ret,
                          size_t *ret_count, struct error *e)
{
    struct amounts x = {.arena = a, .t = arena_alloc(a, sizeof(*x.t))};
    struct db_rows rows;
    int rc = host_id != NULL ? db_query(c, &cells_resources, &rows, e, DB_ARGS(db_text(host_id)))
                             : db_query(c, &cells_resources_all, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!rc && db_next(&rows)) {
        x.host_id = db_dup_text(&rows, 0, a);
        rc = add_host(&x, db_get_text(&rows, 1), db_get_text(&rows, 2), e);
    }
    int end = db_rows_done(&rows, e);
    if (!rc && !end) {
        *ret = x.list;
        *ret_count = x.count;
    }
    return rc ? rc : end;
}

DB_STATEMENT(cells_set, "UPDATE host SET topology = $2 WHERE id = $1 AND topology <> $2");
int store_cells_set(struct db_conn *c, const char *host_id, const char *topology, int64_t now_us, struct error *e)
{
    struct arena a;
    arena_init(&a);
    struct amounts x = {.arena = &a, .t = arena_alloc(&a, sizeof(*x.t)), .host_id = host_id};
    int64_t changed = 0;
    int rc = db_exec(c, &cells_set, &changed, e, DB_ARGS(db_text(host_id), db_text(topology)));
    if (!rc && changed > 0)
        rc = add_host(&x, topology, NULL, e);
    for (size_t i = 0; !rc && i < x.count; i++)
        rc = store_resource_class_add(c, x.list[i].name, now_us, e);
    arena_done(&a);
    return rc;
}

/* ---- rows ---- */

#define GIVEN(concat)                                                                                                  \
    "SELECT topology, (SELECT '[' || " concat "(l.topology, ',') || ']' FROM allocation l WHERE l.host_id = host.id "  \
    "AND l.topology IS NOT NULL) FROM host WHERE id = $1"
DB_STATEMENT2(cells_of_host, GIVEN("group_concat"), GIVEN("string_agg"));
int store_cells_of_host(struct db_conn *c, const char *host_id, struct arena *a, const char **ret_topology,
                        const char **ret_given, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cells_of_host, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    const char *topology = found ? db_dup_text(&rows, 0, a) : NULL, *given = found ? db_dup_text(&rows, 1, a) : NULL;
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        return error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
    if (!rc) {
        *ret_topology = topology;
        *ret_given = given;
    }
    return rc;
}

DB_STATEMENT(cells_held, "SELECT topology FROM allocation WHERE server_id = $1");
int store_cells_held(struct db_conn *c, const char *consumer_id, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cells_held, &rows, e, DB_ARGS(db_text(consumer_id)));
    if (rc)
        return rc;
    const char *held = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = held;
    return rc;
}
