/* Faults of fake hosts by a file of rules, for tests of a whole cloud.
 *
 * A line is `HOST CALL FAULT [PERCENT]`: HOST is the number of the fake host in this process, from 1, or *; CALL is
 * what fake.h names a call, or *; FAULT is good, passing, final, lost (done, then said to have failed) or hang; PERCENT
 * (100) says how often. The first line that fits decides. # begins a comment. */
#pragma once
#include "common/error.h"
#include "compute-agent/fake.h"
#include <stddef.h>

struct fake_rules;

/* ERR_IO for the file, ERR_INVALID naming the line that is none. */
int fake_rules_load(const char *path, struct fake_rules **ret, struct error *e);
void fake_rules_free(struct fake_rules **rules);
/* What becomes of this call. NULL rules: FAKE_GOOD. */
enum fake_fault fake_rules_choose(struct fake_rules *rules, size_t host, const char *call);
