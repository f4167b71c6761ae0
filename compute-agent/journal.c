/* The file's lines: "crc32 {...}\n", eight hex digits over the JSON text.
 *   {"next":17,"accepted":12}                   first line after a rewriting: what to go on with
 *   {"seq":17,"at_us":..,"server_id":..,...}    an event, word for word as it is reported
 *   {"accepted":17}                             the API's answer
 * Lines are written whole with one write(2). Reading stops trusting at the first line that does not check out: when
 * nothing valid follows, it is the torn tail of a crash and is cut off; else it is damage, logged and left out. */
#include "compute-agent/journal.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/idmap.h"
#include "compute-agent/journal_file.h"
#include "compute-agent/journal_past.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_REWRITE_SIZE 262144 /* a file below this is not worth rewriting */

/* An event that the API has not taken. */
struct journal_waiting {
    struct journal_waiting *next;
    int64_t seq;
    size_t size;
    char text[];
};
struct journal {
    char *path;
    int fd;
    bool durable, syncing;
    int64_t size; /* of the file */
    int64_t next_seq, accepted_seq, written_seq, synced_seq;
    int64_t own_seq; /* the first number given out by this process */
    bool met;        /* the file was there when the API answered before */
    bool stale;      /* the file has other numbers than memory: nothing may be told before it is rewritten */
    struct journal_waiting *head, **tail;
    size_t waiting;
    struct idmap last; /* server id -> struct journal_event */
    struct strbuf line;
};

/* ---- what is known ---- */

static void journal_note_last(struct journal *j, const struct journal_event *event)
{
    struct journal_event *last = idmap_get(&j->last, event->server_id);
    if (!last) {
        last = memory_new(sizeof(*last));
        memcpy(last->server_id, event->server_id, UUID_SIZE);
        idmap_put(&j->last, last->server_id, last);
    }
    *last = *event;
    last->message = last->details = NULL;
}

static void journal_note_waiting(struct journal *j, int64_t seq, const char *text, size_t size)
{
    struct journal_waiting *w = memory_new(sizeof(*w) + size + 1);
    w->seq = seq;
    w->size = size;
    memcpy(w->text, text, size);
    *j->tail = w;
    j->tail = &w->next;
    j->waiting++;
}

static void journal_drop_accepted(struct journal *j)
{
    while (j->head && j->head->seq <= j->accepted_seq) {
        struct journal_waiting *w = j->head;
        j->head = w->next;
        free(w);
        j->waiting--;
    }
    if (!j->head)
        j->tail = &j->head;
}

static void journal_raise(struct journal *j, int64_t accepted)
{
    if (accepted > j->accepted_seq)
        j->accepted_seq = accepted;
    if (j->next_seq <= accepted)
        j->next_seq = accepted + 1;
    journal_drop_accepted(j);
}

/* ---- reading ---- */

struct journal_wire {
    struct json_seen seen;
    int64_t seq, at_us, revision, next, accepted;
    const char *server_id, *state, *operation_id, *kind, *boot;
    bool resuming;
    json_value *error;
};
static const struct json_field wire_fields[] = {
    {.name = "seq", .kind = JSON_INT, .offset = offsetof(struct journal_wire, seq)},
    {.name = "at_us", .kind = JSON_INT, .offset = offsetof(struct journal_wire, at_us)},
    {.name = "server_id", .kind = JSON_TEXT, .offset = offsetof(struct journal_wire, server_id)},
    {.name = "kind", .kind = JSON_TEXT, .offset = offsetof(struct journal_wire, kind)},
    {.name = "state", .kind = JSON_TEXT, .offset = offsetof(struct journal_wire, state)},
    {.name = "revision", .kind = JSON_INT, .offset = offsetof(struct journal_wire, revision)},
    {.name = "operation_id", .kind = JSON_TEXT, .offset = offsetof(struct journal_wire, operation_id)},
    {.name = "boot", .kind = JSON_TEXT, .offset = offsetof(struct journal_wire, boot)},
    {.name = "resuming", .kind = JSON_BOOL, .offset = offsetof(struct journal_wire, resuming)},
    {.name = "error", .kind = JSON_ANY, .offset = offsetof(struct journal_wire, error)},
    {.name = "next", .kind = JSON_INT, .offset = offsetof(struct journal_wire, next)},
    {.name = "accepted", .kind = JSON_INT, .offset = offsetof(struct journal_wire, accepted)},
};
static const struct json_table wire_table = {.fields = wire_fields,
                                             .count = JSON_COUNT(wire_fields),
                                             .open = true,
                                             .seen_offset = offsetof(struct journal_wire, seen)};

