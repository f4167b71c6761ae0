/* Statements of SQLite's engine: each registered one is prepared once per connection, in a slot by its index, and used
 * again; a second cursor on the same one gets a slot of its own. The first step is made at once, so that errors show
 * where the statement was given. */
#include "db/sqlite_statement.h"
#include "common/memory.h"
#include <stdlib.h>

void sqlite_statement_done(struct sqlite_slot *slot)
{
    sqlite3_finalize(slot->stmt);
    free(slot->map);
}

/* Finds out where each $n is. */
static int slot_map(struct sqlite_slot *slot, const struct db_statement *s, struct error *e)
{
    int names = sqlite3_bind_parameter_count(slot->stmt);
    slot->map = memory_array((size_t)names + 1, sizeof *slot->map);
    for (int i = 1; i <= names; i++) {
        const char *name = sqlite3_bind_parameter_name(slot->stmt, i);
        char *end = NULL;
        long number = name && *name == '$' ? strtol(name + 1, &end, 10) : 0;
        if (!end || *end || number < 1 || number > names)
            return error_set(e, ERR_DATABASE, "%s: placeholders must be $1 to $n without a gap", s->name);
        slot->map[number - 1] = (uint16_t)i;
    }
    slot->count = (uint16_t)names;
    return 0;
}

static int slot_prepare(struct db_conn *c, struct sqlite_slot *slot, const struct db_statement *s, struct error *e)
{
    const char *rest;
    int status =
        sqlite3_prepare_v3(sqlite_handle_of(c)->sqlite, s->sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, &rest);
    int rc = status == SQLITE_OK ? 0 : sqlite_handle_fail(c, s->name, status, e);
    if (!rc && (!slot->stmt || *rest))
        rc = error_set(e, ERR_DATABASE, "%s: exactly one statement is wanted", s->name);
    if (!rc)
        rc = slot_map(slot, s, e);
    if (rc) {
        sqlite_statement_done(slot);
        *slot = (struct sqlite_slot){0};
    }
    return rc;
}

static int slot_extra(struct db_conn *c, const struct db_statement *s, struct sqlite_slot **ret, struct error *e)
{
    struct sqlite_slot *slot = memory_new(sizeof *slot);
    int rc = slot_prepare(c, slot, s, e);
    slot->extra = true;
    if (rc)
        free(slot);
    else
        *ret = slot;
    return rc;
}

/* The statement's slot, prepared and free for use. */
static int slot_take(struct db_conn *c, const struct db_statement *s, struct sqlite_slot **ret, struct error *e)
{
    struct sqlite_slot *slot = &sqlite_handle_of(c)->slots[engine_statement_index(s)];
    if (slot->open)
        return slot_extra(c, s, ret, e);
    int rc = slot->stmt ? 0 : slot_prepare(c, slot, s, e);
    if (!rc)
        *ret = slot;
    return rc;
}

/* Bindings stay: they are never read before they are bound again, as every use binds them all. */
static int slot_release(struct db_conn *c, struct sqlite_slot *slot)
{
    int status = sqlite3_reset(slot->stmt);
    sqlite_handle_leave(c);
    slot->open = false;
    if (slot->extra) {
        sqlite_statement_done(slot);
        free(slot);
    }
    return status;
}

static int bind_one(sqlite3_stmt *stmt, int index, const struct db_value *v)
{
    switch (v->type) {
    case DB_TYPE_INT:
        return sqlite3_bind_int64(stmt, index, v->integer);
    case DB_TYPE_TEXT:
        return sqlite3_bind_text64(stmt, index, v->data, v->size, SQLITE_STATIC, SQLITE_UTF8);
    case DB_TYPE_BYTES:
        return sqlite3_bind_blob64(stmt, index, v->data, v->size, SQLITE_STATIC);
    case DB_TYPE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, index);
}

static int slot_bind(struct db_conn *c, struct sqlite_slot *slot, const struct db_statement *s,
                     const struct db_value *args, size_t count, struct error *e)
{
    if (count != slot->count)
        return error_set(e, ERR_DATABASE, "%s wants %u arguments and got %zu", s->name, slot->count, count);
    for (size_t i = 0; i < count; i++) {
        int status = bind_one(slot->stmt, slot->map[i], &args[i]);
        if (status != SQLITE_OK)
            return sqlite_handle_fail(c, s->name, status, e);
    }
    return 0;
}

