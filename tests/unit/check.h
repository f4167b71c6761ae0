/* The frame of a unit test: tests named as sentences, checks that say what they saw. Each *_test.c includes it once and
 * gets a main.
 *
 *     TEST("a reset buffer forgets its error")
 *     {
 *         CHECK_INT(strbuf_append_text(&s, "x"), 0);
 *     }
 *
 * A failed check ends its test; the next one runs. In another thread than the test's own it ends the program. Arguments
 * of the program pick the tests whose sentence contains one of them; --list prints the sentences. */
#pragma once
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct check_test {
    const char *sentence;
    void (*run)(void);
    struct check_test *next;
};
static struct check_test *check_first, **check_last = &check_first;
static jmp_buf check_way_out;
static pthread_t check_thread;

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b)  CHECK_JOIN2(a, b)
#define TEST(sentence)    CHECK_TEST(sentence, __COUNTER__)
#define CHECK_TEST(sentence, n)                                                                                        \
    static void CHECK_JOIN(check_run_, n)(void);                                                                       \
    __attribute__((constructor)) static void CHECK_JOIN(check_add_, n)(void)                                           \
    {                                                                                                                  \
        static struct check_test row = {sentence, CHECK_JOIN(check_run_, n), NULL};                                    \
        *check_last = &row;                                                                                            \
        check_last = &row.next;                                                                                        \
    }                                                                                                                  \
    static void CHECK_JOIN(check_run_, n)(void)

__attribute__((noreturn, format(printf, 3, 4), unused)) static void check_fail(const char *file, int line,
                                                                               const char *format, ...)
{
    va_list args;
    printf("%s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    if (!pthread_equal(pthread_self(), check_thread))
        _exit(1);
    longjmp(check_way_out, 1);
}

__attribute__((unused)) static void check_text(const char *file, int line, const char *what, const char *actual,
                                               const char *expected)
{
    if (actual == expected || (actual && expected && strcmp(actual, expected) == 0))
        return;
    check_fail(file, line, "%s\n    is       %s\n    and not  %s", what, actual ? actual : "(null)",
               expected ? expected : "(null)");
}

__attribute__((unused)) static void check_contains(const char *file, int line, const char *what, const char *actual,
                                                   const char *part)
{
    if (!actual || !strstr(actual, part))
        check_fail(file, line, "%s\n    is              %s\n    and lacks       %s", what, actual ? actual : "(null)",
                   part);
}

__attribute__((unused)) static void check_int(const char *file, int line, const char *what, int64_t actual,
                                              int64_t expected)
{
    if (actual != expected)
        check_fail(file, line, "%s is %" PRId64 " and not %" PRId64, what, actual, expected);
}

/* Seconds that pass whatever a test does to its clock. */
__attribute__((unused)) static time_t check_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* True when `run` ends in an abort (an assert), tried in a child. */
__attribute__((unused)) static bool check_aborts(void (*run)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        run();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            check_fail(__FILE__, __LINE__, "not so: %s", #condition);                                                  \
    } while (0)
/* Becomes so by another thread's or process's doing, which is waited for: on a busy machine that may take long. */
#define CHECK_SOON(condition)                                                                                          \
    for (time_t check_end = check_seconds() + 120; !(condition); sched_yield()) {                                      \
        if (check_seconds() > check_end)                                                                               \
            check_fail(__FILE__, __LINE__, "never so: %s", #condition);                                                \
    }
#define CHECK_INT(actual, expected)  check_int(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, actual, expected)
#define CHECK_CONTAINS(actual, part) check_contains(__FILE__, __LINE__, #actual, actual, part)
/* The call succeeds; otherwise its error is shown. */
#define CHECK_OK(call, e)                                                                                              \
    do {                                                                                                               \
        int check_rc = (call);                                                                                         \
        if (check_rc)                                                                                                  \
            check_fail(__FILE__, __LINE__, "%s failed with %d: %s", #call, check_rc, (e)->text);                       \
    } while (0)

static bool check_wanted(const char *sentence, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(sentence, argv[i]))
            return true;
    return argc < 2;
}

/* Returns whether the test went well. */
static bool check_run(const struct check_test *test)
{
    if (setjmp(check_way_out))
        return false;
    test->run();
    return true;
}

int main(int argc, char **argv)
{
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    unsigned ran = 0, failed = 0;
    check_thread = pthread_self();
    for (const struct check_test *test = check_first; test; test = test->next) {
        if (list)
            printf("%s\n", test->sentence);
        if (list || !check_wanted(test->sentence, argc, argv))
            continue;
        bool good = check_run(test);
        ran++;
        failed += !good;
        printf("%s: %s\n", good ? "ok" : "FAILED", test->sentence);
        fflush(stdout);
    }
    if (!list)
        printf("%u tests, %u failed\n", ran, failed);
    return list || (ran && !failed) ? 0 : 1;
}
