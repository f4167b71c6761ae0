/* What all collections of the network API have in common, by table: attributes with their checks, lists with filters,
 * fields, sorting and pages, single and bulk creation, updates under If-Match, tags. A resource (network, subnet ...)
 * is a `struct entity`; its file holds the table and what only it knows. The sentences and types of faults are
 * Neutron's. */
#pragma once
#include "api/http/handler.h"
#include "db/store_network.h"
#include <stddef.h>

struct entity_query;

enum entity_kind {
    ENTITY_TEXT, /* const char * */
    ENTITY_BOOL, /* bool */
    ENTITY_INT,  /* int64_t */
    ENTITY_TIME, /* int64_t, microseconds */
    ENTITY_JSON, /* const char *: JSON text */
};
enum entity_flag {
    ENTITY_POST = 1,       /* may be given on creation */
    ENTITY_PUT = 2,        /* may be given on update */
    ENTITY_REQUIRED = 4,   /* must be given on creation */
    ENTITY_NULLABLE = 8,   /* null is accepted */
    ENTITY_FILTER = 16,    /* lists may be filtered by it */
    ENTITY_SORT = 32,      /* and sorted */
    ENTITY_ADMIN_SET = 64, /* only an administrator may give another value than the default */
    ENTITY_ADMIN_SEE = 128,
    ENTITY_HIDDEN = 256,  /* never shown */
    ENTITY_PROJECT = 512, /* tenant_id, project_id: only an administrator may name another's */
};
#define ENTITY_LOOK (ENTITY_FILTER | ENTITY_SORT)
#define ENTITY_EDIT (ENTITY_POST | ENTITY_PUT)
#define ENTITY_NONE ((size_t)-1)

struct entity_attr {
    const char *name;
    enum entity_kind kind;
    unsigned flags;
    size_t offset;    /* in the row; ENTITY_NONE when `get` makes it */
    size_t known;     /* ENTITY_INT that may be null: offset of the bool that says it is there; else ENTITY_NONE or 0 */
    int64_t min, max; /* ENTITY_INT: values; ENTITY_TEXT: max characters */
    /* Instead of an offset: TEXT or JSON in the request's arena or static, NULL for null. */
    const char *(*get)(struct request *request, const void *row);
    /* Instead of the check by kind (TEXT and JSON): judges `value` and gives what the row keeps. */
    int (*set)(struct request *request, json_value *value, const char **ret);
    /* Instead of comparing texts: whether the row matches one value of a filter. */
    bool (*match)(struct request *request, const void *row, const char *value);
};

struct entity {
    const char *name, *collection; /* the members of bodies: "security_group", "security_groups" */
    const char *path;              /* below /v2.0/: "security-groups" */
    const struct entity_attr *attrs;
    size_t attr_count; /* at most 64 */
    size_t row_size;
    size_t id, project, revision, updated, tags; /* offsets of these members; tags may be ENTITY_NONE */
    enum network_quota quota;
    /* The row with this id that the caller may see; the service's own "not found" otherwise. */
    int (*get)(struct request *request, const char *id, void *ret);
    /* Up to `limit` rows that the caller may see, ordered by id, above `after`. The query may help to search; it is
     * applied to the rows anyway. */
    int (*load)(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count);
    /* Fills a zeroed row with the defaults of a new one; id, project and times are there already. */
    void (*defaults)(struct request *request, void *row);
    /* Judges a new row and writes it. `seen`: bit i when attribute i was given. */
    int (*create)(struct request *request, void *row, uint64_t seen);
    /* Judges the change from `old` to `row` and writes it. */
    int (*update)(struct request *request, const void *old, void *row, uint64_t seen);
    /* Writes the row as it is (for tags). */
    int (*save)(struct request *request, void *row);
    int (*remove)(struct request *request, void *row);
};

/* The handlers of a collection: of the entity that the row is about. */
int entity_list(struct request *request, struct reply *reply);
int entity_show(struct request *request, struct reply *reply);
int entity_create(struct request *request, struct reply *reply);
int entity_update(struct request *request, struct reply *reply);
int entity_delete(struct request *request, struct reply *reply);

