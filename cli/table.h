/* Tables for people at a terminal: columns as wide as their widest cell, two spaces between. */
#pragma once
#include "common/arena.h"
#include <stddef.h>

#define TABLE_COLUMNS_MAX 16

struct table {
    struct arena *arena;
    size_t columns, count, room;
    const char **cells; /* count rows of `columns` cells */
};

/* `headings`: NULL-terminated; they are the first row. */
void table_init(struct table *t, struct arena *a, const char *const *headings);
/* The next cell, from left to right, then the next row; copied. NULL is shown as "-". */
void table_add(struct table *t, const char *text);
void table_addf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints to standard output. */
void table_print(const struct table *t);
