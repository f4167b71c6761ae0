/* See servers_sort.h. Of servers that share the first key's value no more are kept than a page holds, so a list costs
 * the memory of a page whatever it walks over. Rows are read again when their turn comes; one that was deleted
 * meanwhile is left out. */
#include "api/compute/servers_sort.h"
#include <stdlib.h>
#include <string.h>

struct key {
    int64_t number;
    const char *text;
};
struct entry {
    const char *id;
    struct key keys[SERVER_SORT_COUNT];
};
struct run {
    struct request *request;
    const struct servers_filter *filter;
    store_server_fn each;
    void *arg;
    const struct entry *marker; /* NULL: from the first */
    struct entry *entries;
    size_t count, room, limit;
    bool bounded; /* entries up to `limit` are sorted, and what comes behind the last of them is not wanted */
    bool full;    /* `each` has ended the walk */
};
/* qsort has no argument. */
static _Thread_local const struct servers_filter *ordering;

static struct key key_of(const struct server_row *row, enum server_sort sort)
{
    struct server_situation situation;
    switch (sort) {
    case SERVER_SORT_UPDATED:
        return (struct key){.number = row->updated_us};
    case SERVER_SORT_LAUNCHED:
        return (struct key){.number = row->launched_us};
    case SERVER_SORT_NAME:
        return (struct key){.text = row->name};
    case SERVER_SORT_HOSTNAME:
        return (struct key){.text = row->hostname};
    case SERVER_SORT_ID:
        return (struct key){.text = row->id};
    case SERVER_SORT_PROJECT:
        return (struct key){.text = row->project_id};
    case SERVER_SORT_USER:
        return (struct key){.text = row->user_id};
    case SERVER_SORT_IMAGE:
        return (struct key){.text = row->image_id};
    case SERVER_SORT_FLAVOR:
        return (struct key){.text = row->flavor_id};
    case SERVER_SORT_KEY:
        return (struct key){.text = row->key_name};
    case SERVER_SORT_ZONE:
        return (struct key){.text = row->host_zone != NULL ? row->host_zone : row->zone};
    case SERVER_SORT_HOST:
        return (struct key){.text = row->host_name};
    case SERVER_SORT_VM_STATE:
        situation = store_server_situation(row);
        return (struct key){.text = server_words(&situation).vm_state};
    case SERVER_SORT_LOCKED:
        return (struct key){.number = row->locked};
    case SERVER_SORT_CREATED:
    case SERVER_SORT_COUNT:
        break;
    }
    return (struct key){.number = row->created_us};
}

/* Nothing comes before everything, as in the store. */
static int compare_keys(const struct key *a, const struct key *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return strcmp(a->text != NULL ? a->text : "", b->text != NULL ? b->text : "");
}

static void read_entry(const struct servers_filter *f, const struct server_row *row, struct entry *ret)
{
    ret->id = row->id;
    for (size_t i = 0; i < f->sort_count; i++)
        ret->keys[i] = key_of(row, f->sorts[i].sort);
}

static void copy_entry(const struct run *r, const struct entry *from, struct entry *to)
{
    *to = *from;
    to->id = arena_strdup(&r->request->arena, from->id);
    for (size_t i = 0; i < r->filter->sort_count; i++)
        if (from->keys[i].text != NULL)
            to->keys[i].text = arena_strdup(&r->request->arena, from->keys[i].text);
}

/* By the keys behind the first, then by id in the first one's direction. */
static int compare(const struct servers_filter *f, const struct entry *a, const struct entry *b)
{
    int order = 0;
    for (size_t i = 1; i < f->sort_count && order == 0; i++)
        order = compare_keys(&a->keys[i], &b->keys[i]) * (f->sorts[i].ascending ? 1 : -1);
    return order != 0 ? order : strcmp(a->id, b->id) * (f->sorts[0].ascending ? 1 : -1);
}

static int compare_entries(const void *a, const void *b)
{
    return compare(ordering, a, b);
}

/* What is more than a page goes. */
static void sort(struct run *r)
{
    ordering = r->filter;
    if (r->count > 1)
        qsort(r->entries, r->count, sizeof(*r->entries), compare_entries);
    r->bounded = r->count >= r->limit;
    if (r->bounded)
        r->count = r->limit;
}

static int emit(void *arg, const struct server_row *row, struct error *e)
{
    struct run *r = arg;
    int rc = r->each(r->arg, row, e);
    r->full = rc == STORE_SERVER_STOP;
    return rc;
}

static int flush(struct run *r)
{
    int rc = 0;
    sort(r);
    for (size_t i = 0; i < r->count && rc == 0 && !r->full; i++) {
        rc = store_server_visit(r->request->conn, r->entries[i].id, emit, r, &r->request->error);
        if (rc == ERR_NOT_FOUND) {
            error_clear(&r->request->error);
            rc = 0;
        }
    }
    r->count = 0;
    r->bounded = false;
    return rc;
}

static void add(struct run *r, const struct entry *entry)
{
    if (r->bounded && compare(r->filter, entry, &r->entries[r->limit - 1]) > 0)
        return;
    r->entries = arena_more(&r->request->arena, r->entries, r->count, &r->room, sizeof(*r->entries));
    copy_entry(r, entry, &r->entries[r->count++]);
    if (r->count >= 2 * r->limit)
        sort(r);
}

static int admit(void *arg, const struct server_row *row, struct error *e)
{
    struct run *r = arg;
    struct entry entry;
    int rc = 0;
    (void)e;
    if (!servers_filter_pass(r->filter, row))
        return 0;
    read_entry(r->filter, row, &entry);
    if (r->marker != NULL && compare_keys(&entry.keys[0], &r->marker->keys[0]) == 0 &&
        compare(r->filter, &entry, r->marker) <= 0)
        return 0;
    if (r->count > 0 && compare_keys(&entry.keys[0], &r->entries[0].keys[0]) != 0)
        rc = flush(r);
    if (rc == 0 && r->full)
        return STORE_SERVER_STOP;
    if (rc == 0)
        add(r, &entry);
    return rc;
}

int servers_sort_walk(struct request *request, const struct servers_filter *f, const struct server_query *query,
                      store_server_fn each, void *arg)
{
    struct run r = {.request = request, .filter = f, .each = each, .arg = arg, .limit = (size_t)f->limit};
    struct server_row row;
    struct entry marker;
    int rc = 0;
    if (query->marker != NULL) {
        rc = store_server_get(request->conn, query->marker, &request->arena, &row, &request->error);
        if (!rc)
            read_entry(f, &row, &marker);
        r.marker = &marker;
    }
    if (!rc)
        rc = store_server_list(request->conn, query, admit, &r, &request->error);
    return rc || r.full ? rc : flush(&r);
}
