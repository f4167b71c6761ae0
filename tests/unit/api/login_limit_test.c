/* Slowing down who guesses: by the clock that is given. */
#include "api/identity/login_limit.h"
#include "tests/unit/check.h"

#define S        ((int64_t)1000000)
#define NOW      ((int64_t)1700000000 * S)
#define ATTACKER "192.0.2.1"
#define HOME     "198.51.100.7"

static struct login_limit *limit;

/* How long it would have to wait; an attempt that may be made is made. */
static int64_t try_login(const char *address, const char *user, bool good, int64_t now_us)
{
    struct login_attempt attempt;
    int64_t wait_us = login_limit_wait(limit, address, user, now_us, &attempt);
    if (!wait_us)
        login_limit_note(limit, &attempt, good, now_us);
    return wait_us;
}

TEST("after some failures each attempt waits twice as long as the one before, up to half a minute")
{
    static const int64_t pauses[] = {1, 2, 4, 8, 16, 30, 30};
    int64_t now = NOW;
    limit = login_limit_new();
    for (int i = 0; i < LOGIN_LIMIT_FREE; i++)
        CHECK_INT(try_login(ATTACKER, "user", false, now), 0);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        CHECK_INT(try_login(ATTACKER, "user", false, now), pauses[i] * S);
        CHECK_INT(try_login(ATTACKER, "user", false, now + pauses[i] * S - 1), 1);
        now += pauses[i] * S;
        CHECK_INT(try_login(ATTACKER, "user", false, now), 0);
    }
    CHECK_INT(try_login(ATTACKER, "user", false, now + LOGIN_LIMIT_FORGET_US + 1), 0);
    CHECK_INT(try_login(ATTACKER, "user", false, now + LOGIN_LIMIT_FORGET_US + 1), 0);
    login_limit_free(&limit);
}

TEST("nobody slows down the user at another address, nor another user at the same one")
{
    limit = login_limit_new();
    for (int i = 0; i < LOGIN_LIMIT_FREE; i++)
        CHECK_INT(try_login(ATTACKER, "user", false, NOW), 0);
    CHECK(try_login(ATTACKER, "user", true, NOW) > 0);
    for (int i = 0; i < 50; i++) {
        CHECK_INT(try_login(HOME, "user", true, NOW), 0);
        CHECK_INT(try_login(ATTACKER, "other", true, NOW), 0);
    }
    login_limit_free(&limit);
}

TEST("a success forgets the failures before it")
{
    limit = login_limit_new();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LOGIN_LIMIT_FREE - 1; i++)
            CHECK_INT(try_login(HOME, "user", false, NOW), 0);
        CHECK_INT(try_login(HOME, "user", true, NOW), 0);
    }
    login_limit_free(&limit);
}

TEST("an address that fails for many users is slowed, but not for those whom it is known for")
{
    char name[32];
    limit = login_limit_new();
    CHECK_INT(try_login(ATTACKER, "neighbour", true, NOW), 0);
    for (int i = 0; i < LOGIN_LIMIT_BURST; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        CHECK_INT(try_login(ATTACKER, name, false, NOW), 0);
    }
    CHECK_INT(try_login(ATTACKER, "one more", false, NOW), LOGIN_LIMIT_PAUSE_US);
    CHECK_INT(try_login(ATTACKER, "neighbour", true, NOW), 0);
    CHECK_INT(try_login(HOME, "one more", false, NOW), 0);
    CHECK_INT(try_login(ATTACKER, "one more", false, NOW + LOGIN_LIMIT_PAUSE_US), 0);
    CHECK(try_login(ATTACKER, "yet another", false, NOW + LOGIN_LIMIT_PAUSE_US) > 0);
    login_limit_free(&limit);
}

TEST("an IPv6 client counts by its network")
{
    char address[64];
    limit = login_limit_new();
    for (int i = 0; i < LOGIN_LIMIT_FREE; i++) {
        snprintf(address, sizeof(address), "2001:db8:1:2::%d", i);
        CHECK_INT(try_login(address, "user", false, NOW), 0);
    }
    CHECK(try_login("2001:db8:1:2:ffff::1", "user", false, NOW) > 0);
    CHECK_INT(try_login("2001:db8:1:3::1", "user", false, NOW), 0);
    login_limit_free(&limit);
}

TEST("more names than there is room for cost no memory and slow down nobody else")
{
    char name[32];
    int64_t now = NOW;
    limit = login_limit_new();
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        CHECK_INT(try_login(ATTACKER, name, false, now += LOGIN_LIMIT_PAUSE_US), 0);
    }
    CHECK_INT(try_login(HOME, "user", false, now), 0);
    login_limit_free(&limit);
}

TEST("without a limit nothing waits")
{
    for (int i = 0; i < 3 * LOGIN_LIMIT_FREE; i++)
        CHECK_INT(try_login(ATTACKER, "user", false, NOW), 0);
}
