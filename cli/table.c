/* Tables. Cells are kept in one growing array of the arena. */
#include "cli/table.h"
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void table_init(struct table *t, struct arena *a, const char *const *headings)
{
    *t = (struct table){.arena = a};
    while (headings[t->columns]) {
        t->columns++;
    }
    assert(t->columns > 0 && t->columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < t->columns; i++) {
        table_add(t, headings[i]);
    }
}

void table_add(struct table *t, const char *text)
{
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        const char **grown = arena_array(t->arena, room, sizeof(*grown));
        if (t->count > 0) {
            memcpy(grown, t->cells, t->count * sizeof(*grown));
        }
        t->cells = grown;
        t->room = room;
    }
    t->cells[t->count++] = text ? arena_strdup(t->arena, text) : "-";
}

void table_addf(struct table *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    table_add(t, arena_vprintf(t->arena, format, args));
    va_end(args);
}

void table_print(const struct table *t)
{
    int width[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        int size = (int)strlen(t->cells[i]);
        width[i % t->columns] = size > width[i % t->columns] ? size : width[i % t->columns];
    }
    for (size_t i = 0; i < t->count; i++) {
        bool last = i % t->columns == t->columns - 1;
        printf("%-*s%s", last ? 0 : width[i % t->columns], t->cells[i], last ? "\n" : "  ");
    }
}