static bool journal_take_event(struct journal *j, const struct journal_wire *w, const char *text, size_t size)
{
    int state = w->state ? server_state_parse(w->state) : -1;
    if (!uuid_valid(w->server_id) || strlen(w->server_id) != UUID_SIZE - 1 || state < 0)
        return false;
    struct journal_event event = {.seq = w->seq, .at_us = w->at_us, .state = (enum server_state)state};
    event.revision = w->revision;
    event.failed = w->error != NULL;
    event.resuming = w->resuming;
    if (w->boot && strlen(w->boot) < JOURNAL_BOOT_SIZE)
        memcpy(event.boot, w->boot, strlen(w->boot) + 1);
    memcpy(event.server_id, w->server_id, UUID_SIZE);
    if (w->operation_id && strlen(w->operation_id) < UUID_SIZE)
        memcpy(event.operation_id, w->operation_id, strlen(w->operation_id) + 1);
    journal_note_last(j, &event);
    if (w->seq > j->accepted_seq)
        journal_note_waiting(j, w->seq, text, size);
    if (w->seq >= j->next_seq)
        j->next_seq = w->seq + 1;
    return true;
}

/* One line's JSON; false when it says nothing that we know. */
static bool journal_take(void *arg, const char *text, size_t size)
{
    struct journal *j = arg;
    struct json_doc doc;
    struct journal_wire w = {0};
    struct arena arena;
    if (json_in_parse(text, size, &doc, NULL))
        return false;
    arena_init(&arena);
    bool good = json_in_read(doc.root, &wire_table, &w, &arena, NULL) == 0;
    if (good && w.seq > 0) {
        good = journal_take_event(j, &w, text, size);
    } else if (good) {
        j->met = true;
        if (w.next > j->next_seq)
            j->next_seq = w.next;
        journal_raise(j, w.accepted);
    }
    arena_done(&arena);
    json_in_done(&doc);
    return good;
}

int journal_open(const char *path, bool durable, struct journal **ret, struct error *e)
{
    struct journal *j = memory_new(sizeof(*j));
    j->path = memory_strdup(path);
    j->durable = durable;
    j->next_seq = 1;
    j->tail = &j->head;
    strbuf_init(&j->line, 0);
    int code = journal_file_open(path, &j->fd, e);
    if (!code)
        code = journal_file_read(path, j->fd, journal_take, j, &j->size, e);
    if (code) {
        journal_free(&j);
        return code;
    }
    j->own_seq = j->next_seq;
    j->written_seq = j->synced_seq = j->next_seq - 1;
    *ret = j;
    return 0;
}

