/* Logging: key=value, one line per event, to stderr (under systemd the journal adds the rest). Any thread.
 * Values are quoted when they need it. Context bound on a thread is added to each of its lines. Equal events beyond 20
 * a second are counted and reported ("suppressed=N") with the first line that anybody logs after their second. Never
 * log secrets. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* `program`: shown in each line. `path`: file to append to (reopened by log_reopen, for rotation), NULL for stderr. */
void log_init(const char *program, const char *path, enum log_level least);
void log_set_level(enum log_level least);
bool log_level_parse(const char *text, enum log_level *ret);
void log_reopen(void);

/* log_info("server placed", "server=%s host=%s", id, host): `event` is a constant sentence, `format` builds key=value
 * pairs ("" for none). */
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
void log_write(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Binds key=value to this thread until log_unbind; `key` must be a constant. At most 8. */
void log_bind(const char *key, const char *value);
void log_unbind(const char *key);
void log_unbind_all(void);
