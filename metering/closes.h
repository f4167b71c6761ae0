/* Closing periods that the API was asked to close. */
#pragma once
#include "db/db.h"

/* Closes what waits, one after the other, as metering/bill/close.h does it, and writes down what became of it. One that
 * finds lifecycle events still unmetered waits on. Whoever dies in between leaves it waiting: done again it makes what
 * is missing. Faults are logged. */
void closes_run(struct db_conn *reader, struct db_conn *writer);
