/* Answers "would this fit, and where?" (dry runs) from the hosts in memory. Nothing is taken, nothing but the answer is
 * written. */
#pragma once
#include "scheduler/dispatch.h"

#define QUESTIONS_AT_ONCE   64
#define QUESTIONS_COUNT_MAX 1000
#define QUESTIONS_HOSTS_MAX 200 /* hosts named in one answer */

/* Answers what is open, as far as this scheduler leads. Call it when the feed is up to date (after dispatch_run). A
 * question that cannot be read is answered with its error. */
int questions_answer(struct dispatch *d, struct error *e);
