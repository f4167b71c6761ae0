/* journal: what it remembers over restarts, torn and damaged files, numbers that are never given out twice. */
#include "common/file.h"
#include "compute-agent/journal.h"
#include "compute-agent/journal_past.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <signal.h>
#include <sys/resource.h>

#define SERVER_A "01890000-0000-7000-8000-00000000000a"
#define SERVER_B "01890000-0000-7000-8000-00000000000b"

static bool behind;

static struct journal *open_journal(const char *path, bool durable)
{
    struct journal *j = NULL;
    struct error e = {0};
    CHECK_OK(journal_open(path, durable, &j, &e), &e);
    return j;
}

static int64_t note(struct journal *j, const char *id, enum server_state state, int64_t revision)
{
    struct journal_event event = {.at_us = 1000 + revision, .state = state, .revision = revision};
    struct error e = {0};
    memcpy(event.server_id, id, UUID_SIZE);
    CHECK_OK(journal_append(j, &event, &e), &e);
    return event.seq;
}

static void sync_journal(struct journal *j)
{
    struct error e = {0};
    struct journal_ticket t = journal_sync_begin(j);
    journal_sync_run(&t);
    CHECK_OK(journal_sync_done(j, &t, &e), &e);
}

static size_t waiting(const struct journal *j, int64_t *last)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    size_t count = journal_print(j, 1000, &text, last);
    strbuf_done(&text);
    return count;
}

TEST("numbers begin with 1 and only grow, over restarts too")
{
    char *path = scratch_file("numbers");
    struct journal *j = open_journal(path, false);
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_RUNNING, 1), 1);
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_STOPPED, 2), 2);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(note(j, SERVER_B, SERVER_STATE_RUNNING, 3), 3);
    journal_free(&j);
    free(path);
}

TEST("an event is reported when it is on disk, not before")
{
    char *path = scratch_file("durable");
    struct journal *j = open_journal(path, true);
    int64_t last = 0;
    note(j, SERVER_A, SERVER_STATE_RUNNING, 1);
    CHECK(journal_dirty(j));
    CHECK_INT(waiting(j, &last), 0);
    struct journal_ticket t = journal_sync_begin(j);
    CHECK(!journal_dirty(j));
    note(j, SERVER_A, SERVER_STATE_STOPPED, 2); /* comes while the disk works: not covered */
    journal_sync_run(&t);
    CHECK_INT(journal_sync_done(j, &t, NULL), 0);
    CHECK_INT(waiting(j, &last), 1);
    CHECK_INT(last, 1);
    CHECK(journal_dirty(j));
    sync_journal(j);
    CHECK_INT(waiting(j, &last), 2);
    journal_free(&j);
    free(path);
}

TEST("an event is reported in the words of the protocol")
{
    char *path = scratch_file("words");
    struct journal *j = open_journal(path, false);
    struct journal_event event = {.at_us = 5, .state = SERVER_STATE_BUILDING, .revision = 7, .failed = true};
    struct strbuf text;
    struct error e = {0};
    int64_t last = 0;
    memcpy(event.server_id, SERVER_A, UUID_SIZE);
    memcpy(event.operation_id, SERVER_B, UUID_SIZE);
    event.message = "no \"disk\"";
    event.details = "IO";
    CHECK_OK(journal_append(j, &event, &e), &e);
    strbuf_init(&text, 0);
    CHECK_INT(journal_print(j, 10, &text, &last), 1);
    CHECK_TEXT(text.data,
               "{\"seq\":1,\"at_us\":5,\"server_id\":\"" SERVER_A
               "\",\"kind\":\"state\",\"state\":\"building\",\"revision\":7,"
               "\"operation_id\":\"" SERVER_B "\",\"error\":{\"message\":\"no \\\"disk\\\"\",\"details\":\"IO\"}}");
    strbuf_done(&text);
    journal_free(&j);
    free(path);
}

TEST("what was accepted is not reported again, also after a restart")
{
    char *path = scratch_file("accepted");
    struct journal *j = open_journal(path, false);
    int64_t last = 0;
    for (int i = 1; i <= 5; i++)
        note(j, SERVER_A, SERVER_STATE_RUNNING, i);
    CHECK_INT(journal_accept(j, 3, &behind, NULL), 0);
    CHECK_INT(waiting(j, &last), 2);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(journal_accepted(j), 3);
    CHECK_INT(waiting(j, &last), 2);
    CHECK_INT(last, 5);
    CHECK_INT(journal_accept(j, 2, &behind, NULL), 0); /* a late answer */
    CHECK_INT(journal_accepted(j), 3);
    journal_free(&j);
    free(path);
}

