/* Logging. A line is put together in memory and written with one write(2), so lines of several threads and processes do
 * not mix.
 *
 * Values are quoted when they need it although the caller formats all pairs at once: the spaces before "key=" in the
 * format become a separator with a random part, the result is cut there, and each value is looked at on its own. What
 * came from outside can therefore not forge a pair or a line.
 *
 * Failure modes: a full disk or a closed stderr loses lines, never blocks a daemon with an error. Counts of suppressed
 * events appear with the next line that anybody logs after their second is over. */
#include "common/log.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "common/utf8.h"
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#define LOG_LINE_CEILING ((size_t)16384)
#define LOG_PER_SECOND   20
#define LOG_SLOTS        64 /* events that are counted at the same time */
#define LOG_CONTEXTS     8
#define LOG_CONTEXT_SIZE 128

static const char *const log_names[] = {"debug", "info", "warn", "error"};
static const int log_priorities[] = {7, 6, 4, 3}; /* syslog's, which the journal understands as "<6>" */

static struct {
    char program[64], path[512];
    atomic_int fd, least;
    atomic_bool journal;
    char separator[12]; /* 0x1f and random letters */
} log_state = {.program = "virga", .fd = STDERR_FILENO, .least = LOG_LEVEL_INFO, .separator = "\x1f"};

struct log_slot {
    const char *event;
    enum log_level level;
    int64_t since_us;
    unsigned count, suppressed;
};
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of the slots; never held while writing */
static struct log_slot log_slots[LOG_SLOTS];

static _Thread_local struct {
    const char *keys[LOG_CONTEXTS];
    char values[LOG_CONTEXTS][LOG_CONTEXT_SIZE];
    size_t count;
} log_context;

/* ---- setting up ---- */

static void log_make_separator(void)
{
    unsigned char random[8];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        abort();
    log_state.separator[0] = '\x1f';
    for (size_t i = 0; i < sizeof(random); i++)
        log_state.separator[i + 1] = (char)('a' + random[i] % 26);
    log_state.separator[sizeof(random) + 1] = 0;
}

void log_init(const char *program, const char *path, enum log_level least)
{
    snprintf(log_state.program, sizeof(log_state.program), "%s", program);
    snprintf(log_state.path, sizeof(log_state.path), "%s", path ? path : "");
    log_make_separator();
    log_set_level(least);
    atomic_store(&log_state.journal, !path && getenv("JOURNAL_STREAM") != NULL);
    log_reopen();
}

void log_set_level(enum log_level least)
{
    atomic_store(&log_state.least, (int)least);
}

bool log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; text && i < sizeof(log_names) / sizeof(log_names[0]); i++) {
        if (strcasecmp(text, log_names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_reopen(void)
{
    int held = atomic_load(&log_state.fd);
    if (!log_state.path[0]) {
        atomic_store(&log_state.fd, STDERR_FILENO);
        if (held != STDERR_FILENO)
            close(held);
        return;
    }
    int fresh = open(log_state.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fresh < 0) {
        log_error("log file cannot be opened", "path=%s error=%m", log_state.path);
        return;
    }
    if (held == STDERR_FILENO) {
        atomic_store(&log_state.fd, fresh);
        return;
    }
    dup3(fresh, held, O_CLOEXEC); /* writers in other threads keep a descriptor that is always open */
    close(fresh);
}

/* ---- one line ---- */

static bool log_is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f)
            return false;
    }
    return size && utf8_valid(text, size);
}

static void log_append_value(struct strbuf *s, const char *text, size_t size)
{
    if (log_is_plain(text, size)) {
        strbuf_append(s, text, size);
        return;
    }
    strbuf_append_char(s, '"');
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t step = utf8_step(text + i, size - i);
        if (c == '"' || c == '\\')
            strbuf_appendf(s, "\\%c", c);
        else if (c == '\n')
            strbuf_append_text(s, "\\n");
        else if (c < ' ' || c == 0x7f || !step)
            strbuf_appendf(s, "\\x%02x", c);
        else
            strbuf_append(s, text + i, step);
        i += step ? step : 1;
    }
    strbuf_append_char(s, '"');
}

/* Length of "key=" at `text`, 0 when there is none. */
static size_t log_key_length(const char *text)
{
    size_t n = 0;
    while ((text[n] >= 'a' && text[n] <= 'z') || (n && ((text[n] >= '0' && text[n] <= '9') || text[n] == '_')))
        n++;
    return n && text[n] == '=' ? n + 1 : 0;
}

/* The format with the separator in place of each space before a key, and without quotes: they come where they are
 * needed. */
static void log_mark_pairs(struct strbuf *s, const char *format)
{
    for (const char *at = format; *at; at++) {
        if (*at == ' ' && log_key_length(at + 1))
            strbuf_append_text(s, log_state.separator);
        else if (*at != '"')
            strbuf_append_char(s, *at);
    }
}

static void log_append_pair(struct strbuf *s, const char *text, size_t size)
{
    size_t key = log_key_length(text);
    if (!size)
        return;
    strbuf_append_char(s, ' ');
    if (!key || key > size) {
        strbuf_append_text(s, "detail=");
        key = 0;
    }
    strbuf_append(s, text, key);
    log_append_value(s, text + key, size - key);
}

