/* A stretch of a list in the order of its key. */
#pragma once
#include <stdint.h>

struct page {
    const char *after; /* the key before the first row; NULL or "" from the start */
    int64_t limit;     /* at most so many rows; 0: all */
};
/* As statement arguments. */
#define PAGE_AFTER(page) db_text((page) && (page)->after ? (page)->after : "")
#define PAGE_LIMIT(page) db_int((page) && (page)->limit > 0 ? (page)->limit : INT64_MAX)
