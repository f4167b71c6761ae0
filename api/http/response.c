/* Sets of a few spare responses, found by the size of the body. One that comes back goes to the front of its set, and
 * the last one has to go when there are too many.
 *
 * libmicrohttpd knows no way to change a header's value, but it keeps its own copy of the text and gives it to whoever
 * asks: a request's id is written over the one before, which is as long. It reads that only while it writes the head of
 * an answer, on this thread. */
#include "api/http/response.h"
#include "api/http/exchange.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

#define SETS       16
#define SPARE      4 /* in each */
#define BODY_MOST  ((size_t)4 << 10)
#define FIELDS_MAX 10
#define IDS_MAX    2

struct response {
    struct MHD_Response *built;
    size_t field_count, id_count, id_size, size;
    char *content_type;
    struct reply_field fields[FIELDS_MAX]; /* value NULL: the request's id */
    char *ids[IDS_MAX];                    /* where `built` has it */
    char body[];
};
struct response_pool {
    struct response *spare[SETS][SPARE];
};

static void response_free(struct response *r)
{
    if (!r)
        return;
    if (r->built)
        MHD_destroy_response(r->built);
    for (size_t i = 0; i < r->field_count; i++) {
        free((char *)r->fields[i].name);
        free((char *)r->fields[i].value);
    }
    free(r->content_type);
    free(r);
}

struct response_pool *response_pool_new(void)
{
    return memory_new(sizeof(struct response_pool));
}

void response_pool_free(struct response_pool **p)
{
    for (size_t i = 0; i < SETS * SPARE; i++)
        response_free((*p)->spare[i / SPARE][i % SPARE]);
    free(*p);
    *p = NULL;
}

/* Adds the header that shows the id and remembers where it is. */
static bool response_add_id(struct response *r, const char *name, const char *id)
{
    if (r->id_count == IDS_MAX || MHD_add_response_header(r->built, name, id) != MHD_YES)
        return false;
    r->ids[r->id_count++] = (char *)MHD_get_response_header(r->built, name);
    return true;
}

static bool response_add(struct response *r, const struct reply_field *field, const char *id)
{
    struct reply_field *to = &r->fields[r->field_count++];
    to->name = memory_strdup(field->name);
    if (field->value == id)
        return response_add_id(r, field->name, id);
    to->value = memory_strdup(field->value);
    return MHD_add_response_header(r->built, field->name, field->value) == MHD_YES;
}

static struct response *response_new(const struct reply *reply, const char *id)
{
    struct response *r = memory_new(sizeof(*r) + reply->body.size + 1);
    r->size = reply->body.size;
    r->id_size = strlen(id);
    r->content_type = memory_strdup(reply->content_type);
    r->built = MHD_create_response_from_buffer(r->size, r->body, MHD_RESPMEM_PERSISTENT);
    bool good = r->built && response_add_id(r, EXCHANGE_ID_HEADER, id);
    if (good && r->size)
        good = MHD_add_response_header(r->built, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type) == MHD_YES;
    for (size_t i = 0; good && i < reply->field_count; i++)
        good = response_add(r, &reply->fields[i], id);
    if (good)
        return r;
    response_free(r);
    return NULL;
}

static bool response_has(const struct reply_field *kept, const struct reply_field *wanted, const char *id)
{
    if (strcmp(kept->name, wanted->name) != 0)
        return false;
    return kept->value ? wanted->value != id && !strcmp(kept->value, wanted->value) : wanted->value == id;
}

static bool response_suits(const struct response *r, const struct reply *reply, const char *id)
{
    if (!r || r->size != reply->body.size || r->field_count != reply->field_count || r->id_size != strlen(id) ||
        strcmp(r->content_type, reply->content_type) != 0)
        return false;
    for (size_t i = 0; i < r->field_count; i++)
        if (!response_has(&r->fields[i], &reply->fields[i], id))
            return false;
    return true;
}

static struct response **response_set(struct response_pool *p, size_t size)
{
    return p->spare[(uint32_t)size * 2654435761u >> 28];
}

static struct response *response_find(struct response_pool *p, const struct reply *reply, const char *id)
{
    struct response **set = response_set(p, reply->body.size);
    for (size_t i = 0; i < SPARE; i++)
        if (response_suits(set[i], reply, id)) {
            struct response *found = set[i];
            memmove(&set[i], &set[i + 1], (SPARE - 1 - i) * sizeof(*set));
            set[SPARE - 1] = NULL;
            for (i = 0; i < found->id_count; i++)
                memcpy(found->ids[i], id, found->id_size);
            return found;
        }
    return NULL;
}

struct response *response_take(struct response_pool *p, const struct reply *reply, const char *id)
{
    if (reply->body.size > BODY_MOST || reply->field_count > FIELDS_MAX)
        return NULL;
    struct response *r = response_find(p, reply, id);
    if (!r)
        r = response_new(reply, id);
    if (r && r->size)
        memcpy(r->body, reply->body.data, r->size);
    return r;
}

struct MHD_Response *response_built(struct response *r)
{
    return r->built;
}

void response_give_back(struct response_pool *p, struct response *r)
{
    struct response **set = response_set(p, r->size);
    response_free(set[SPARE - 1]);
    memmove(&set[1], &set[0], (SPARE - 1) * sizeof(*set));
    set[0] = r;
}