TEST("the last event of each server is known after a restart")
{
    char *path = scratch_file("last");
    struct journal *j = open_journal(path, false);
    note(j, SERVER_A, SERVER_STATE_RUNNING, 1);
    note(j, SERVER_A, SERVER_STATE_STOPPED, 4);
    note(j, SERVER_B, SERVER_STATE_PAUSED, 2);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(journal_last(j, SERVER_A)->state, SERVER_STATE_STOPPED);
    CHECK_INT(journal_last(j, SERVER_A)->revision, 4);
    CHECK_INT(journal_last(j, SERVER_B)->state, SERVER_STATE_PAUSED);
    CHECK(!journal_last(j, "01890000-0000-7000-8000-00000000000c"));
    journal_free(&j);
    free(path);
}

/* Enough of everything that the file is rewritten: numbers and last events stay. */
TEST("a journal that has grown is rewritten and forgets nothing that matters")
{
    char *path = scratch_file("grown");
    struct journal *j = open_journal(path, false);
    struct stat info;
    int64_t seq = 0, last = 0;
    note(j, SERVER_B, SERVER_STATE_PAUSED, 9);
    for (int i = 1; i <= 4000; i++)
        seq = note(j, SERVER_A, i % 2 ? SERVER_STATE_RUNNING : SERVER_STATE_STOPPED, i);
    CHECK_INT(journal_accept(j, seq, &behind, NULL), 0);
    CHECK_INT(stat(path, &info), 0);
    CHECK(info.st_size < 2000);
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_RUNNING, 5000), seq + 1);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(journal_accepted(j), seq);
    CHECK_INT(waiting(j, &last), 1);
    CHECK_INT(journal_last(j, SERVER_B)->revision, 9);
    CHECK_INT(journal_last(j, SERVER_A)->revision, 5000);
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_STOPPED, 5001), seq + 2);
    journal_free(&j);
    free(path);
}

TEST("an API that knows later events than the journal raises the next number")
{
    char *path = scratch_file("surprise");
    struct journal *j = open_journal(path, true);
    int64_t last = 0;
    CHECK_INT(journal_accept(j, 41, &behind, NULL), 0);
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_RUNNING, 1), 42);
    sync_journal(j);
    CHECK_INT(waiting(j, &last), 1);
    CHECK_INT(last, 42);
    journal_free(&j);
    free(path);
}

TEST("a new journal's events that nobody was told of get numbers above those that the API knows, over a restart too")
{
    char *path = scratch_file("renumbered");
    struct journal *j = open_journal(path, false);
    struct strbuf text;
    int64_t last = 0;
    note(j, SERVER_A, SERVER_STATE_RUNNING, 1);
    note(j, SERVER_B, SERVER_STATE_PAUSED, 2);
    journal_free(&j);
    j = open_journal(path, false);
    note(j, SERVER_A, SERVER_STATE_STOPPED, 3);
    CHECK_INT(journal_accept(j, 41, &behind, NULL), 0);
    CHECK(!behind);
    strbuf_init(&text, 0);
    CHECK_INT(journal_print(j, 10, &text, &last), 3);
    CHECK_INT(last, 44);
    CHECK_CONTAINS(text.data, "{\"seq\":42,\"at_us\":1001,");
    CHECK_INT(journal_last(j, SERVER_A)->seq, 44);
    CHECK_INT(journal_last(j, SERVER_B)->seq, 43);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(waiting(j, &last), 3);
    CHECK_INT(journal_accept(j, 43, &behind, NULL), 0); /* two of them were taken */
    CHECK_INT(waiting(j, &last), 1);
    CHECK_INT(note(j, SERVER_B, SERVER_STATE_RUNNING, 4), 45);
    strbuf_done(&text);
    journal_free(&j);
    free(path);
}

