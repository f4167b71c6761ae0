/* Operators by a table: which kind of comparison, and which of its outcomes are good. */
#include "common/model/spec_match.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPACES " \t\r\n\v\f"

enum kind { KIND_NUMBER, KIND_TEXT, KIND_IN, KIND_ALL_IN, KIND_OR };
enum { LESS = 1, EQUAL = 2, MORE = 4 };

struct word {
    const char *text;
    size_t size;
};

static const struct operator
{
    const char *name;
    enum kind kind;
    int good;
}
operators[] = {
    {"=", KIND_NUMBER, EQUAL | MORE},  {"==", KIND_NUMBER, EQUAL},
    {"!=", KIND_NUMBER, LESS | MORE},  {">=", KIND_NUMBER, EQUAL | MORE},
    {"<=", KIND_NUMBER, LESS | EQUAL}, {"s==", KIND_TEXT, EQUAL},
    {"s!=", KIND_TEXT, LESS | MORE},   {"s<", KIND_TEXT, LESS},
    {"s<=", KIND_TEXT, LESS | EQUAL},  {"s>", KIND_TEXT, MORE},
    {"s>=", KIND_TEXT, MORE | EQUAL},  {"<in>", KIND_IN, 0},
    {"<all-in>", KIND_ALL_IN, 0},      {"<or>", KIND_OR, 0},
};

/* The next word behind *at, of size 0 when there is none. */
static struct word next_word(const char **at)
{
    struct word w = {.text = *at + strspn(*at, SPACES)};
    w.size = strcspn(w.text, SPACES);
    *at = w.text + w.size;
    return w;
}

static bool is(struct word w, const char *text)
{
    return strlen(text) == w.size && memcmp(w.text, text, w.size) == 0;
}

static const struct operator* read_operator(const char **at)
{
    const char *rest = *at;
    struct word first = next_word(&rest);
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (is(first, operators[i].name)) {
            *at = rest;
            return &operators[i];
        }
    }
    return NULL;
}

/* The whole word as a number. */
static bool read_number(struct word w, double *ret)
{
    char *end = NULL;
    if (w.size == 0) {
        return false;
    }
    *ret = strtod(w.text, &end);
    return end == w.text + w.size && !isnan(*ret);
}

static int outcome(double order)
{
    return order < 0 ? LESS : order > 0 ? MORE : EQUAL;
}

static bool match_number(const char *value, struct word asked, int good)
{
    const char *at = value;
    double x = 0, y = 0;
    struct word own = next_word(&at);
    return *(at + strspn(at, SPACES)) == '\0' && read_number(own, &x) && read_number(asked, &y) &&
           (outcome(x < y ? -1 : x > y) & good) != 0;
}

static bool match_text(const char *value, struct word asked, int good)
{
    size_t size = strlen(value), both = size < asked.size ? size : asked.size;
    int order = memcmp(value, asked.text, both);
    return (outcome(order != 0 ? order : size < asked.size ? -1 : size > asked.size) & good) != 0;
}

static bool holds(const char *value, struct word part)
{
    for (size_t left = strlen(value); left >= part.size; value++, left--) {
        if (memcmp(value, part.text, part.size) == 0) {
            return true;
        }
    }
    return false;
}

static bool match_all(const char *value, struct word first, const char *rest)
{
    for (struct word w = first; w.size > 0; w = next_word(&rest)) {
        if (!holds(value, w)) {
            return false;
        }
    }
    return true;
}

/* "A <or> B <or> C", of which every second word is not looked at. */
static bool match_any(const char *value, struct word first, const char *rest)
{
    for (struct word w = first; w.size > 0; next_word(&rest), w = next_word(&rest)) {
        if (is(w, value)) {
            return true;
        }
    }
    return false;
}

bool spec_match(const char *value, const char *spec)
{
    const char *at = spec;
    const struct operator* o = read_operator(&at);
    if (!o) {
        return strcmp(value, spec) == 0;
    }
    struct word asked = next_word(&at);
    if (asked.size == 0) {
        return false;
    }
    switch (o->kind) {
    case KIND_NUMBER:
        return match_number(value, asked, o->good);
    case KIND_TEXT:
        return match_text(value, asked, o->good);
    case KIND_IN:
        return holds(value, asked);
    case KIND_ALL_IN:
        return match_all(value, asked, at);
    default:
        return match_any(value, asked, at);
    }
}

bool spec_match_has_operator(const char *spec)
{
    return read_operator(&spec) != NULL;
}

bool spec_match_valid(const char *spec)
{
    const struct operator* o = read_operator(&spec);
    struct word asked = next_word(&spec);
    double number;
    return !o || (asked.size > 0 && (o->kind != KIND_NUMBER || read_number(asked, &number)));
}
