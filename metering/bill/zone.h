/* Months in a time zone, from the system's zone files (TZif, RFC 8536). */
#pragma once
#include "common/error.h"
#include <stdint.h>

/* The instants at which that month (1..12) begins and ends in the zone ("UTC", "Europe/Berlin"). ERR_INVALID for a zone
 * that is not there. Beyond a file's last transition its last offset counts. */
int zone_month(const char *timezone, int year, int month, int64_t *ret_from_us, int64_t *ret_to_us, struct error *e);
/* The year and month in which an instant lies there. */
int zone_month_of(const char *timezone, int64_t at_us, int *ret_year, int *ret_month, struct error *e);
