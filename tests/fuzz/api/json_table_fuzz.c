/* Bodies through the field tables of all our routes: the first two bytes choose the row. */
#include "api/http/router.h"
#include "api/services.h"
#include "common/json_in.h"
#include "common/memory.h"
#include <assert.h>
#include <stdlib.h>

static const struct router_row **rows; /* those that have a table, of both ports */
static size_t count;

static void gather(enum router_port port)
{
    static struct router *routers[2]; /* rows point into them */
    struct error e = {0};
    if (router_new(services_all, port, &routers[port], &e))
        abort();
    struct router *router = routers[port];
    rows = memory_resize(rows, (count + router_count(router) + 1) * sizeof(*rows));
    for (size_t i = 0; i < router_count(router); i++)
        if (router_at(router, i)->route->body)
            rows[count++] = router_at(router, i);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    gather(ROUTER_TENANTS);
    gather(ROUTER_AGENTS);
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct error e = {0};
    struct json_doc doc;
    struct arena arena;
    if (size < 2 || !count || json_in_parse((const char *)data + 2, size - 2, &doc, &e))
        return 0;
    const struct router_row *row = rows[(size_t)(data[0] | data[1] << 8) % count];
    arena_init(&arena);
    void *target = arena_alloc(&arena, row->route->body_size);
    int rc = json_in_read(doc.root, row->route->member ? &row->document : row->route->body, target, &arena, &e);
    assert(!rc || (e.code == rc && e.text[0]));
    arena_done(&arena);
    json_in_done(&doc);
    return 0;
}
