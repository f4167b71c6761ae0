/* A tree of nodes in the arena. Nova's `not` gives a list of its opposites, which counts as true when one of them is;
 * so it does here, at every depth. Text and numbers are never equal, and neither is below the other. */
#include "common/model/host_query.h"
#include "common/json_in.h"
#include <string.h>

#define DEPTH_MAX 32
#define NODES_MAX 1000

enum node_kind { NODE_VALUE, NODE_ATTRIBUTE, NODE_OPERATION };
enum operation { OP_EQUAL, OP_LESS, OP_MORE, OP_IN, OP_LESS_EQUAL, OP_MORE_EQUAL, OP_NOT, OP_OR, OP_AND, OP_COUNT };

struct host_query {
    enum node_kind kind;
    enum operation operation;
    enum host_attribute attribute;
    const char *path;
    struct host_value value;
    struct host_query *items; /* of an operation */
    size_t count;
};

static const char *const operations[OP_COUNT] = {"=", "<", ">", "in", "<=", ">=", "not", "or", "and"};
static const char *const attributes[HOST_ATTRIBUTE_COUNT] = {
    "host",
    "hypervisor_hostname",
    "host_ip",
    "hypervisor_type",
    "hypervisor_version",
    "free_ram_mb",
    "total_usable_ram_mb",
    "free_disk_mb",
    "total_usable_disk_gb",
    "vcpus_total",
    "vcpus_used",
    "num_instances",
    "num_io_ops",
    "cpu_info",
};

struct reading {
    struct arena *arena;
    struct error *error;
    size_t nodes;
};

static int read_attribute(struct reading *r, const char *name, struct host_query *ret)
{
    size_t size = strcspn(name, ".");
    ret->kind = NODE_ATTRIBUTE;
    ret->path = name[size] == '.' ? arena_strdup(r->arena, name + size + 1) : NULL;
    for (int i = 0; i < HOST_ATTRIBUTE_COUNT; i++) {
        if (strlen(attributes[i]) == size && strncmp(attributes[i], name, size) == 0) {
            ret->attribute = (enum host_attribute)i;
            return 0;
        }
    }
    return error_set(r->error, ERR_INVALID, "hosts have no $%.64s", name);
}

static int read_value(struct reading *r, json_value *value, struct host_query *ret)
{
    int64_t number;
    bool truth;
    ret->kind = NODE_VALUE;
    if (json_in_is_text(value)) {
        const char *text = json_in_text(value);
        ret->value = (struct host_value){.kind = *text ? HOST_VALUE_TEXT : HOST_VALUE_NONE,
                                         .text = arena_strdup(r->arena, text)};
        return text[0] == '$' ? read_attribute(r, text + 1, ret) : 0;
    }
    if (json_in_int(value, &number)) {
        ret->value = (struct host_value){.kind = HOST_VALUE_NUMBER, .number = (double)number};
    } else if (json_in_number(value, &ret->value.number)) {
        ret->value.kind = HOST_VALUE_NUMBER;
    } else if (json_in_bool(value, &truth)) {
        ret->value = (struct host_value){.kind = HOST_VALUE_TRUTH, .truth = truth};
    } else if (!json_in_is_null(value)) {
        return error_set(r->error, ERR_INVALID, "an object is no part of a condition");
    }
    return 0;
}

static int read_operation(struct reading *r, const char *name, struct host_query *ret)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (name && strcmp(operations[i], name) == 0) {
            ret->operation = (enum operation)i;
            if (i < OP_NOT && ret->count < 2) {
                return error_set(r->error, ERR_INVALID, "\"%s\" compares two things at least", name);
            }
            return 0;
        }
    }
    return error_set(r->error, ERR_INVALID, "\"%.32s\" is none of =, <, >, in, <=, >=, not, or, and", name ? name : "");
}

static int read_node(struct reading *r, json_value *value, int depth, struct host_query *ret)
{
    if (depth > DEPTH_MAX || ++r->nodes > NODES_MAX) {
        return error_set(r->error, ERR_INVALID, "the condition is too large");
    }
    if (!json_in_is_array(value)) {
        return read_value(r, value, ret);
    }
    if (json_in_count(value) == 0) { /* asks for nothing */
        ret->value = (struct host_value){.kind = HOST_VALUE_TRUTH, .truth = true};
        return 0;
    }
    json_value *first = json_in_item(value, 0);
    ret->kind = NODE_OPERATION;
    ret->count = json_in_count(value) - 1;
    ret->items = arena_array(r->arena, ret->count + 1, sizeof(*ret->items));
    int rc = read_operation(r, json_in_is_text(first) ? json_in_text(first) : NULL, ret);
    for (size_t i = 0; !rc && i < ret->count; i++) {
        rc = read_node(r, json_in_item(value, i + 1), depth + 1, &ret->items[i]);
    }
    return rc;
}

