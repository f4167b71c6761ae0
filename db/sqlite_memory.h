/* Memory for SQLite: it asks for a few dozen small blocks for each statement and gives them back, so each thread keeps
 * some. (Debian builds SQLite without its own remedy, the lookaside allocator.) For engine_sqlite.c alone. */
#pragma once

/* Before SQLite is initialised. */
void sqlite_memory_use(void);
