/* Wake-ups: published after commit, to every listener of every process. Arrivals are waited for, never slept for. */
#include "db/wake.h"
#include "tests/unit/db/fixture.h"
#include <dirent.h>
#include <poll.h>

/* Topics as they arrive, one per line, through a pipe: reading it is waiting for them. */
struct ear {
    struct wake *wake;
    int pipe[2];
};

static void heard(void *arg, const char *topic)
{
    struct ear *ear = arg;
    char line[256];
    int size = snprintf(line, sizeof line, "%s\n", topic);
    CHECK(write(ear->pipe[1], line, (size_t)size) == size);
}

static void ear_open(struct ear *ear, struct db *db)
{
    struct error e = {0};
    CHECK(!pipe(ear->pipe));
    CHECK_OK(wake_listen(db, heard, ear, &ear->wake, &e), &e);
}

static void ear_close(struct ear *ear)
{
    wake_close(&ear->wake);
    close(ear->pipe[0]);
    close(ear->pipe[1]);
}

/* The next topic; "" when none comes for a minute. Static buffer. */
static const char *ear_next(struct ear *ear)
{
    static char line[256];
    size_t size = 0;
    struct pollfd fd = {.fd = ear->pipe[0], .events = POLLIN};
    while (size < sizeof line - 1 && poll(&fd, 1, 60000) == 1 && read(ear->pipe[0], line + size, 1) == 1 &&
           line[size] != '\n')
        size++;
    line[size] = 0;
    return line;
}

struct posting {
    const char *const *topics;
    int rc;
};

static int post(struct db_conn *c, void *arg, struct error *e)
{
    struct posting *p = arg;
    for (const char *const *t = p->topics; *t; t++)
        db_wake(c, *t);
    return p->rc ? error_set(e, p->rc, "not committed") : 0;
}

static int post_and_undo_half(struct db_conn *c, void *arg, struct error *e)
{
    struct error inner = {0};
    db_wake(c, "kept-before");
    CHECK(db_savepoint(c, post, arg, &inner));
    db_wake(c, "kept-later");
    (void)e;
    return 0;
}

TEST("topics posted in a transaction arrive once each after its commit, none of what was undone")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct ear ear;
    ear_open(&ear, db);
    struct posting good = {(const char *const[]){"a", "host:1", "a", "a", NULL}, 0};
    struct posting bad = {(const char *const[]){"never", NULL}, ERR_PRECONDITION};
    CHECK_INT(db_transact(c, post, &bad, &e), ERR_PRECONDITION);
    error_clear(&e);
    CHECK_OK(db_transact(c, post, &good, &e), &e);
    CHECK_OK(db_transact(c, post_and_undo_half, &bad, &e), &e);
    wake_publish(db, "last");
    static const char *const expected[] = {"a", "host:1", "kept-before", "kept-later", "last"};
    for (size_t i = 0; i < 5; i++)
        CHECK_TEXT(ear_next(&ear), expected[i]);
    ear_close(&ear);
    db_conn_close(&c);
    db_close(&db);
}

TEST("more topics than one message holds all arrive")
{
    enum { TOPICS = 2000 };
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct ear ear;
    static char names[TOPICS][24];
    static const char *topics[TOPICS + 1];
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof names[i], "host:%06d", i);
        topics[i] = names[i];
    }
    ear_open(&ear, db);
    struct posting all = {topics, 0};
    CHECK_OK(db_transact(c, post, &all, &e), &e);
    for (int i = 0; i < TOPICS; i++)
        CHECK_TEXT(ear_next(&ear), names[i]);
    ear_close(&ear);
    db_conn_close(&c);
    db_close(&db);
}

TEST("every listener of a process hears, also one that came after the first message")
{
    struct db *db = fixture_open();
    struct ear first, second;
    ear_open(&first, db);
    wake_publish(db, "one");
    CHECK_TEXT(ear_next(&first), "one");
    ear_open(&second, db);
    wake_publish(db, "two");
    CHECK_TEXT(ear_next(&first), "two");
    CHECK_TEXT(ear_next(&second), "two");
    ear_close(&first);
    wake_publish(db, "three");
    CHECK_TEXT(ear_next(&second), "three");
    ear_close(&second);
    wake_publish(db, "nobody hears");
    db_close(&db);
}

