/* Memory by request or tick: allocate freely, release all at once. Not for several threads at a time. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head; /* newest block; NULL before the first allocation */
    size_t used;              /* bytes handed out since init or reset */
};

void arena_init(struct arena *a);
/* Frees everything; the arena may be used again. */
void arena_done(struct arena *a);
/* Forgets all allocations but keeps one block for reuse. */
void arena_reset(struct arena *a);

/* Zeroed memory of `size` bytes, aligned for any type; never NULL (out of memory aborts). */
void *arena_alloc(struct arena *a, size_t size);
/* As above for `count` items; a product that overflows aborts. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Copies; NULL gives NULL. */
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const char *text, size_t size);
/* The texts put together, for what is too frequent for arena_printf: arena_join(a, "servers/", id). At most eight. */
#define arena_join(a, ...)                                                                                             \
    arena_join_texts(a, (const char *const[]){__VA_ARGS__},                                                            \
                     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
char *arena_join_texts(struct arena *a, const char *const *texts, size_t count);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Room for one more behind `count` items of `size` bytes: `items` itself, or a copy twice as large. `*room` is how many
 * fit, 0 at first. */
void *arena_more(struct arena *a, void *items, size_t count, size_t *room, size_t size);
