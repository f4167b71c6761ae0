/* Other forms of a stored invoice: made from its body alone, but for the servers' names. */
#pragma once
#include "common/json_in.h"
#include "common/strbuf.h"
#include "db/db.h"

/* Appends the invoice (or credit note) in `format`: "csv", "html" (printable) or "focus" (FOCUS 1.2 CSV). ERR_INVALID
 * for another one; ERR_CORRUPT when the body cannot be read. */
int export_write(struct db_conn *c, const char *body, const char *format, struct arena *a, struct strbuf *to,
                 const char **ret_content_type, struct error *e);
