/* YAML. libyaml's events are written as JSON text, which json_in parses: one set of checks for both. */
#include "metering/yaml.h"
#include "common/json_out.h"
#include <string.h>
#include <yaml.h>

#define YAML_DEPTH 16

struct reader {
    struct json_out out;
    struct strbuf text;
    bool mapping[YAML_DEPTH]; /* per level: a mapping (else a list) */
    int depth;
    char *key; /* of the value to come */
};

static int refuse(const yaml_event_t *event, const char *what, struct error *e)
{
    return error_set(e, ERR_INVALID, "line %zu: %s", event->start_mark.line + 1, what);
}

static void drop_key(struct reader *r)
{
    free(r->key);
    r->key = NULL;
}

static int open_level(struct reader *r, const yaml_event_t *event, bool mapping, struct error *e)
{
    if (r->depth == YAML_DEPTH) {
        return refuse(event, "nested too deeply", e);
    }
    if (r->depth > 0 && r->mapping[r->depth - 1] && !r->key) {
        return refuse(event, "a key must be text", e);
    }
    if (mapping) {
        json_out_object(&r->out, r->key);
    } else {
        json_out_array(&r->out, r->key);
    }
    drop_key(r);
    r->mapping[r->depth++] = mapping;
    return 0;
}

static int scalar(struct reader *r, const yaml_event_t *event, struct error *e)
{
    const char *value = (const char *)event->data.scalar.value;
    if (r->depth == 0) {
        return refuse(event, "a mapping was expected", e);
    }
    if (strlen(value) != event->data.scalar.length) {
        return refuse(event, "text with a zero byte", e);
    }
    if (r->mapping[r->depth - 1] && !r->key) {
        r->key = strdup(value);
        return 0;
    }
    json_out_text(&r->out, r->key, value);
    drop_key(r);
    return 0;
}

static int take(struct reader *r, const yaml_event_t *event, struct error *e)
{
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        return open_level(r, event, true, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(r, event, false, e);
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        json_out_object_end(&r->out);
        return 0;
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        json_out_array_end(&r->out);
        return 0;
    case YAML_SCALAR_EVENT:
        return scalar(r, event, e);
    case YAML_ALIAS_EVENT:
        return refuse(event, "aliases are not read", e);
    default:
        return 0;
    }
}

static int read_all(struct reader *r, yaml_parser_t *parser, struct error *e)
{
    bool end = false;
    int rc = 0;
    while (!rc && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return error_set(e, ERR_INVALID, "line %zu: %s", parser->problem_mark.line + 1,
                             parser->problem ? parser->problem : "not YAML");
        }
        end = event.type == YAML_DOCUMENT_END_EVENT || event.type == YAML_STREAM_END_EVENT;
        rc = take(r, &event, e);
        yaml_event_delete(&event);
    }
    return rc;
}

int yaml_parse(const char *text, size_t size, struct json_doc *ret_doc, struct error *e)
{
    struct reader r = {0};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return error_set(e, ERR_INTERNAL, "no YAML parser");
    }
    strbuf_init(&r.text, 0);
    json_out_init(&r.out, &r.text);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int rc = read_all(&r, &parser, e);
    if (!rc && r.text.size == 0) {
        rc = error_set(e, ERR_INVALID, "empty: a mapping was expected");
    }
    rc = rc ? rc : json_in_parse(r.text.data, r.text.size, ret_doc, e);
    drop_key(&r);
    strbuf_done(&r.text);
    yaml_parser_delete(&parser);
    return rc;
}
