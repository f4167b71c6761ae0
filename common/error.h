/* Errors as values: one list of codes (errors.def), one struct for the detail that travels to whoever decides. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

enum error_code {
    ERR_NONE = 0,
#define ERROR(name, http, sentence) ERR_##name,
#include "common/errors.def"
#undef ERROR
    ERR_COUNT
};

/* The caller's place for detail. Zero-initialise it: `struct error err = {0};`. */
struct error {
    int code;         /* enum error_code, 0 while unset */
    char text[480];   /* a sentence for people, never compared, never a secret */
    const char *type; /* static text: the name that a service's API gives this fault ("SubnetInUse"), NULL for none */
};

/* Records `code` and the formatted sentence in `e` unless one is there already (first writer wins). `e` may be NULL.
 * Returns `code`, so that callers write `return error_set(...)`. Truncates at the size of text. */
int error_set(struct error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As error_set, with the service's name for the fault; `type` is static text. */
int error_set_type(struct error *e, int code, const char *type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int error_setv(struct error *e, int code, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before the recorded sentence; nothing when none is recorded. Returns e->code (0 for NULL). */
int error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets what was recorded. */
void error_clear(struct error *e);

/* The recorded sentence, or the code's own when there is none. Never NULL. */
const char *error_text(const struct error *e);

/* By code: its name ("NOT_FOUND"), its HTTP status (500 for unknown codes) and its sentence. Never NULL. */
const char *error_name(int code);
int error_http_status(int code);
const char *error_sentence(int code);