static void log_append_pairs(struct strbuf *s, const char *format, va_list args)
{
    struct strbuf marked, text;
    strbuf_init(&marked, LOG_LINE_CEILING);
    strbuf_init(&text, LOG_LINE_CEILING);
    log_mark_pairs(&marked, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (strbuf_appendv(&text, marked.data, args))
        strbuf_append_text(s, " detail=\"too long to log\"");
#pragma GCC diagnostic pop
    const char *at = text.data, *cut;
    size_t width = strlen(log_state.separator);
    while ((cut = strstr(at, log_state.separator))) {
        log_append_pair(s, at, (size_t)(cut - at));
        at = cut + width;
    }
    log_append_pair(s, at, strlen(at));
    strbuf_done(&text);
    strbuf_done(&marked);
}

static void log_append_head(struct strbuf *s, enum log_level level, const char *event)
{
    char when[CLOCK_TEXT_SIZE];
    if (atomic_load(&log_state.journal))
        strbuf_appendf(s, "<%d>", log_priorities[level]);
    else
        strbuf_appendf(s, "time=%s ", clock_text(clock_now_us(), CLOCK_ISO_MICRO_Z, when));
    strbuf_appendf(s, "level=%s program=%s event=", log_names[level], log_state.program);
    log_append_value(s, event, strlen(event));
}

static void log_emit(struct strbuf *s)
{
    static const char cut[] = " cut=yes\n";
    if (s->error || s->size > LOG_LINE_CEILING - sizeof(cut)) { /* a quoted flood: keep what fits on one line */
        s->error = 0;
        if (s->size > LOG_LINE_CEILING - sizeof(cut))
            s->size = LOG_LINE_CEILING - sizeof(cut);
        strbuf_append_text(s, cut);
    } else {
        strbuf_append_char(s, '\n');
    }
    ssize_t put = write(atomic_load(&log_state.fd), s->data, s->size);
    (void)put; /* nobody is left to tell */
}

/* ---- suppression ---- */

static void log_report(const struct log_slot *slot)
{
    struct strbuf s;
    strbuf_init(&s, LOG_LINE_CEILING);
    log_append_head(&s, slot->level, slot->event);
    strbuf_appendf(&s, " suppressed=%u", slot->suppressed);
    log_emit(&s);
    strbuf_done(&s);
}

/* Copies the slots whose second is over and that hide something to `ret`, and clears them. Under the lock. */
static size_t log_sweep(int64_t now_us, struct log_slot ret[LOG_SLOTS])
{
    size_t count = 0;
    for (size_t i = 0; i < LOG_SLOTS; i++) {
        struct log_slot *slot = &log_slots[i];
        if (!slot->event || (now_us >= slot->since_us && now_us - slot->since_us < CLOCK_SECOND_US))
            continue;
        if (slot->suppressed)
            ret[count++] = *slot;
        *slot = (struct log_slot){0};
    }
    return count;
}

/* Counts the event; false when it is one too many in this second. Without a free slot it passes. Under the lock. */
static bool log_count(enum log_level level, const char *event, int64_t now_us)
{
    struct log_slot *empty = NULL;
    for (size_t i = 0; i < LOG_SLOTS; i++) {
        struct log_slot *slot = &log_slots[i];
        if (!slot->event) {
            empty = empty ? empty : slot;
        } else if (slot->level == level && strcmp(slot->event, event) == 0) {
            bool passes = ++slot->count <= LOG_PER_SECOND;
            slot->suppressed += !passes;
            return passes;
        }
    }
    if (empty)
        *empty = (struct log_slot){.event = event, .level = level, .since_us = now_us, .count = 1};
    return true;
}

static bool log_passes(enum log_level level, const char *event)
{
    struct log_slot over[LOG_SLOTS];
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&log_lock);
    size_t count = log_sweep(now_us, over);
    bool passes = log_count(level, event, now_us);
    pthread_mutex_unlock(&log_lock);
    for (size_t i = 0; i < count; i++)
        log_report(&over[i]);
    return passes;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&log_state.least, memory_order_relaxed) || !log_passes(level, event))
        return;
    struct strbuf s;
    va_list args;
    strbuf_init(&s, LOG_LINE_CEILING);
    log_append_head(&s, level, event);
    va_start(args, format);
    log_append_pairs(&s, format, args);
    va_end(args);
    for (size_t i = 0; i < log_context.count; i++) {
        strbuf_appendf(&s, " %s=", log_context.keys[i]);
        log_append_value(&s, log_context.values[i], strlen(log_context.values[i]));
    }
    log_emit(&s);
    strbuf_done(&s);
}

/* ---- context ---- */

void log_bind(const char *key, const char *value)
{
    size_t i = 0;
    while (i < log_context.count && strcmp(log_context.keys[i], key) != 0)
        i++;
    if (i == LOG_CONTEXTS)
        return;
    log_context.keys[i] = key;
    size_t size = value ? strnlen(value, LOG_CONTEXT_SIZE - 1) : 0;
    memcpy(log_context.values[i], value ? value : "", size);
    log_context.values[i][size] = 0;
    if (i == log_context.count)
        log_context.count++;
}

void log_unbind(const char *key)
{
    for (size_t i = 0; i < log_context.count; i++) {
        if (strcmp(log_context.keys[i], key) != 0)
            continue;
        size_t after = log_context.count - i - 1;
        memmove(&log_context.keys[i], &log_context.keys[i + 1], after * sizeof(log_context.keys[0]));
        memmove(log_context.values[i], log_context.values[i + 1], after * LOG_CONTEXT_SIZE);
        log_context.count--;
        return;
    }
}

void log_unbind_all(void)
{
    log_context.count = 0;
}
