/* The JSON object of a processor becomes a list of properties, each level of it behind a colon; a list of words is one
 * text. A pool has few kinds of processors: the last ones are remembered by their text. */
#include "scheduler/reading/capabilities.h"
#include "common/json_in.h"
#include "common/strbuf.h"
#include <string.h>

struct walk {
    struct capabilities *capabilities;
    struct capabilities_cpu *cpu;
    const char *prefix;
};

void capabilities_init(struct capabilities *c)
{
    memset(c, 0, sizeof(*c));
    arena_init(&c->arena);
}

void capabilities_done(struct capabilities *c)
{
    arena_done(&c->arena);
}

static void add(struct walk *w, const char *name, const char *value)
{
    if (w->cpu->count < CAPABILITIES_MAX) {
        w->cpu->items[w->cpu->count++] = arena_printf(&w->capabilities->arena, "%s:%s=%s", w->prefix, name, value);
    }
}

static void add_words(struct walk *w, const char *name, json_value *list)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < json_in_count(list); i++) {
        const char *word = json_in_text(json_in_item(list, i));
        if (word) {
            strbuf_appendf(&text, "%s%s", i > 0 ? " " : "", word);
        }
    }
    add(w, name, text.data ? text.data : "");
    strbuf_done(&text);
}

static int add_member(void *arg, const char *name, json_value *value)
{
    struct walk *w = arg;
    int64_t number;
    if (json_in_is_object(value)) {
        struct walk below = *w;
        below.prefix = arena_printf(&w->capabilities->arena, "%s:%s", w->prefix, name);
        return json_in_each(value, add_member, &below);
    }
    if (json_in_is_array(value)) {
        add_words(w, name, value);
    } else if (json_in_is_text(value)) {
        add(w, name, json_in_text(value));
    } else if (json_in_int(value, &number)) {
        add(w, name, arena_printf(&w->capabilities->arena, "%lld", (long long)number));
    }
    return 0;
}

int capabilities_of_cpu(struct capabilities *c, const char *json, const struct capabilities_cpu **ret, struct error *e)
{
    const char *text = json ? json : "{}";
    struct json_doc doc;
    for (size_t i = 0; i < CAPABILITIES_MAX; i++) {
        if (c->known[i].text && strcmp(c->known[i].text, text) == 0) {
            *ret = &c->known[i];
            return 0;
        }
    }
    int rc = json_in_parse(text, strlen(text), &doc, e);
    if (rc) {
        return rc;
    }
    struct capabilities_cpu *cpu = &c->known[c->next++ % CAPABILITIES_MAX];
    struct walk w = {c, cpu, "capabilities:cpu_info"};
    *cpu = (struct capabilities_cpu){.text = arena_strdup(&c->arena, text)};
    json_in_each(doc.root, add_member, &w);
    json_in_done(&doc);
    *ret = cpu;
    return 0;
}
