/* Log lines: quoting, context, levels, suppression, rotation. */
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static char *log_path;
static struct strbuf log_seen;

/* A fresh log, an hour after the test before: what that one left to report goes to its own file. */
static void start(enum log_level least)
{
    static int64_t now_us = 1709209800 * CLOCK_SECOND_US;
    clock_fake(now_us += 3600 * CLOCK_SECOND_US);
    if (!log_path)
        log_path = scratch_file("test.log");
    log_init("virga-test", log_path, least);
    log_error("next test", "");
    unlink(log_path);
    log_reopen();
    log_unbind_all();
}

/* All lines so far, without their time. */
static const char *seen(void)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(file_read(log_path, &text, &e), &e);
    strbuf_done(&log_seen);
    strbuf_init(&log_seen, 0);
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        CHECK(strncmp(line, "time=20", 7) == 0);
        strbuf_appendf(&log_seen, "%s\n", strchr(line, ' ') + 1);
    }
    strbuf_done(&text);
    return log_seen.data;
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

TEST("a line has time, level, program, event and pairs")
{
    start(LOG_LEVEL_INFO);
    log_info("server placed", "server=%s host=%d", "s1", 7);
    log_warn("alone", "");
    CHECK_TEXT(seen(), "level=info program=virga-test event=\"server placed\" server=s1 host=7\n"
                       "level=warn program=virga-test event=alone\n");
}

TEST("values are quoted when they need it")
{
    start(LOG_LEVEL_INFO);
    log_info("x", "a=%s b=%s c=%s d=%s e=%s", "two words", "", "say \"hi\" \\", "k=v", "caf\xc3\xa9");
    log_info("x", "a=%s", "\x01\x7f\xff\n");
    log_info("x", "took=%d ms error=%s", 5, "it is, well, broken");
    CHECK_TEXT(seen(),
               "level=info program=virga-test event=x a=\"two words\" b=\"\" c=\"say \\\"hi\\\" \\\\\" d=\"k=v\" "
               "e=caf\xc3\xa9\n"
               "level=info program=virga-test event=x a=\"\\x01\\x7f\\xff\\n\"\n"
               "level=info program=virga-test event=x took=\"5 ms\" error=\"it is, well, broken\"\n");
}

TEST("quotes in a format do not quote twice")
{
    start(LOG_LEVEL_INFO);
    log_info("x", "a=\"%s\" b=\"%s\"", "two words", "one");
    CHECK_TEXT(seen(), "level=info program=virga-test event=x a=\"two words\" b=one\n");
}

TEST("what comes from outside cannot forge a line or a pair")
{
    start(LOG_LEVEL_INFO);
    log_info("login", "user=%s ok=no", "x ok=yes\nlevel=error event=forged\x1f admin=yes");
    CHECK_TEXT(seen(), "level=info program=virga-test event=login "
                       "user=\"x ok=yes\\nlevel=error event=forged\\x1f admin=yes\" ok=no\n");
}

TEST("text without a key becomes the detail")
{
    start(LOG_LEVEL_INFO);
    log_info("x", "just %s a=%d", "words", 1);
    CHECK_TEXT(seen(), "level=info program=virga-test event=x detail=\"just words\" a=1\n");
}

TEST("context is added to each line of its thread until it is unbound")
{
    start(LOG_LEVEL_INFO);
    log_bind("request", "req-1");
    log_bind("project", "p 1");
    log_bind("request", "req-2");
    log_info("x", "a=%d", 1);
    log_unbind("request");
    log_unbind("never bound");
    log_info("x", "");
    log_unbind_all();
    log_info("x", "");
    CHECK_TEXT(seen(), "level=info program=virga-test event=x a=1 request=req-2 project=\"p 1\"\n"
                       "level=info program=virga-test event=x project=\"p 1\"\n"
                       "level=info program=virga-test event=x\n");
}

static void *log_from_thread(void *arg)
{
    log_bind("worker", arg);
    for (int i = 0; i < 1000; i++)
        log_info("from thread", "i=%d", i);
    return NULL;
}

TEST("threads do not see each other's context and do not mix lines")
{
    static char *names[] = {"w0", "w1", "w2", "w3"};
    pthread_t threads[4];
    start(LOG_LEVEL_INFO);
    log_bind("own", "main");
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, log_from_thread, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    const char *text = seen();
    CHECK_INT(lines(text), 20);
    CHECK(!strstr(text, "own=main"));
    CHECK_CONTAINS(text, "event=\"from thread\" i=0 worker=w");
}

TEST("more than twenty equal events in a second are counted, not written")
{
    start(LOG_LEVEL_INFO);
    for (int i = 0; i < 120; i++)
        log_info("flood", "i=%d", i);
    log_warn("flood", "another level");
    log_info("other", "");
    const char *text = seen();
    CHECK_INT(lines(text), 22);
    CHECK_CONTAINS(text, "flood i=19\n");
    CHECK(!strstr(text, "i=20"));
    clock_advance(CLOCK_SECOND_US);
    log_info("other", "");
    text = seen();
    CHECK_INT(lines(text), 24);
    CHECK_CONTAINS(text, "level=info program=virga-test event=flood suppressed=100\n");
    log_info("flood", "i=%d", 999);
    CHECK_CONTAINS(seen(), "i=999");
    clock_advance(CLOCK_SECOND_US);
    log_info("other", "");
    CHECK(!strstr(strstr(seen(), "i=999"), "suppressed"));
}

TEST("levels below the least are not written")
{
    enum log_level level;
    start(LOG_LEVEL_WARN);
    log_info("no", "");
    log_debug("no", "");
    log_error("yes", "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("also", "");
    CHECK_TEXT(seen(), "level=error program=virga-test event=yes\nlevel=debug program=virga-test event=also\n");
    CHECK(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    CHECK(log_level_parse("ERROR", &level) && level == LOG_LEVEL_ERROR);
    CHECK(!log_level_parse("loud", &level) && !log_level_parse(NULL, &level));
}

TEST("a file that was moved away is left, and a new one is made")
{
    start(LOG_LEVEL_INFO);
    char *moved = scratch_file("moved.log");
    log_info("before", "");
    CHECK_INT(rename(log_path, moved), 0);
    log_info("still there", "");
    log_reopen();
    log_info("after", "");
    CHECK_TEXT(seen(), "level=info program=virga-test event=after\n");
    free(moved);
}

TEST("a log file that cannot be opened leaves the old one in use and says so")
{
    start(LOG_LEVEL_INFO);
    log_init("virga-test", "/nowhere/at/all.log", LOG_LEVEL_INFO);
    log_info("kept", "");
    CHECK_CONTAINS(seen(), "event=\"log file cannot be opened\" path=/nowhere/at/all.log error=\"No such file");
    CHECK_CONTAINS(seen(), "event=kept");
}

TEST("an endless value is cut, and the line stays one line")
{
    start(LOG_LEVEL_INFO);
    char *large = malloc(100001);
    memset(large, '"', 100000);
    large[100000] = 0;
    log_info("large", "a=%s", large);
    large[9000] = 0;
    log_info("large", "a=%s", large);
    free(large);
    const char *text = seen();
    CHECK_INT(lines(text), 2);
    CHECK_CONTAINS(text, "too long to log");
    CHECK_CONTAINS(text, "cut=yes\n");
}
