/* What a journal said long ago: each time its file is rewritten, the one before stays beside it, as FILE.1 to FILE.16,
 * for those who compare a bill with it later. Nothing here is needed to go on. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_PAST_FILES 16
#define JOURNAL_PAST_LIMIT 1000

/* The file as it is becomes FILE.1, the oldest goes. What cannot be kept is logged. */
void journal_past_keep(const char *path);

/* Events of a time in [from_us, to_us), with numbers above after_seq. What is above `accepted` the API may have, too:
 * its answer is on the way, or lost. */
struct journal_past_query {
    int64_t from_us, to_us, after_seq, accepted;
};
/* Appends {"first_seq", "accepted_seq", "events": [{"seq", "server_id", "state", "at_us"}...], "more"}: events by
 * number, at most JOURNAL_PAST_LIMIT; first_seq: from this number on none is missing; more: there are others. Reads
 * files: on a worker. ERR_IO. */
int journal_past_print(const char *path, const struct journal_past_query *query, struct strbuf *to, struct error *e);
