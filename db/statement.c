/* Statements register themselves at link time in the section `db_statements`; their place in it is the index of each
 * connection's table of prepared handles. Argument constructors live here too. */
#include "db/engine.h"
#include <assert.h>
#include <string.h>

/* Made by the linker; weak, because a program may have no statement at all. */
extern const struct db_statement __start_db_statements[] __attribute__((weak));
extern const struct db_statement __stop_db_statements[] __attribute__((weak));

size_t db_statement_count(void)
{
    return (size_t)(__stop_db_statements - __start_db_statements);
}

const struct db_statement *db_statement_at(size_t index)
{
    assert(index < db_statement_count());
    return &__start_db_statements[index];
}

size_t engine_statement_index(const struct db_statement *s)
{
    assert(s >= __start_db_statements && s < __stop_db_statements);
    return (size_t)(s - __start_db_statements);
}

struct db_value db_null(void)
{
    return (struct db_value){.type = DB_TYPE_NULL};
}

struct db_value db_int(int64_t value)
{
    return (struct db_value){.type = DB_TYPE_INT, .integer = value};
}

struct db_value db_int_opt(bool present, int64_t value)
{
    return present ? db_int(value) : db_null();
}

struct db_value db_text_n(const char *value, size_t size)
{
    return value ? (struct db_value){.type = DB_TYPE_TEXT, .data = value, .size = size} : db_null();
}

struct db_value db_text(const char *value)
{
    return value ? db_text_n(value, strlen(value)) : db_null();
}

struct db_value db_bytes(const void *data, size_t size)
{
    return data ? (struct db_value){.type = DB_TYPE_BYTES, .data = data, .size = size} : db_null();
}
