/* Identifiers. Version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 12 bits of the fraction of the millisecond
 * (method 3 of section 6.2), 62 random bits. Within a thread each is greater than the one before, even when the clock
 * stands still or steps back. Randomness comes from the kernel in batches per thread; a forked child throws its copy
 * away. */
#include "common/uuid.h"
#include "common/clock.h"
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static _Thread_local struct {
    unsigned char bytes[512];
    size_t left;
    uint64_t last; /* milliseconds << 12 | fraction of the newest ordered id */
} uuid_pool;

static pthread_once_t uuid_once = PTHREAD_ONCE_INIT;

static void uuid_forked(void)
{
    uuid_pool.left = 0;
}

static void uuid_start(void)
{
    pthread_atfork(NULL, NULL, uuid_forked);
}

static void uuid_fill(unsigned char *to, size_t size)
{
    if (uuid_pool.left < size) {
        pthread_once(&uuid_once, uuid_start);
        for (size_t at = 0; at < sizeof(uuid_pool.bytes);) {
            ssize_t got = getrandom(uuid_pool.bytes + at, sizeof(uuid_pool.bytes) - at, 0);
            if (got < 0 && errno != EINTR)
                abort(); /* no identifier is better than one that repeats */
            at += got > 0 ? (size_t)got : 0;
        }
        uuid_pool.left = sizeof(uuid_pool.bytes);
    }
    uuid_pool.left -= size;
    memcpy(to, uuid_pool.bytes + uuid_pool.left, size);
    memset(uuid_pool.bytes + uuid_pool.left, 0, size);
}

static char *uuid_write(const unsigned char bytes[16], char *ret, bool dashes)
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret;
    for (int i = 0; i < 16; i++) {
        if (dashes && (i == 4 || i == 6 || i == 8 || i == 10))
            *at++ = '-';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = 0;
    return ret;
}

char *uuid_ordered(char ret[UUID_SIZE])
{
    int64_t now = clock_now_us();
    uint64_t us = now > 0 ? (uint64_t)now : 0;
    uint64_t stamp = us / 1000 << 12 | us % 1000 * 4096 / 1000;
    if (stamp <= uuid_pool.last)
        stamp = uuid_pool.last + 1;
    uuid_pool.last = stamp;

    unsigned char bytes[16];
    uuid_fill(bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(stamp >> (52 - 8 * i));
    bytes[6] = (unsigned char)(0x70 | ((stamp >> 8) & 0x0f));
    bytes[7] = (unsigned char)stamp;
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
    return uuid_write(bytes, ret, true);
}

static void uuid_make_random(unsigned char bytes[16])
{
    uuid_fill(bytes, 16);
    bytes[6] = (unsigned char)(0x40 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
}

char *uuid_random(char ret[UUID_SIZE])
{
    unsigned char bytes[16];
    uuid_make_random(bytes);
    return uuid_write(bytes, ret, true);
}

char *uuid_hex(char ret[UUID_HEX_SIZE])
{
    unsigned char bytes[16];
    uuid_make_random(bytes);
    return uuid_write(bytes, ret, false);
}

static bool uuid_is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool uuid_valid(const char *text)
{
    if (!text)
        return false;
    size_t size = strnlen(text, UUID_SIZE);
    if (size != UUID_SIZE - 1 && size != UUID_HEX_SIZE - 1)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool dash = size == UUID_SIZE - 1 && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash ? text[i] != '-' : !uuid_is_hex(text[i]))
            return false;
    }
    return true;
}
