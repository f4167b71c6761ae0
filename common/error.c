/* The list of codes as tables, and the detail that travels with one. */
#include "common/error.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http;
    const char *sentence;
} error_rows[ERR_COUNT] = {
    [ERR_NONE] = {"NONE", 200, "No error"},
#define ERROR(name, http, sentence) [ERR_##name] = {#name, http, sentence},
#include "common/errors.def"
#undef ERROR
};

int error_set(struct error *e, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_setv(e, code, format, args);
    va_end(args);
    return code;
}

int error_set_type(struct error *e, int code, const char *type, const char *format, ...)
{
    if (e && !e->code)
        e->type = type;
    va_list args;
    va_start(args, format);
    error_setv(e, code, format, args);
    va_end(args);
    return code;
}

int error_setv(struct error *e, int code, const char *format, va_list args)
{
    if (e && !e->code) {
        e->code = code;
        vsnprintf(e->text, sizeof(e->text), format, args);
    }
    return code;
}

int error_prefix(struct error *e, const char *format, ...)
{
    if (!e || !e->code)
        return 0;
    struct error old = *e;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(e->text, sizeof(e->text), format, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof(e->text))
        snprintf(e->text + used, sizeof(e->text) - used, ": %s", error_text(&old));
    return e->code;
}

void error_clear(struct error *e)
{
    if (e)
        *e = (struct error){0};
}

const char *error_text(const struct error *e)
{
    if (e && e->text[0])
        return e->text;
    return error_sentence(e ? e->code : ERR_NONE);
}

const char *error_name(int code)
{
    return code >= 0 && code < ERR_COUNT ? error_rows[code].name : "UNKNOWN";
}

int error_http_status(int code)
{
    return code >= 0 && code < ERR_COUNT ? error_rows[code].http : 500;
}

const char *error_sentence(int code)
{
    return code >= 0 && code < ERR_COUNT ? error_rows[code].sentence : error_rows[ERR_INTERNAL].sentence;
}
