/* Time: wall clock and monotonic clock in microseconds, and the text forms that the APIs use. Tests may warp both. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_SECOND_US ((int64_t)1000000)

/* Microseconds since 1970 UTC / since some start; any thread. */
int64_t clock_now_us(void);
int64_t clock_mono_us(void);

/* Tests: from now on both clocks stand still at `now_us` and move only by clock_advance. Real time again: clock_real.
 */
void clock_fake(int64_t now_us);
void clock_advance(int64_t delta_us);
void clock_real(void);

enum clock_form {
    CLOCK_ISO_Z,       /* 2006-01-02T15:04:05Z          servers, images */
    CLOCK_ISO_MICRO,   /* 2006-01-02T15:04:05.000000    OS-SRV-USG, services, actions */
    CLOCK_ISO_MICRO_Z, /* 2006-01-02T15:04:05.000000Z   identity tokens */
    CLOCK_ISO,         /* 2006-01-02T15:04:05           usage */
};
#define CLOCK_TEXT_SIZE 32
/* Writes the text into `ret` and returns it. */
char *clock_text(int64_t us, enum clock_form form, char ret[CLOCK_TEXT_SIZE]);
/* Reads any of the forms above, also a date alone, a space for the T, and an offset (+02:00). False when it is none. */
bool clock_parse(const char *text, int64_t *ret_us);
