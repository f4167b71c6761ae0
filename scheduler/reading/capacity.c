/* Happy path: all host rows into a library; each wish is counted there, then on an empty host of every kind that there
 * is, which is in the library only as long as that.
 *
 * Failure modes: a wish that cannot be is an answer, not an error. */
#include "scheduler/reading/capacity.h"
#include "common/memory.h"
#include "db/store_host.h"
#include "scheduler/reading/feed.h"
#include "scheduler/reading/requirements.h"
#include <stdlib.h>
#include <string.h>

#define ONE_MORE "one more" /* no host has that id */

struct known_host {
    const char *name;
    struct resources total;
};

struct capacity {
    struct placement *placement;
    struct arena *arena;
    struct known_host *hosts; /* by slot */
    int32_t host_count;
    struct kind_of_host {
        int32_t like; /* slot of one of them */
        int64_t hosts;
    } * kinds;
    size_t kind_count, kind_space;
};

static int note_name(void *arg, const struct host_row *row, struct error *e)
{
    struct capacity *k = arg;
    int32_t slot = placement_slot(k->placement, row->id);
    (void)e;
    if (slot != PLACEMENT_NO_SLOT && slot < k->host_count) {
        k->hosts[slot] = (struct known_host){arena_strdup(k->arena, row->name), row->total};
        if (row->asleep_us) {
            placement_set_alive(k->placement, slot, false);
        }
    }
    return 0;
}

static void note_kind(void *arg, int32_t slot, int64_t count)
{
    struct capacity *k = arg;
    k->kinds = arena_more(k->arena, k->kinds, k->kind_count, &k->kind_space, sizeof(*k->kinds));
    k->kinds[k->kind_count++] = (struct kind_of_host){.like = slot, .hosts = count};
}

int capacity_open(struct db_conn *c, int64_t now_us, struct arena *a, struct capacity **ret, struct error *e)
{
    struct capacity *k = memory_new(sizeof(*k));
    k->arena = a;
    k->placement = placement_new(NULL);
    struct feed feed = {.placement = k->placement, .alive_limit_us = STORE_HOST_ALIVE_US};
    int rc = feed_refresh(&feed, c, now_us, e);
    k->host_count = placement_slot_end(k->placement);
    k->hosts = arena_array(a, (size_t)k->host_count + 1, sizeof(*k->hosts));
    rc = rc ? rc : store_host_list(c, note_name, k, e);
    if (rc) {
        capacity_free(&k);
        return rc;
    }
    placement_each_like(k->placement, note_kind, k);
    *ret = k;
    return 0;
}

void capacity_free(struct capacity **capacity)
{
    if (*capacity) {
        placement_free(&(*capacity)->placement);
        free(*capacity);
        *capacity = NULL;
    }
}

static bool same_size(const struct capacity_more *m, const struct known_host *host, int64_t adds)
{
    return m->adds == adds && memcmp(&m->total, &host->total, sizeof(m->total)) == 0;
}

static void add_more(const struct capacity *k, const struct kind_of_host *kind, int64_t adds,
                     struct capacity_answer *ret)
{
    const struct known_host *host = &k->hosts[kind->like];
    size_t i = 0;
    while (i < ret->more_count && !same_size(&ret->more[i], host, adds)) {
        i++;
    }
    if (i == ret->more_count) {
        ret->more[ret->more_count++] = (struct capacity_more){.like = host->name, .total = host->total, .adds = adds};
    }
    ret->more[i].hosts += kind->hosts;
}

int capacity_count(struct capacity *k, struct db_conn *c, const struct placement_waiting_row *wish,
                   struct capacity_answer *ret, struct error *e)
{
    struct placement_request r;
    struct error reason = {0};
    *ret = (struct capacity_answer){.more = arena_array(k->arena, k->kind_count + 1, sizeof(*ret->more))};
    int rc = requirements_read(c, k->placement, wish, k->arena, &r, &reason);
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        ret->refusal = arena_strdup(k->arena, error_text(&reason));
        return 0;
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    ret->fits = placement_count(k->placement, &r, &ret->x);
    for (size_t i = 0; i < k->kind_count; i++) {
        int32_t slot = placement_add_like(k->placement, k->kinds[i].like, ONE_MORE);
        add_more(k, &k->kinds[i], placement_count_at(k->placement, &r, slot), ret);
        placement_remove_host(k->placement, ONE_MORE);
    }
    return 0;
}
