/* Blocks of up to CLASSES * UNIT bytes are kept in lists per thread and size, larger ones are malloc's. The largest
 * kept are the pieces of a savepoint's journal in memory (memjournal.c, MEMJOURNAL_DFLT_FILECHUNKSIZE): a write takes a
 * hundred of them, so more are kept of these. A block begins with its size. A block may be freed by another thread than
 * asked for it: it stays there then. Under the address sanitizer nothing is kept, so that uses after free are seen. */
#include "db/sqlite_memory.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define UNIT    16
#define CLASSES 64
#define KEPT    48  /* most blocks in a list */
#define PIECES  256 /* most in the last one */

#if defined(__SANITIZE_ADDRESS__)
#define SMALL_MOST 0
#else
#define SMALL_MOST (UNIT * CLASSES)
#endif

struct block {
    int64_t size;         /* of what follows */
    struct block *next[]; /* while it is kept: [0] */
};
struct list {
    struct block *first;
    int count;
};
struct lists {
    struct list of[CLASSES];
};

static pthread_key_t lists_key;
static _Thread_local struct lists *lists;

static void *block_data(struct block *b)
{
    return (char *)b + sizeof(int64_t);
}

static struct block *block_of(void *data)
{
    return (struct block *)(void *)((char *)data - sizeof(int64_t));
}

static void lists_free(void *arg)
{
    struct lists *all = arg;
    for (size_t i = 0; i < CLASSES; i++)
        for (struct block *b = all->of[i].first, *next; b; b = next) {
            next = b->next[0];
            free(b);
        }
    free(all);
    lists = NULL;
}

/* This thread's list for blocks of `size`; NULL for large ones and when there is no memory for lists. */
static struct list *list_of(int64_t size)
{
    if (size > SMALL_MOST)
        return NULL;
    if (!lists) {
        lists = calloc(1, sizeof(*lists));
        if (!lists)
            return NULL;
        pthread_setspecific(lists_key, lists);
    }
    return &lists->of[(size - 1) / UNIT];
}

static bool is_full(const struct list *list)
{
    return list->count == (list == &lists->of[CLASSES - 1] ? PIECES : KEPT);
}

static int round_up(int size)
{
    return size > 0 ? (size + UNIT - 1) / UNIT * UNIT : UNIT;
}

static void *take(int asked)
{
    int size = round_up(asked);
    struct list *list = list_of(size);
    struct block *b = list ? list->first : NULL;
    if (b) {
        list->first = b->next[0];
        list->count--;
    } else {
        b = malloc(sizeof(int64_t) + (size_t)size);
        if (!b)
            return NULL;
        b->size = size;
    }
    return block_data(b);
}

static void give_back(void *data)
{
    if (!data)
        return;
    struct block *b = block_of(data);
    struct list *list = list_of(b->size);
    if (!list || is_full(list)) {
        free(b);
        return;
    }
    b->next[0] = list->first;
    list->first = b;
    list->count++;
}

static int size_of(void *data)
{
    return data ? (int)block_of(data)->size : 0;
}

static void *resize(void *data, int asked)
{
    struct block *b = block_of(data);
    int size = round_up(asked);
    if (b->size == size)
        return data;
    if (b->size > SMALL_MOST && size > SMALL_MOST) {
        b = realloc(b, sizeof(int64_t) + (size_t)size);
        if (!b)
            return NULL;
        b->size = size;
        return block_data(b);
    }
    void *to = take(asked);
    if (!to)
        return NULL;
    __builtin_memcpy(to, data, (size_t)(b->size < size ? b->size : size));
    give_back(data);
    return to;
}

static int start(void *arg)
{
    (void)arg;
    return pthread_key_create(&lists_key, lists_free) ? SQLITE_NOMEM : SQLITE_OK;
}

static void end(void *arg)
{
    (void)arg;
}

void sqlite_memory_use(void)
{
    static const sqlite3_mem_methods methods = {take, give_back, resize, size_of, round_up, start, end, NULL};
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
