/* A chain of blocks; each allocation moves a mark in the newest one. Under the address sanitizer every allocation is a
 * block of its own, so that overruns and uses after a reset are seen. */
#include "common/arena.h"
#include "common/memory.h"
#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_FIRST 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_FIRST 0
#endif
#endif
#ifndef ARENA_FIRST
#define ARENA_FIRST 4000 /* bytes of the first block: with its header and malloc's just below a page */
#endif
#define ARENA_JOIN_MAX 8
#define ARENA_LARGEST  65000 /* blocks double up to here */

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

static void arena_free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_done(struct arena *a)
{
    arena_free_blocks(a->head);
    *a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = a->head;
    a->used = 0;
    if (!kept)
        return;
    arena_free_blocks(kept->next);
    kept->next = NULL;
    kept->used = 0;
    if (ARENA_FIRST == 0 || kept->size > ARENA_LARGEST) { /* one huge request must not stay resident for ever */
        free(kept);
        a->head = NULL;
    }
}

static struct arena_block *arena_grow(struct arena *a, size_t size)
{
    size_t wanted = a->head ? a->head->size * 2 : ARENA_FIRST;
    if (wanted > ARENA_LARGEST)
        wanted = ARENA_LARGEST;
    if (ARENA_FIRST == 0 || wanted < size)
        wanted = size;
    struct arena_block *block = memory_resize(NULL, sizeof(*block) + wanted);
    *block = (struct arena_block){.next = a->head, .size = wanted};
    a->head = block;
    return block;
}

/* Not zeroed. */
static void *arena_take(struct arena *a, size_t size)
{
    size_t mask = alignof(max_align_t) - 1;
    if (size > PTRDIFF_MAX - sizeof(struct arena_block) - mask)
        return memory_array(size, 2); /* aborts: no such block exists */
    struct arena_block *block = a->head;
    size_t start = block ? (block->used + mask) & ~mask : 0;
    if (!block || start > block->size || block->size - start < size) {
        block = arena_grow(a, size);
        start = 0;
    }
    block->used = start + size;
    a->used += size;
    return block->data + start;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_take(a, size), 0, size);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return arena_alloc(a, bytes);
}

char *arena_strdup(struct arena *a, const char *text)
{
    return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

char *arena_strndup(struct arena *a, const char *text, size_t size)
{
    if (!text)
        return NULL;
    size_t length = strnlen(text, size);
    char *copy = arena_take(a, length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *arena_join_texts(struct arena *a, const char *const *texts, size_t count)
{
    size_t size = 1, sizes[ARENA_JOIN_MAX];
    assert(count <= ARENA_JOIN_MAX);
    for (size_t i = 0; i < count; i++)
        size += sizes[i] = strlen(texts[i]);
    char *joined = arena_take(a, size), *at = joined;
    for (size_t i = 0; i < count; i++)
        at = (char *)memcpy(at, texts[i], sizes[i]) + sizes[i];
    *at = 0;
    return joined;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = arena_take(a, size);
    text[0] = 0;
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

void *arena_more(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    size_t more = *room == 0 ? 8 : *room * 2;
    void *larger = arena_array(a, more, size);
    if (count > 0)
        memcpy(larger, items, count * size);
    *room = more;
    return larger;
}
