/* Sets of a few places each, found by the end of the server's id (which is random); within a set the one that was used
 * longest ago makes room. A place says whose answer it has, so that few entries are looked at that are not wanted. An
 * entry is one block: the struct and its texts. */
#include "api/compute/server_kept.h"
#include "common/memory.h"
#include "common/uuid.h"
#include "db/store_host.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS      512
#define WAYS      8
#define BODY_MOST 4096

struct server_kept {
    char id[UUID_SIZE];
    int microversion;
    bool admin, host_enabled, host_alive;
    int64_t revision, host_seen_us;
    uint64_t generation; /* of the database when this was the answer; 0: not known */
    const char *project_id, *base_url, *host_name, *host_zone, *body; /* in `texts` */
    size_t body_size;
    char texts[];
};
struct place {
    struct server_kept *kept;
    uint32_t end;  /* of the server's id */
    uint32_t used; /* when, by the table's count, which may wrap: then another makes room */
};
struct table {
    struct place places[SETS][WAYS];
    uint32_t count;
};

static pthread_key_t table_key;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_free(void *arg)
{
    struct table *table = arg;
    for (size_t i = 0; i < SETS; i++)
        for (size_t k = 0; k < WAYS; k++)
            free(table->places[i][k].kept);
    free(table);
}

static void table_start(void)
{
    pthread_key_create(&table_key, table_free);
}

/* This thread's; freed when it ends. */
static struct table *own_table(void)
{
    pthread_once(&table_once, table_start);
    struct table *table = pthread_getspecific(table_key);
    if (table == NULL) {
        table = memory_new(sizeof(*table));
        pthread_setspecific(table_key, table);
    }
    return table;
}

static uint32_t end_of(const char *id)
{
    uint32_t end;
    memcpy(&end, id + UUID_SIZE - 1 - sizeof(end), sizeof(end));
    return end;
}

/* The places where the server's answers may be; NULL for what is no id. */
static struct place *find_set(struct table *table, const char *id)
{
    if (strnlen(id, UUID_SIZE) != UUID_SIZE - 1)
        return NULL;
    return table->places[(end_of(id) * 2654435761u >> 16) % SETS];
}

static bool is_for(const struct place *place, struct request *request, const char *id)
{
    const struct server_kept *kept = place->kept;
    return kept != NULL && place->end == end_of(id) && memcmp(kept->id, id, UUID_SIZE) == 0 &&
           kept->microversion == request->microversion && kept->admin == compute_is_admin(request) &&
           strcmp(kept->base_url, request_base_url(request)) == 0;
}

struct server_kept *server_kept_find(struct request *request, const char *id)
{
    struct table *table = own_table();
    struct place *set = find_set(table, id);
    for (size_t i = 0; set != NULL && i < WAYS; i++)
        if (is_for(&set[i], request, id)) {
            set[i].used = ++table->count;
            return set[i].kept;
        }
    return NULL;
}

static bool is_alive(int64_t seen_us, int64_t now_us)
{
    return now_us - seen_us <= STORE_HOST_ALIVE_US;
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool server_kept_is_current(const struct server_kept *kept, uint64_t generation, int64_t now_us)
{
    return generation != 0 && kept->generation == generation &&
           kept->host_alive == is_alive(kept->host_seen_us, now_us);
}

bool server_kept_fits(const struct server_kept *kept, const struct server_stamp *stamp, int64_t now_us)
{
    return kept->revision == stamp->revision && kept->host_enabled == stamp->host_enabled &&
           kept->host_alive == is_alive(stamp->host_seen_us, now_us) && is_same(kept->host_name, stamp->host_name) &&
           is_same(kept->host_zone, stamp->host_zone);
}

void server_kept_confirm(struct server_kept *kept, const struct server_stamp *stamp, uint64_t generation)
{
    kept->host_seen_us = stamp->host_seen_us;
    kept->generation = generation;
}

const char *server_kept_body(const struct server_kept *kept, size_t *ret_size)
{
    *ret_size = kept->body_size;
    return kept->body;
}

const char *server_kept_project(const struct server_kept *kept)
{
    return kept->project_id;
}

static size_t size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Copies `size` bytes with their terminator to *at and moves that on. */
static const char *put_text(char **at, const char *text, size_t size)
{
    char *start = *at;
    if (size == 0)
        return NULL;
    memcpy(start, text, size - 1);
    start[size - 1] = '\0';
    *at += size;
    return start;
}

static struct server_kept *make(struct request *request, const struct server_row *row, const char *body, size_t size)
{
    const char *base = request_base_url(request);
    size_t base_size = size_of(base), name_size = size_of(row->host_name), zone_size = size_of(row->host_zone),
           project_size = size_of(row->project_id);
    struct server_kept *kept = memory_new(sizeof(*kept) + project_size + base_size + name_size + zone_size + size + 1);
    char *at = kept->texts;
    memcpy(kept->id, row->id, UUID_SIZE);
    kept->microversion = request->microversion;
    kept->admin = compute_is_admin(request);
    kept->host_enabled = row->host_enabled;
    kept->host_alive = is_alive(row->host_seen_us, request->now_us);
    kept->revision = row->revision;
    kept->host_seen_us = row->host_seen_us;
    kept->project_id = put_text(&at, row->project_id, project_size);
    kept->base_url = put_text(&at, base, base_size);
    kept->host_name = put_text(&at, row->host_name, name_size);
    kept->host_zone = put_text(&at, row->host_zone, zone_size);
    kept->body = put_text(&at, body, size + 1);
    kept->body_size = size;
    return kept;
}

void server_kept_put(struct request *request, const struct server_row *row, uint64_t generation, const char *body,
                     size_t size)
{
    struct table *table = own_table();
    struct place *set = find_set(table, row->id);
    size_t at = 0;
    if (set == NULL || size > BODY_MOST)
        return;
    for (size_t i = 0; i < WAYS; i++) {
        if (is_for(&set[i], request, row->id)) {
            at = i;
            break;
        }
        if (set[i].used < set[at].used)
            at = i;
    }
    free(set[at].kept);
    set[at] = (struct place){make(request, row, body, size), end_of(row->id), ++table->count};
    set[at].kept->generation = generation;
}
