/* Lists as Keystone gives them: {"<collection>": [...], "links": {"next", "self", "previous"}}, with filters by
 * attribute (name=x, enabled=false, name__contains=x, name__istartswith=x ...) and, beyond it, limit and marker.
 *
 *     list_begin(&list, request, reply, "users", filters);      opens the array; `list.page` is for the store
 *     in each row: if (list_text(&list, "name", row->name) && list_take(&list, row->id)) { write the item }
 *     list_end(&list);
 * Each row's texts are looked at by list_text or list_flag for every name in `filters`; list_take says whether the row
 * still belongs to this page, and list_full that the store may stop. */
#pragma once
#include "api/identity/identity.h"
#include "db/page.h"

#define LIST_FILTERS_MAX 16
enum list_comparison { LIST_EQUALS, LIST_CONTAINS, LIST_STARTS_WITH, LIST_ENDS_WITH };
struct list_filter {
    const char *name, *value;
    enum list_comparison comparison;
    bool ignore_case;
};
struct list {
    struct request *request;
    struct reply *reply;
    struct page page; /* where the store begins; its limit is set only if no filter needs code */
    int64_t limit, count;
    bool more;
    char last[256]; /* key of the last item written */
    struct list_filter filters[LIST_FILTERS_MAX];
    size_t filter_count;
};

/* `filters`: NULL-terminated names that may be filtered by; other arguments are ignored, as Keystone does. ERR_INVALID
 * for a bad limit. */
int list_begin(struct list *list, struct request *request, struct reply *reply, const char *collection,
               const char *const *filters);
/* The value of an exact filter, for the store; NULL when there is none. / 1, 0 or -1 for a flag. */
const char *list_exact(const struct list *list, const char *name);
int list_exact_flag(const struct list *list, const char *name);
/* Whether every filter by this name lets the value through. NULL texts match only when there is no filter. */
bool list_text(const struct list *list, const char *name, const char *value);
bool list_flag(const struct list *list, const char *name, bool value);
/* Counts an item that matched; false when it belongs to the next page. */
bool list_take(struct list *list, const char *key);
/* What an `each` callback returns when the page is full; list_rc turns it into 0. */
#define LIST_STOP (-1)
int list_rc(int rc);
/* Closes the array and the object with its links. */
void list_end(struct list *list);
/* How Keystone reads a flag in a query: all but 0, false, no, off, n, f is true. */
bool list_is_true(const char *value);
