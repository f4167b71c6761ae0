/* Sets of processors, of a host or of a guest, and how they are written: "0-3,^2,8", as in Nova's options and extra
 * specs and in libvirt's XML. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUSET_MAX   1024 /* numbers are below */
#define CPUSET_WORDS (CPUSET_MAX / 64)

struct cpuset {
    uint64_t words[CPUSET_WORDS];
};

static inline bool cpuset_has(const struct cpuset *s, int cpu)
{
    return s->words[cpu / 64] >> (cpu % 64) & 1;
}
static inline void cpuset_add(struct cpuset *s, int cpu)
{
    s->words[cpu / 64] |= 1ULL << (cpu % 64);
}
static inline void cpuset_remove(struct cpuset *s, int cpu)
{
    s->words[cpu / 64] &= ~(1ULL << (cpu % 64));
}
/* 0..count-1. */
void cpuset_fill(struct cpuset *s, int count);
int cpuset_count(const struct cpuset *s);
/* How many of `s` are not in `without`. */
int cpuset_count_without(const struct cpuset *s, const struct cpuset *without);
bool cpuset_is_empty(const struct cpuset *s);
bool cpuset_is_within(const struct cpuset *s, const struct cpuset *whole);
bool cpuset_meets(const struct cpuset *a, const struct cpuset *b);
void cpuset_join(struct cpuset *s, const struct cpuset *more);
void cpuset_drop(struct cpuset *s, const struct cpuset *what);
void cpuset_keep(struct cpuset *s, const struct cpuset *what);
/* The first that is at least `from`, -1 for none. */
int cpuset_next(const struct cpuset *s, int from);

/* Numbers, ranges and exclusions ("^2", "^4-5") between commas; blanks are skipped. False, *ret untouched, for anything
 * else. An empty text is an empty set; only exclusions are an empty set too. */
bool cpuset_parse(const char *text, struct cpuset *ret);
#define CPUSET_TEXT_SIZE 4096
/* "0-3,8"; "" for an empty set. Returns ret. */
char *cpuset_print(const struct cpuset *s, char ret[CPUSET_TEXT_SIZE]);