void journal_free(struct journal **journal)
{
    struct journal *j = *journal;
    *journal = NULL;
    if (!j)
        return;
    j->accepted_seq = INT64_MAX;
    journal_drop_accepted(j);
    size_t at = 0;
    for (struct journal_event *last; (last = idmap_next(&j->last, &at));)
        free(last);
    idmap_done(&j->last);
    strbuf_done(&j->line);
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

/* ---- writing ---- */

static void journal_print_event(struct strbuf *to, const struct journal_event *event)
{
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_int(&o, "seq", event->seq);
    json_out_int(&o, "at_us", event->at_us);
    json_out_text(&o, "server_id", event->server_id);
    json_out_text(&o, "kind", "state");
    json_out_text(&o, "state", server_state_name(event->state));
    json_out_int(&o, "revision", event->revision);
    if (event->operation_id[0])
        json_out_text(&o, "operation_id", event->operation_id);
    if (event->boot[0])
        json_out_text(&o, "boot", event->boot);
    if (event->resuming)
        json_out_bool(&o, "resuming", true);
    if (event->failed) {
        json_out_object(&o, "error");
        json_out_text(&o, "message", event->message ? event->message : "The last change failed");
        json_out_text(&o, "details", event->details ? event->details : "");
        json_out_object_end(&o);
    }
    json_out_object_end(&o);
}

static void journal_print_mark(struct strbuf *to, int64_t next, int64_t accepted)
{
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    if (next)
        json_out_int(&o, "next", next);
    json_out_int(&o, "accepted", accepted);
    json_out_object_end(&o);
}

/* Appends j->line as one line; on failure the file is cut back to where it was. */
static int journal_write(struct journal *j, struct error *e)
{
    int code = journal_file_append(j->path, j->fd, j->size, j->line.data, j->line.size, &j->size, e);
    strbuf_reset(&j->line);
    return code;
}

int journal_append(struct journal *j, struct journal_event *event, struct error *e)
{
    event->seq = j->next_seq;
    strbuf_reset(&j->line);
    journal_print_event(&j->line, event);
    size_t size = j->line.size;
    char *text = memory_strdup(j->line.data);
    int code = journal_write(j, e);
    if (!code) {
        j->written_seq = j->next_seq++;
        if (!j->durable)
            j->synced_seq = j->written_seq;
        journal_note_last(j, event);
        journal_note_waiting(j, event->seq, text, size);
    }
    free(text);
    return code;
}

const struct journal_event *journal_last(const struct journal *j, const char *server_id)
{
    return idmap_get(&j->last, server_id);
}

const struct journal_event *journal_next_last(const struct journal *j, size_t *at)
{
    return idmap_next(&j->last, at);
}

void journal_forget(struct journal *j, const char *server_id)
{
    free(idmap_remove(&j->last, server_id));
}

/* ---- on disk ---- */

bool journal_dirty(const struct journal *j)
{
    return j->durable && !j->syncing && j->written_seq > j->synced_seq;
}

struct journal_ticket journal_sync_begin(struct journal *j)
{
    assert(!j->syncing);
    j->syncing = true;
    return (struct journal_ticket){.fd = j->fd, .seq = j->written_seq};
}

void journal_sync_run(struct journal_ticket *t)
{
    t->error = fdatasync(t->fd) ? errno : 0;
}

int journal_sync_done(struct journal *j, struct journal_ticket *t, struct error *e)
{
    j->syncing = false;
    if (t->error)
        return error_set(e, ERR_IO, "%s cannot be written to disk: %s", j->path, strerror(t->error));
    if (t->seq > j->synced_seq)
        j->synced_seq = t->seq;
    return 0;
}

/* ---- towards the API ---- */

size_t journal_print(const struct journal *j, size_t limit, struct strbuf *to, int64_t *ret_last_seq)
{
    size_t count = 0;
    for (const struct journal_waiting *w = j->head; w && !j->stale && w->seq <= j->synced_seq && count < limit;
         w = w->next) {
        if (count++)
            strbuf_append_char(to, ',');
        strbuf_append(to, w->text, w->size);
        *ret_last_seq = w->seq;
    }
    return count;
}

size_t journal_pending(const struct journal *j)
{
    return j->waiting;
}

const char *journal_path(const struct journal *j)
{
    return j->path;
}

int64_t journal_accepted(const struct journal *j)
{
    return j->accepted_seq;
}

/* Everything that still matters, in the file's form. */
static void journal_print_all(struct journal *j, struct strbuf *to)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    journal_print_mark(&text, j->next_seq, j->accepted_seq);
    journal_file_print(to, text.data, text.size);
    size_t at = 0;
    for (const struct journal_event *last; (last = idmap_next(&j->last, &at));) {
        if (last->seq > j->accepted_seq) /* waits, with its words */
            continue;
        strbuf_reset(&text);
        journal_print_event(&text, last);
        journal_file_print(to, text.data, text.size);
    }
    for (const struct journal_waiting *w = j->head; w; w = w->next)
        journal_file_print(to, w->text, w->size);
    strbuf_done(&text);
}