/* Takes the statement's slot, binds and makes the first step. On failure the slot is free again. */
static int slot_start(struct db_conn *c, const struct db_statement *s, struct sqlite_slot **ret_slot, int *ret_status,
                      struct error *e, const struct db_value *args, size_t count)
{
    struct sqlite_slot *slot;
    int rc = slot_take(c, s, &slot, e);
    if (rc)
        return rc;
    slot->open = true;
    sqlite_handle_enter(c);
    rc = slot_bind(c, slot, s, args, count, e);
    int status = rc ? SQLITE_OK : sqlite3_step(slot->stmt);
    if (!rc && status != SQLITE_ROW && status != SQLITE_DONE)
        rc = sqlite_handle_fail(c, s->name, status, e);
    if (rc) {
        slot_release(c, slot);
        return rc;
    }
    *ret_slot = slot;
    *ret_status = status;
    return 0;
}

int sqlite_statement_prepare(struct db_conn *c, const struct db_statement *s, struct error *e)
{
    struct sqlite_slot *slot;
    return slot_take(c, s, &slot, e);
}

int sqlite_statement_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
                          const struct db_value *args, size_t count)
{
    struct sqlite_slot *slot;
    int status;
    int rc = slot_start(c, s, &slot, &status, e, args, count);
    if (rc)
        return rc;
    while (status == SQLITE_ROW)
        status = sqlite3_step(slot->stmt);
    if (status != SQLITE_DONE)
        rc = sqlite_handle_fail(c, s->name, status, e);
    else if (ret_changed)
        *ret_changed = sqlite3_stmt_readonly(slot->stmt) ? 0 : sqlite3_changes64(sqlite_handle_of(c)->sqlite);
    slot_release(c, slot);
    return rc;
}

int sqlite_statement_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                           const struct db_value *args, size_t count)
{
    struct sqlite_slot *slot;
    int status;
    int rc = slot_start(c, s, &slot, &status, e, args, count);
    if (!rc)
        *ret_rows = (struct db_rows){.conn = c, .cursor = slot, .row = -1, .status = status};
    return rc;
}

bool sqlite_statement_next(struct db_rows *rows)
{
    struct sqlite_slot *slot = rows->cursor;
    if (rows->row >= 0 && rows->status == SQLITE_ROW)
        rows->status = sqlite3_step(slot->stmt);
    rows->row++;
    return rows->status == SQLITE_ROW;
}

int sqlite_statement_finish(struct db_rows *rows, struct error *e)
{
    struct sqlite_slot *slot = rows->cursor;
    bool failed = rows->status != SQLITE_ROW && rows->status != SQLITE_DONE;
    rows->cursor = NULL;
    int rc = 0;
    if (failed) /* reset brings the statement's own error back */
        rc = sqlite_handle_fail(rows->conn, "reading rows", sqlite3_reset(slot->stmt), e);
    slot_release(rows->conn, slot);
    return rc;
}

static sqlite3_stmt *stmt_of(const struct db_rows *rows)
{
    return ((struct sqlite_slot *)rows->cursor)->stmt;
}

bool sqlite_statement_is_null(const struct db_rows *rows, int column)
{
    return sqlite3_column_type(stmt_of(rows), column) == SQLITE_NULL;
}

int64_t sqlite_statement_get_int(const struct db_rows *rows, int column)
{
    return sqlite3_column_int64(stmt_of(rows), column);
}

const char *sqlite_statement_get_text(const struct db_rows *rows, int column, size_t *ret_size)
{
    const unsigned char *text = sqlite3_column_text(stmt_of(rows), column);
    if (ret_size)
        *ret_size = text ? (size_t)sqlite3_column_bytes(stmt_of(rows), column) : 0;
    return (const char *)text;
}

const void *sqlite_statement_get_bytes(const struct db_rows *rows, int column, size_t *ret_size)
{
    sqlite3_stmt *stmt = stmt_of(rows);
    bool null = sqlite3_column_type(stmt, column) == SQLITE_NULL;
    const void *bytes = sqlite3_column_blob(stmt, column);
    *ret_size = (size_t)sqlite3_column_bytes(stmt, column);
    return null ? NULL : bytes ? bytes : "";
}
