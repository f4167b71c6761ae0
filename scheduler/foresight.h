/* What the lifetime policy knows: how long servers lived that ended, read from the history as it grows, and from that
 * how much of each host's use is expected to stay. Nothing is kept on disk: a new leader reads it again. */
#pragma once
#include "scheduler/dispatch.h"
#include "scheduler/placement/lifetime.h"

struct foresight {
    struct lifetime *lifetime; /* NULL: not used */
    int64_t epoch;             /* of the lease when it was read */
    int64_t read_us;           /* ends before that are known */
    char read_id[40];          /* and of that instant those up to this id */
    int64_t swept_us;          /* when the stays were worked out */
    double *stay;              /* by slot: part of a whole host over the whole horizon */
    int32_t slots;
};

struct foresight *foresight_new(void);
void foresight_free(struct foresight **f);
/* Call it now and then: learns from servers that ended since, and every few minutes works out every host's stay.
 * Nothing when this scheduler does not lead. */
int foresight_look(struct foresight *f, struct dispatch *d, struct error *e);
/* A server was placed: its host's stay grows at once. */
void foresight_placed(struct foresight *f, struct placement *p, int32_t slot, const char *project_id,
                      const struct resources *need);
