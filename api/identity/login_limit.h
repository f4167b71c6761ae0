/* Slows down who guesses passwords. Attempts are counted by client address and user, as the client wrote it: whether
 * there is such a user makes no difference, and nobody can slow down a user who comes from another address. After
 * LOGIN_LIMIT_FREE failures in a row an attempt is let through only some time after the one before: a second, then
 * twice as long each time, at most LOGIN_LIMIT_WAIT_US. One address may also fail for many users only at a certain
 * rate, which does not concern users who have logged in from there within a day. All is forgotten when a process ends;
 * each replica counts for itself. Any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define LOGIN_LIMIT_FREE      5
#define LOGIN_LIMIT_WAIT_US   ((int64_t)30000000)
#define LOGIN_LIMIT_FORGET_US ((int64_t)900000000)   /* without an attempt */
#define LOGIN_LIMIT_KNOWN_US  ((int64_t)86400000000) /* a login counts so long */
#define LOGIN_LIMIT_BURST     100                    /* failures of an address at once */
#define LOGIN_LIMIT_PAUSE_US  ((int64_t)1000000)     /* and then one in so long */

struct login_limit;
struct login_limit *login_limit_new(void);
void login_limit_free(struct login_limit **l); /* NULL is fine */

/* What an attempt is counted by. */
struct login_attempt {
    uint64_t pair, address;
};
/* 0, or after how many microseconds the client may try. `address` is text; of an IPv6 address the network (64 bits)
 * counts. `l` NULL limits nothing, here and below. Ask where few run at a time (on a hashing thread): attempts under
 * way are not counted yet. */
int64_t login_limit_wait(struct login_limit *l, const char *address, const char *user, int64_t now_us,
                         struct login_attempt *ret);
/* How the attempt went. */
void login_limit_note(struct login_limit *l, const struct login_attempt *attempt, bool good, int64_t now_us);