/* Creation without a body of the network API: entity_begin gives a zeroed row its id, project, times and defaults; when
 * the caller has filled in the rest, entity_finish checks the quota, judges and writes it. */
void entity_begin(struct request *request, const struct entity *entity, void *row);
int entity_finish(struct request *request, const struct entity *entity, void *row, uint64_t seen);

/* The id in the path, without a ".json" behind it. */
const char *entity_path_id(struct request *request);
bool entity_is_admin(const struct request *request);
/* Whose rows the caller may see: its project, or NULL for an administrator. */
const char *entity_scope(const struct request *request);
/* ERR_FORBIDDEN (PolicyNotAuthorized) unless the caller is an administrator or of this project. `action`:
 * "update_network". */
int entity_check_owner(struct request *request, const char *project_id, const char *action, const char *name);
/* ERR_FORBIDDEN (PolicyNotAuthorized) naming the rule. */
int entity_forbid(struct request *request, const char *rule);
/* ERR_INVALID of type HTTPBadRequest with the formatted sentence. */
int entity_refuse(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ERR_INVALID of type InvalidInput: "Invalid input for operation: <reason>." */
int entity_invalid(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* entity_query.c: what a list was asked for. */
#define ENTITY_SORT_MAX 8
struct entity_filter {
    const struct entity_attr *attr;
    const char *name, *value;
};
struct entity_query {
    const struct entity *entity;
    struct entity_filter *filters; /* several of one name: any of them; different names: all */
    size_t filter_count, filter_room;
    uint64_t fields; /* attributes to show; 0: all */
    const struct entity_attr *sort[ENTITY_SORT_MAX];
    bool descending[ENTITY_SORT_MAX];
    size_t sort_count, direction_count;
    int64_t limit; /* 0: all */
    const char *marker;
    bool reverse;
};
int entity_query_read(struct request *request, const struct entity *entity, struct entity_query *ret);
/* The value of a filter that was given exactly once, else NULL. */
const char *entity_query_value(const struct entity_query *query, const char *name);
bool entity_query_matches(struct request *request, const struct entity_query *query, const void *row);
/* <0, 0, >0 by the sort keys, then by id. */
int entity_query_compare(struct request *request, const struct entity_query *query, const void *a, const void *b);
/* Writes the member "<collection>_links". `first`, `last`: ids of the page's ends, NULL for an empty page. */
void entity_query_links(struct request *request, const struct entity_query *query, struct json_out *out, size_t shown,
                        const char *first, const char *last);

/* entity_body.c: bodies in. */
int entity_body_read(struct request *request, const struct entity *entity, json_value *body, bool create, void *row,
                     uint64_t *ret_seen);
/* Whether the attribute called `name` was given. */
bool entity_seen(const struct entity *entity, uint64_t seen, const char *name);

/* entity_view.c: rows out. */
void entity_view_write(struct request *request, const struct entity *entity, uint64_t fields, const void *row,
                       struct json_out *out, const char *key);
/* An attribute as text, for filters and sorting: NULL for null. In the arena or static. */
const char *entity_view_text(struct request *request, const struct entity_attr *attr, const void *row);

/* For attributes that are always null, or always an empty list. */
const char *entity_null(struct request *request, const void *row);
const char *entity_empty_list(struct request *request, const void *row);
/* ERR_INVALID: "Invalid input for <attribute>. Reason: <reason>." */
int entity_reason(struct request *request, const char *attribute, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Members of a row. */
static inline const char *entity_text_at(const void *row, size_t offset)
{
    return *(const char *const *)((const char *)row + offset);
}
static inline int64_t entity_int_at(const void *row, size_t offset)
{
    return *(const int64_t *)((const char *)row + offset);
}
static inline bool entity_bool_at(const void *row, size_t offset)
{
    return *(const bool *)((const char *)row + offset);
}
static inline void entity_set_text(void *row, size_t offset, const char *value)
{
    *(const char **)((char *)row + offset) = value;
}
static inline void entity_set_int(void *row, size_t offset, int64_t value)
{
    *(int64_t *)((char *)row + offset) = value;
}
static inline void entity_set_bool(void *row, size_t offset, bool value)
{
    *(bool *)((char *)row + offset) = value;
}