int host_query_read(const char *text, struct arena *a, const struct host_query **ret, struct error *e)
{
    struct reading r = {a, e, 0};
    struct host_query *root = arena_alloc(a, sizeof(*root));
    struct json_doc doc;
    int rc = json_in_parse(text, strlen(text), &doc, e);
    if (rc) {
        return rc;
    }
    rc = json_in_is_array(doc.root) ? read_node(&r, doc.root, 0, root)
                                    : error_set(e, ERR_INVALID, "a condition is a list that begins with an operator");
    json_in_done(&doc);
    if (!rc) {
        *ret = root;
    }
    return rc;
}

bool host_query_uses(const struct host_query *q, enum host_attribute attribute)
{
    bool uses = q->kind == NODE_ATTRIBUTE && q->attribute == attribute;
    for (size_t i = 0; i < q->count && !uses; i++) {
        uses = host_query_uses(&q->items[i], attribute);
    }
    return uses;
}

static bool is_true(const struct host_value *v)
{
    switch (v->kind) {
    case HOST_VALUE_TRUTH:
        return v->truth;
    case HOST_VALUE_NUMBER:
        return v->number != 0;
    case HOST_VALUE_TEXT:
        return v->text[0] != '\0';
    default:
        return false;
    }
}

/* Whether there is an order between both; then *ret is below, at or above 0. */
static bool compare(const struct host_value *a, const struct host_value *b, int *ret)
{
    if (a->kind == HOST_VALUE_TEXT && b->kind == HOST_VALUE_TEXT) {
        *ret = strcmp(a->text, b->text);
        return true;
    }
    if (a->kind == HOST_VALUE_TEXT || b->kind == HOST_VALUE_TEXT) {
        return false;
    }
    double x = a->kind == HOST_VALUE_TRUTH ? a->truth : a->number;
    double y = b->kind == HOST_VALUE_TRUTH ? b->truth : b->number;
    *ret = (x > y) - (x < y);
    return true;
}

static bool holds(enum operation operation, const struct host_value *a, const struct host_value *b)
{
    int order = 0;
    if (!compare(a, b, &order)) {
        return false;
    }
    switch (operation) {
    case OP_LESS:
        return order < 0;
    case OP_MORE:
        return order > 0;
    case OP_LESS_EQUAL:
        return order <= 0;
    case OP_MORE_EQUAL:
        return order >= 0;
    default:
        return order == 0;
    }
}

struct asking {
    host_query_fn fn;
    void *arg;
};

static struct host_value value_of(const struct host_query *q, const struct asking *k);

/* The first against all others: with all of them, or with one when it is to be among them. */
static bool compare_all(const struct host_query *q, const struct asking *k)
{
    struct host_value first = {.kind = HOST_VALUE_NONE};
    size_t others = 0, good = 0;
    for (size_t i = 0; i < q->count; i++) {
        struct host_value v = value_of(&q->items[i], k);
        if (v.kind == HOST_VALUE_NONE) {
            continue; /* what is not known takes no part */
        }
        if (first.kind == HOST_VALUE_NONE) {
            first = v;
            continue;
        }
        others++;
        good += holds(q->operation, &first, &v);
    }
    return others > 0 && (q->operation == OP_IN ? good > 0 : good == others);
}

static bool combine(const struct host_query *q, const struct asking *k)
{
    bool all = true, any = false, lacking = false;
    for (size_t i = 0; i < q->count; i++) {
        struct host_value v = value_of(&q->items[i], k);
        if (v.kind == HOST_VALUE_NONE) {
            continue;
        }
        bool truth = is_true(&v);
        all = all && truth;
        any = any || truth;
        lacking = lacking || !truth;
    }
    return q->operation == OP_AND ? all : q->operation == OP_OR ? any : lacking;
}

static struct host_value value_of(const struct host_query *q, const struct asking *k)
{
    if (q->kind == NODE_VALUE) {
        return q->value;
    }
    if (q->kind == NODE_ATTRIBUTE) {
        return k->fn(k->arg, q->attribute, q->path);
    }
    return (struct host_value){.kind = HOST_VALUE_TRUTH,
                               .truth = q->operation < OP_NOT ? compare_all(q, k) : combine(q, k)};
}

bool host_query_passes(const struct host_query *q, host_query_fn fn, void *arg)
{
    struct asking k = {fn, arg};
    struct host_value v = value_of(q, &k);
    return is_true(&v);
}