/* Last events that were accepted come in any order, those that wait behind them in theirs. */
static int journal_rewrite(struct journal *j, struct error *e)
{
    struct strbuf all;
    strbuf_init(&all, 0);
    journal_print_all(j, &all);
    if (!j->stale) /* else it may have numbers that others have now */
        journal_past_keep(j->path);
    int code = all.error ? all.error : file_replace(j->path, all.data, all.size, 0600, e);
    int fd = code ? -1 : open(j->path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (!code && fd < 0)
        code = error_set(e, ERR_IO, "%s: %s", j->path, strerror(errno));
    if (!code) {
        close(j->fd);
        j->fd = fd;
        j->size = (int64_t)all.size;
        j->stale = false;
    }
    strbuf_done(&all);
    return code;
}

/* ---- another journal was before this one ---- */

static struct journal_waiting *journal_renumbered(const struct journal_waiting *w, int64_t seq)
{
    struct strbuf text;
    const char *colon = memchr(w->text, ':', w->size), *comma = memchr(w->text, ',', w->size);
    assert(colon && comma && colon < comma); /* the number is the first member */
    strbuf_init(&text, 0);
    strbuf_append(&text, w->text, (size_t)(colon + 1 - w->text));
    strbuf_appendf(&text, "%lld%s", (long long)seq, comma);
    struct journal_waiting *copy = memory_new(sizeof(*copy) + text.size + 1);
    copy->seq = seq;
    copy->size = text.size;
    memcpy(copy->text, text.data, text.size);
    strbuf_done(&text);
    return copy;
}

/* From `first` on everything that waits is numbered anew from j->accepted_seq + 1 on. */
static void journal_renumber(struct journal *j, int64_t first)
{
    int64_t shift = j->accepted_seq + 1 - first;
    size_t at = 0;
    for (struct journal_waiting **w = &j->head; *w; w = &(*w)->next) {
        struct journal_waiting *copy = journal_renumbered(*w, (*w)->seq + shift);
        copy->next = (*w)->next;
        free(*w);
        *w = copy;
        j->tail = &copy->next;
    }
    for (struct journal_event *last; (last = idmap_next(&j->last, &at));)
        last->seq += last->seq >= first ? shift : 0;
    j->next_seq += shift;
}

static int journal_follow(struct journal *j, int64_t seq, bool *ret_behind, struct error *e)
{
    if (j->syncing)
        return 0;
    log_warn("API knows later events than the journal", "accepted=%lld next=%lld", (long long)seq,
             (long long)j->next_seq);
    *ret_behind = j->met;
    if (j->met && j->accepted_seq < j->own_seq - 1)
        j->accepted_seq = j->own_seq - 1;
    journal_drop_accepted(j);
    int64_t first = j->accepted_seq + 1;
    j->accepted_seq = seq;
    journal_renumber(j, first);
    j->own_seq = seq + 1;
    j->written_seq = j->synced_seq = j->next_seq - 1;
    j->met = j->stale = true;
    return journal_rewrite(j, e);
}

int journal_accept(struct journal *j, int64_t seq, bool *ret_behind, struct error *e)
{
    *ret_behind = false;
    if (j->stale)
        return j->syncing ? 0 : journal_rewrite(j, e);
    if (seq <= j->accepted_seq)
        return 0;
    if (seq >= j->next_seq)
        return journal_follow(j, seq, ret_behind, e);
    strbuf_reset(&j->line);
    journal_print_mark(&j->line, 0, seq);
    int code = journal_write(j, e);
    if (code)
        return code;
    j->met = true;
    journal_raise(j, seq);
    if (!j->waiting && !j->syncing && j->size > JOURNAL_REWRITE_SIZE)
        return journal_rewrite(j, e);
    return 0;
}