TEST("an older copy of the journal drops what the API was told before, keeps what is new, and says that it is one")
{
    char *path = scratch_file("copy");
    struct journal *j = open_journal(path, false);
    struct strbuf text;
    int64_t last = 0;
    for (int i = 1; i <= 3; i++)
        note(j, SERVER_A, SERVER_STATE_RUNNING, i);
    CHECK_INT(journal_accept(j, 2, &behind, NULL), 0);
    journal_free(&j); /* the copy; events up to 9 follow and are lost with their disk */
    j = open_journal(path, false);
    CHECK_INT(note(j, SERVER_B, SERVER_STATE_STOPPED, 7), 4);
    CHECK_INT(journal_accept(j, 9, &behind, NULL), 0);
    CHECK(behind);
    strbuf_init(&text, 0);
    CHECK_INT(journal_print(j, 10, &text, &last), 1);
    CHECK_CONTAINS(text.data, "{\"seq\":10,");
    CHECK_CONTAINS(text.data, SERVER_B);
    strbuf_done(&text);
    journal_free(&j);
    free(path);
}

TEST("new numbers are told to nobody before they are on disk")
{
    char *path = scratch_file("unwritten"), *moved = scratch_file("unwritten-not");
    struct journal *j = open_journal(path, false);
    int64_t last = 0;
    note(j, SERVER_A, SERVER_STATE_RUNNING, 1);
    CHECK_INT(mkdir(moved, 0700), 0);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rename(moved, path), 0); /* a folder in its place cannot be replaced */
    CHECK(journal_accept(j, 41, &behind, NULL) != 0);
    CHECK_INT(waiting(j, &last), 0);
    CHECK_INT(rmdir(path), 0);
    CHECK_INT(journal_accept(j, 41, &behind, NULL), 0);
    CHECK_INT(waiting(j, &last), 1);
    CHECK_INT(last, 42);
    journal_free(&j);
    free(path);
    free(moved);
}

static void write_file(const char *path, const char *data, size_t size)
{
    struct error e = {0};
    CHECK_OK(file_replace(path, data, size, 0600, &e), &e);
}

TEST("a file that was cut at any byte keeps every whole event and gives none of their numbers out again")
{
    char *path = scratch_file("torn");
    struct strbuf whole;
    struct journal *j = open_journal(path, false);
    for (int i = 1; i <= 6; i++)
        note(j, i % 2 ? SERVER_A : SERVER_B, SERVER_STATE_RUNNING, i);
    CHECK_INT(journal_accept(j, 2, &behind, NULL), 0);
    note(j, SERVER_A, SERVER_STATE_STOPPED, 7);
    journal_free(&j);
    strbuf_init(&whole, 0);
    CHECK_INT(file_read(path, &whole, NULL), 0);
    for (size_t size = 0; size <= whole.size; size++) {
        int64_t events = 0, last = 0;
        for (size_t i = 0; i < size; i++)
            events += whole.data[i] == '\n';
        events -= events > 6; /* the seventh line is the mark of what was accepted */
        write_file(path, whole.data, size);
        j = open_journal(path, false);
        CHECK_INT(note(j, SERVER_A, SERVER_STATE_RUNNING, 100), events + 1);
        CHECK_INT((int64_t)waiting(j, &last) + journal_accepted(j), events + 1);
        CHECK_INT(last, events + 1);
        journal_free(&j);
        j = open_journal(path, false); /* and the cut file goes on well */
        CHECK_INT(journal_last(j, SERVER_A)->revision, 100);
        journal_free(&j);
    }
    strbuf_done(&whole);
    free(path);
}

TEST("a damaged line in the middle costs that line alone")
{
    char *path = scratch_file("damaged");
    struct strbuf whole;
    struct journal *j = open_journal(path, false);
    for (int i = 1; i <= 3; i++)
        note(j, i == 2 ? SERVER_B : SERVER_A, SERVER_STATE_RUNNING, i);
    journal_free(&j);
    strbuf_init(&whole, 0);
    CHECK_INT(file_read(path, &whole, NULL), 0);
    size_t second = (size_t)(strchr(whole.data, '\n') - whole.data) + 1;
    whole.data[second + 30] ^= 1;
    write_file(path, whole.data, whole.size);
    j = open_journal(path, false);
    CHECK(!journal_last(j, SERVER_B));
    CHECK_INT(journal_last(j, SERVER_A)->revision, 3);
    CHECK_INT(note(j, SERVER_B, SERVER_STATE_RUNNING, 4), 4);
    journal_free(&j);
    strbuf_done(&whole);
    free(path);
}

