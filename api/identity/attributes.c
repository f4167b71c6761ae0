/* Attributes that nobody foresaw, as JSON objects in a column. */
#include "api/identity/attributes.h"
#include <stdlib.h>
#include <string.h>

struct copying {
    struct json_out *o;
    struct arena *arena;
    const char *const *skip_names;
    json_value *skip_members;
};

static int copy_member(void *arg, const char *name, json_value *value)
{
    struct copying *c = arg;
    for (const char *const *skip = c->skip_names; skip && *skip; skip++)
        if (strcmp(*skip, name) == 0)
            return 0;
    if (c->skip_members && json_in_has(c->skip_members, name))
        return 0;
    json_out_raw(c->o, name, json_in_print(value, c->arena));
    return 0;
}

static const char *merge(struct request *request, const char *old, json_value *body, const char *const *known)
{
    struct strbuf buf;
    struct json_out o;
    struct json_doc doc = {0};
    strbuf_init(&buf, 0);
    json_out_init(&o, &buf);
    json_out_object(&o, NULL);
    struct copying copying = {.o = &o, .arena = &request->arena, .skip_names = known, .skip_members = body};
    if (old && json_in_parse(old, strlen(old), &doc, NULL) == 0) {
        json_in_each(doc.root, copy_member, &copying);
        json_in_done(&doc);
    }
    copying.skip_members = NULL;
    if (json_in_is_object(body))
        json_in_each(body, copy_member, &copying);
    json_out_object_end(&o);
    const char *text = arena_strdup(&request->arena, buf.data);
    strbuf_done(&buf);
    return text;
}

const char *attributes_merge(struct request *request, const char *old, json_value *body, const char *const *known)
{
    return merge(request, old, body, known);
}

const char *attributes_update(struct request *request, const char *old, json_value *changes)
{
    return merge(request, old, changes, NULL);
}

void attributes_put(struct json_out *o, struct arena *arena, const char *stored)
{
    struct json_doc doc;
    struct copying copying = {.o = o, .arena = arena};
    if (strcmp(stored, "{}") == 0 || json_in_parse(stored, strlen(stored), &doc, NULL))
        return;
    json_in_each(doc.root, copy_member, &copying);
    json_in_done(&doc);
}

const char *attributes_text(struct arena *arena, const char *stored, const char *name)
{
    struct json_doc doc;
    if (strcmp(stored, "{}") == 0 || json_in_parse(stored, strlen(stored), &doc, NULL))
        return NULL;
    const char *text = arena_strdup(arena, json_in_text(json_in_member(doc.root, name)));
    json_in_done(&doc);
    return text;
}

bool attributes_flag(const char *stored, const char *name)
{
    struct json_doc doc;
    bool value = false;
    if (strcmp(stored, "{}") == 0 || json_in_parse(stored, strlen(stored), &doc, NULL))
        return false;
    bool is = json_in_bool(json_in_member(doc.root, name), &value) && value;
    json_in_done(&doc);
    return is;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *attributes_tags(struct request *request, const struct json_list *texts)
{
    struct strbuf buf;
    struct json_out o;
    const char **tags = arena_array(&request->arena, texts->count + 1, sizeof(*tags));
    if (texts->count)
        memcpy(tags, texts->items, texts->count * sizeof(*tags));
    qsort(tags, texts->count, sizeof(*tags), compare);
    strbuf_init(&buf, 0);
    json_out_init(&o, &buf);
    json_out_array(&o, NULL);
    for (size_t i = 0; i < texts->count; i++)
        if (i == 0 || strcmp(tags[i], tags[i - 1]) != 0)
            json_out_text(&o, NULL, tags[i]);
    json_out_array_end(&o);
    const char *text = arena_strdup(&request->arena, buf.data);
    strbuf_done(&buf);
    return text;
}
