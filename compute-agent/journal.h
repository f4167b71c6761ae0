/* The agent's memory over restarts: what it said about each server, in order, and how much of that the API has taken.
 *
 * An append-only file of lines "crc32 json": events with sequence numbers that only grow, and marks of what was
 * accepted. It survives kill -9 at any byte: a torn last line is dropped. An event may be told to the API only when it
 * is on disk (journal_synced), so no number that anybody has seen is ever given out again. When all is accepted and the
 * file has grown, it is rewritten with the last event of each server that still exists: that is how a restarted agent
 * knows which revision it had carried out. The file before stays for a while (journal_past.h).
 *
 * Loop thread, except journal_sync_run. */
#pragma once
#include "common/error.h"
#include "common/model/server.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

#define JOURNAL_BOOT_SIZE 9

struct journal_event {
    int64_t seq; /* set by journal_append */
    int64_t at_us;
    char server_id[UUID_SIZE];
    enum server_state state;
    int64_t revision;
    char operation_id[UUID_SIZE];  /* "" for none */
    char boot[JOURNAL_BOOT_SIZE];  /* the host's boot in which it was said, "" unknown */
    bool resuming;                 /* the host has rebooted: it is on its way back to running */
    bool failed;                   /* carrying out `revision` failed for good: */
    const char *message, *details; /* NULL unless failed */
};

/* Opens or makes the file. `durable`: events count as synced only after journal_sync_done; else at once (fake hosts). A
 * damaged line in the middle is logged and left out. ERR_IO, ERR_CORRUPT when it is no journal. */
int journal_open(const char *path, bool durable, struct journal **ret, struct error *e);
/* NULL inside is fine. */
void journal_free(struct journal **j);

/* Writes the event with the next number, which it also puts into event->seq. ERR_IO, ERR_NO_SPACE: nothing was noted,
 * try again later. */
int journal_append(struct journal *j, struct journal_event *event, struct error *e);
/* The last event of a server, or NULL; message and details are not kept. Valid until the next change. */
const struct journal_event *journal_last(const struct journal *j, const char *server_id);
/* Walks the last events of all servers: start with *at = 0; NULL at the end. */
const struct journal_event *journal_next_last(const struct journal *j, size_t *at);
/* Forgets the server's last event with the next rewriting (it is gone and the API knows). */
void journal_forget(struct journal *j, const char *server_id);

/* Getting it on disk: when journal_dirty, take a ticket, run it on any thread, then hand it back. One ticket at a time.
 */
struct journal_ticket {
    int fd;
    int64_t seq;
    int error; /* errno */
};
bool journal_dirty(const struct journal *j);
struct journal_ticket journal_sync_begin(struct journal *j);
void journal_sync_run(struct journal_ticket *t);
/* ERR_IO when it failed: the events stay unsynced. */
int journal_sync_done(struct journal *j, struct journal_ticket *t, struct error *e);

/* Appends synced events that are not accepted, oldest first, at most `limit`, as JSON objects between commas; the
 * number of events, and in *ret_last_seq the last one's number (untouched when there are none). */
size_t journal_print(const struct journal *j, size_t limit, struct strbuf *to, int64_t *ret_last_seq);
/* Events that are not accepted yet, synced or not. */
size_t journal_pending(const struct journal *j);
/* The API has taken everything up to `seq`. A number higher than any given out means that this host had another journal
 * before: the file was lost, or is an older copy. Then everything that waits gets new numbers above it, so that the API
 * counts each at once; nothing may have been told to the API before its first answer. With an older copy *ret_behind is
 * set: what waited in it was told then (its numbers say so) and is dropped, and what was said last about any server is
 * not known any more. While a ticket is out nothing is done: hand in the next answer. */
int journal_accept(struct journal *j, int64_t seq, bool *ret_behind, struct error *e);
int64_t journal_accepted(const struct journal *j);
/* The file, for journal_past_print. */
const char *journal_path(const struct journal *j);