TEST("a file that is no journal is refused and left alone")
{
    char *path = scratch_file("other");
    struct journal *j = NULL;
    struct error e = {0};
    struct strbuf text;
    write_file(path, "hello\nworld\n", 12);
    CHECK_INT(journal_open(path, false, &j, &e), ERR_CORRUPT);
    CHECK_CONTAINS(e.text, path);
    strbuf_init(&text, 0);
    CHECK_INT(file_read(path, &text, NULL), 0);
    CHECK_TEXT(text.data, "hello\nworld\n");
    strbuf_done(&text);
    free(path);
}

TEST("an event that cannot be written is not noted, leaves no half line, and its number is used by the next")
{
    char *path = scratch_file("full");
    struct journal *j = open_journal(path, false);
    struct rlimit old, small;
    struct stat info;
    struct journal_event event = {.at_us = 1, .state = SERVER_STATE_RUNNING, .revision = 2};
    struct error e = {0};
    note(j, SERVER_B, SERVER_STATE_RUNNING, 1);
    CHECK_INT(stat(path, &info), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){(rlim_t)info.st_size + 20, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    memcpy(event.server_id, SERVER_A, UUID_SIZE);
    int code = journal_append(j, &event, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(code == ERR_NO_SPACE || code == ERR_IO);
    CHECK_INT(journal_pending(j), 1);
    CHECK(!journal_last(j, SERVER_A));
    CHECK_INT(note(j, SERVER_A, SERVER_STATE_RUNNING, 2), 2);
    journal_free(&j);
    j = open_journal(path, false);
    CHECK_INT(journal_pending(j), 2);
    journal_free(&j);
    free(path);
}

static int64_t past(const char *path, const struct journal_past_query *q, struct strbuf *to)
{
    struct error e = {0};
    strbuf_reset(to);
    CHECK_OK(journal_past_print(path, q, to, &e), &e);
    int64_t count = 0;
    for (const char *at = to->data; (at = strstr(at, "\"seq\":")); at++) {
        count++;
    }
    return count;
}

TEST("what was said long ago is still there after the file was rewritten")
{
    char *path = scratch_file("past");
    struct journal *j = open_journal(path, false);
    struct strbuf text, old;
    struct error e = {0};
    strbuf_init(&text, 0);
    strbuf_init(&old, 0);
    int64_t last = 0;
    for (int i = 1; i <= 4000; i++) { /* three files' worth */
        last = note(j, i % 2 ? SERVER_A : SERVER_B, i % 3 ? SERVER_STATE_RUNNING : SERVER_STATE_STOPPED, i);
        if (i % 10 == 0) {
            CHECK_OK(journal_accept(j, last, &behind, &e), &e);
        }
    }
    strbuf_appendf(&old, "%s.2", path);
    CHECK_INT(access(old.data, F_OK), 0);
    struct journal_past_query all = {.to_us = INT64_MAX, .accepted = last};
    CHECK_INT(past(path, &all, &text), JOURNAL_PAST_LIMIT);
    CHECK(strstr(text.data, "{\"first_seq\":1,\"accepted_seq\":4000,\"events\":[{\"seq\":1,\"server_id\":\"" SERVER_A
                            "\",\"state\":\"running\",\"at_us\":1001},{\"seq\":2,"));
    CHECK(strstr(text.data, "\"more\":true"));
    all.after_seq = 3500;
    CHECK_INT(past(path, &all, &text), 500);
    CHECK(strstr(text.data, "\"more\":false"));
    all = (struct journal_past_query){.from_us = 1100, .to_us = 1200, .accepted = last};
    CHECK_INT(past(path, &all, &text), 100);
    all = (struct journal_past_query){.to_us = INT64_MAX, .after_seq = 3500, .accepted = 3600};
    CHECK_INT(past(path, &all, &text), 500); /* what waits may have been taken all the same */
    CHECK(strstr(text.data, "{\"first_seq\":1,\"accepted_seq\":3600,"));
    CHECK_INT(unlink(old.data), 0);
    all = (struct journal_past_query){.to_us = INT64_MAX, .accepted = last};
    past(path, &all, &text);
    CHECK(!strstr(text.data, "\"first_seq\":1,"));
    strbuf_done(&old);
    strbuf_done(&text);
    journal_free(&j);
    free(path);
}