/* A process that listens, says so, echoes one topic and is then killed or ends. */
static pid_t listen_in_child(int ret_pipe[2])
{
    CHECK(!pipe(ret_pipe));
    fflush(stdout);
    pid_t child = fork();
    if (child)
        return child;
    struct ear ear;
    check_thread = 0;
    struct db *db = fixture_again();
    ear_open(&ear, db);
    dprintf(ret_pipe[1], "listening\n");
    dprintf(ret_pipe[1], "%s\n", ear_next(&ear));
    for (;;)
        pause();
}

static void wait_for_line(int fd, const char *expected)
{
    struct ear line = {.pipe = {fd, -1}};
    CHECK_TEXT(ear_next(&line), expected);
}

TEST("another process hears, and its death disturbs nobody")
{
    struct db *db = fixture_open();
    db_close(&db); /* no thread of ours runs while we fork */
    int from_child[2];
    pid_t child = listen_in_child(from_child);
    db = fixture_again();
    struct ear ear;
    ear_open(&ear, db);
    wait_for_line(from_child[0], "listening");
    wake_publish(db, "both");
    wait_for_line(from_child[0], "both");
    CHECK_TEXT(ear_next(&ear), "both");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 3; i++) {
        wake_publish(db, "again");
        CHECK_TEXT(ear_next(&ear), "again");
    }
    ear_close(&ear);
    db_close(&db);
    close(from_child[0]);
    close(from_child[1]);
}

static int sockets_left(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s.wake", fixture_url);
    DIR *dir = opendir(path);
    int count = 0;
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

TEST("sockets of listeners that died are removed by whoever finds them")
{
    if (on_postgres())
        return;
    struct db *db = fixture_open();
    db_close(&db);
    int from_child[2];
    pid_t child = listen_in_child(from_child);
    wait_for_line(from_child[0], "listening");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK_INT(sockets_left(), 1);
    db = fixture_again();
    wake_publish(db, "anybody");
    CHECK_INT(sockets_left(), 0);
    db_close(&db);
    close(from_child[0]);
    close(from_child[1]);
}

/* A listener whose callback waits for the gate. */
struct gate {
    int wait_for, heard_at; /* pipe ends */
    bool first;
};

static void heard_at_gate(void *arg, const char *topic)
{
    struct gate *g = arg;
    char byte;
    if (g->first) {
        g->first = false;
        CHECK(write(g->heard_at, "!", 1) == 1);
        CHECK(read(g->wait_for, &byte, 1) == 1);
    }
    if (!strcmp(topic, "*"))
        CHECK(write(g->heard_at, "*", 1) == 1);
}

TEST("a listener that fell behind is told that something was lost, and publishing never waits for it")
{
    if (on_postgres()) /* PostgreSQL keeps 8 GB for slow listeners */
        return;
    struct error e = {0};
    struct db *db = fixture_open();
    int there[2], back[2];
    char byte = 0;
    CHECK(!pipe(there) && !pipe(back));
    struct gate gate = {.wait_for = there[0], .heard_at = back[1], .first = true};
    struct wake *w;
    CHECK_OK(wake_listen(db, heard_at_gate, &gate, &w, &e), &e);
    wake_publish(db, "first");
    CHECK(read(back[0], &byte, 1) == 1 && byte == '!');
    for (int i = 0; i < 5000; i++)
        wake_publish(db, "many");
    CHECK(write(there[1], "go", 1) == 1);
    struct pollfd fd = {.fd = back[0], .events = POLLIN};
    do
        wake_publish(db, "one more");
    while (poll(&fd, 1, 0) == 0);
    CHECK(read(back[0], &byte, 1) == 1 && byte == '*');
    wake_close(&w);
    db_close(&db);
}

DB_STATEMENT2(wake_end_listeners, "SELECT 0",
              "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%LISTEN virga%' AND"
              " pid <> pg_backend_pid()");

TEST("a listener whose connection was lost connects again and says that something may have been lost")
{
    if (!on_postgres())
        return;
    struct error e = {0};
    struct db *db = fixture_open();
    struct ear ear;
    int64_t ended = 0;
    ear_open(&ear, db);
    CHECK_OK(db_query_int(db_reader(db), &wake_end_listeners, &ended, &e, DB_NO_ARGS), &e);
    CHECK(ended >= 1); /* the one of the test before may not have ended yet */
    CHECK_TEXT(ear_next(&ear), "*");
    wake_publish(db, "after");
    CHECK_TEXT(ear_next(&ear), "after");
    ear_close(&ear);
    db_close(&db);
}
