/* The files' events by number, each once: rewritten files repeat the last of each server. */
#include "compute-agent/journal_past.h"
#include "common/arena.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "compute-agent/journal_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path_of(const char *path, int number)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, number > 0 ? "%s.%d" : "%s", path, number);
    return text.data;
}

void journal_past_keep(const char *path)
{
    char *to = path_of(path, JOURNAL_PAST_FILES);
    for (int i = JOURNAL_PAST_FILES - 1; i > 0; i--) {
        char *from = path_of(path, i);
        if (rename(from, to) && errno != ENOENT)
            log_warn("an old journal cannot be moved", "path=%s error=\"%s\"", from, strerror(errno));
        free(to);
        to = from;
    }
    if (link(path, to))
        log_warn("an old journal cannot be kept", "path=%s error=\"%s\"", path, strerror(errno));
    free(to);
}

/* ---- reading ---- */

struct event {
    int64_t seq, at_us;
    const char *server_id, *state;
};
struct events {
    struct arena arena;
    struct event *items;
    size_t count, room;
    int64_t accepted;
};

static bool take(void *arg, const char *text, size_t size)
{
    struct events *x = arg;
    struct event event = {0};
    struct json_doc doc;
    if (json_in_parse(text, size, &doc, NULL))
        return false;
    const char *server = json_in_text(json_in_member(doc.root, "server_id")),
               *state = json_in_text(json_in_member(doc.root, "state"));
    json_in_int(json_in_member(doc.root, "seq"), &event.seq);
    json_in_int(json_in_member(doc.root, "at_us"), &event.at_us);
    if (event.seq > 0 && server && state) {
        event.server_id = arena_strdup(&x->arena, server);
        event.state = arena_strdup(&x->arena, state);
        x->items = arena_more(&x->arena, x->items, x->count, &x->room, sizeof(*x->items));
        x->items[x->count++] = event;
    }
    json_in_done(&doc);
    return true;
}

static int by_seq(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* From the newest that was taken down to the first number that is missing. */
static int64_t whole_from(const struct events *x)
{
    int64_t first = x->accepted + 1;
    for (size_t i = x->count; i > 0 && x->items[i - 1].seq >= first - 1; i--)
        first = x->items[i - 1].seq < first ? x->items[i - 1].seq : first;
    return first;
}

static void print(const struct events *x, const struct journal_past_query *q, struct strbuf *to)
{
    struct json_out o;
    size_t count = 0;
    int64_t last = q->after_seq;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_int(&o, "first_seq", whole_from(x));
    json_out_int(&o, "accepted_seq", x->accepted);
    json_out_array(&o, "events");
    for (size_t i = 0; i < x->count && count <= JOURNAL_PAST_LIMIT; i++) {
        const struct event *event = &x->items[i];
        if (event->seq <= last || event->at_us < q->from_us || event->at_us >= q->to_us)
            continue;
        if (count++ == JOURNAL_PAST_LIMIT)
            break;
        last = event->seq;
        json_out_object(&o, NULL);
        json_out_int(&o, "seq", event->seq);
        json_out_text(&o, "server_id", event->server_id);
        json_out_text(&o, "state", event->state);
        json_out_int(&o, "at_us", event->at_us);
        json_out_object_end(&o);
    }
    json_out_array_end(&o);
    json_out_bool(&o, "more", count > JOURNAL_PAST_LIMIT);
    json_out_object_end(&o);
}

int journal_past_print(const char *path, const struct journal_past_query *query, struct strbuf *to, struct error *e)
{
    struct events x = {.accepted = query->accepted};
    int rc = 0;
    arena_init(&x.arena);
    for (int i = JOURNAL_PAST_FILES; !rc && i >= 0; i--) {
        char *file = path_of(path, i);
        if (access(file, F_OK) == 0)
            rc = journal_file_look(file, take, &x, e);
        free(file);
    }
    if (!rc && x.count > 1)
        qsort(x.items, x.count, sizeof(*x.items), by_seq);
    if (!rc)
        print(&x, query, to);
    arena_done(&x.arena);
    return rc;
}
