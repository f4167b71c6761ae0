/* How long will a server stay? Foreseen from what like servers did: those of the same project and shape, the shape
 * alone, or all, whichever has been seen often enough; never from anything that lies ahead. A server that is older
 * than its like were is expected to stay as long again. Pure: the caller brings the time, in minutes. */
#pragma once
#include <stdint.h>

struct lifetime;

/* Nobody looks farther ahead than `horizon` minutes: longer lives count as that. */
struct lifetime *lifetime_new(int64_t horizon);
void lifetime_free(struct lifetime **l);
/* A number for what makes servers alike; `kind` tells apart what amounts do not (spot or on demand). */
uint64_t lifetime_shape(int64_t vcpus, int64_t memory_mib, int64_t kind);
/* A server of this project and shape ended after so many minutes. */
void lifetime_learn(struct lifetime *l, uint64_t project, uint64_t shape, int64_t lived);
/* Minutes that such a server of this age is expected to stay on, 0..horizon. */
int64_t lifetime_expect(const struct lifetime *l, uint64_t project, uint64_t shape, int64_t age);
