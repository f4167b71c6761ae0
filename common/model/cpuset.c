/* Sets as bits; the text is read and written number by number. */
#include "common/model/cpuset.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpuset_fill(struct cpuset *s, int count)
{
    memset(s, 0, sizeof(*s));
    for (int cpu = 0; cpu < count && cpu < CPUSET_MAX; cpu++)
        cpuset_add(s, cpu);
}

int cpuset_count(const struct cpuset *s)
{
    int count = 0;
    for (int i = 0; i < CPUSET_WORDS; i++)
        count += __builtin_popcountll(s->words[i]);
    return count;
}

int cpuset_count_without(const struct cpuset *s, const struct cpuset *without)
{
    int count = 0;
    for (int i = 0; i < CPUSET_WORDS; i++)
        count += __builtin_popcountll(s->words[i] & ~without->words[i]);
    return count;
}

bool cpuset_is_empty(const struct cpuset *s)
{
    uint64_t any = 0;
    for (int i = 0; i < CPUSET_WORDS; i++)
        any |= s->words[i];
    return any == 0;
}

bool cpuset_is_within(const struct cpuset *s, const struct cpuset *whole)
{
    return cpuset_count_without(s, whole) == 0;
}

bool cpuset_meets(const struct cpuset *a, const struct cpuset *b)
{
    uint64_t any = 0;
    for (int i = 0; i < CPUSET_WORDS; i++)
        any |= a->words[i] & b->words[i];
    return any != 0;
}

void cpuset_join(struct cpuset *s, const struct cpuset *more)
{
    for (int i = 0; i < CPUSET_WORDS; i++)
        s->words[i] |= more->words[i];
}

void cpuset_drop(struct cpuset *s, const struct cpuset *what)
{
    for (int i = 0; i < CPUSET_WORDS; i++)
        s->words[i] &= ~what->words[i];
}

void cpuset_keep(struct cpuset *s, const struct cpuset *what)
{
    for (int i = 0; i < CPUSET_WORDS; i++)
        s->words[i] &= what->words[i];
}

int cpuset_next(const struct cpuset *s, int from)
{
    for (int i = from / 64; i < CPUSET_WORDS; i++) {
        uint64_t bits = i == from / 64 ? s->words[i] >> (from % 64) << (from % 64) : s->words[i];
        if (bits)
            return i * 64 + __builtin_ctzll(bits);
    }
    return -1;
}

static const char *skip(const char *at)
{
    return at + strspn(at, " \t");
}

static bool read_number(const char **at, int *ret)
{
    int number = 0;
    const char *start = *at = skip(*at);
    for (; **at >= '0' && **at <= '9'; ++*at) {
        number = number * 10 + (**at - '0');
        if (number >= CPUSET_MAX)
            return false;
    }
    *ret = number;
    bool any = *at != start;
    *at = skip(*at);
    return any;
}

/* One item and the comma behind it. */
static bool read_item(const char **at, struct cpuset *with, struct cpuset *without)
{
    int first, last;
    *at = skip(*at);
    bool excludes = **at == '^';
    *at += excludes;
    if (!read_number(at, &first))
        return false;
    last = first;
    if (**at == '-') {
        ++*at;
        if (!read_number(at, &last) || last < first)
            return false;
    }
    for (int cpu = first; cpu <= last; cpu++)
        cpuset_add(excludes ? without : with, cpu);
    if (**at == ',') {
        *at = skip(*at + 1);
        return **at != '\0';
    }
    return **at == '\0';
}

bool cpuset_parse(const char *text, struct cpuset *ret)
{
    struct cpuset with = {{0}}, without = {{0}};
    for (const char *at = skip(text); *at;) {
        if (!read_item(&at, &with, &without))
            return false;
    }
    cpuset_drop(&with, &without);
    *ret = with;
    return true;
}

char *cpuset_print(const struct cpuset *s, char ret[CPUSET_TEXT_SIZE])
{
    size_t size = 0;
    ret[0] = '\0';
    for (int first = cpuset_next(s, 0); first >= 0;) {
        int last = first;
        while (last + 1 < CPUSET_MAX && cpuset_has(s, last + 1))
            last++;
        int more = snprintf(ret + size, CPUSET_TEXT_SIZE - size, first == last ? "%s%d" : "%s%d-%d", size ? "," : "",
                            first, last);
        size += more > 0 ? (size_t)more : 0;
        first = last + 1 < CPUSET_MAX ? cpuset_next(s, last + 1) : -1;
    }
    return ret;
}
