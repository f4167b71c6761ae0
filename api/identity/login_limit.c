/* See login_limit.h. Two tables of fixed size whose places are found by a keyed hash, so that nobody can aim at the
 * place of somebody else; where all places of a hash are taken, the one that was idle longest goes. */
#include "api/identity/login_limit.h"
#include "common/memory.h"
#include "common/model/ip.h"
#include "common/strbuf.h"
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS          4
#define PAIR_SETS     8192
#define ADDRESS_SETS  1024
#define DOUBLINGS_MAX 5

struct pair {
    uint64_t key;
    int64_t last_us, good_us; /* when it was tried and when it succeeded last */
    int64_t failures;         /* in a row */
};
struct address {
    uint64_t key;
    int64_t full_us; /* when it may fail LOGIN_LIMIT_BURST times at once again */
};
struct login_limit {
    pthread_mutex_t lock;
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct pair pairs[PAIR_SETS][WAYS];
    struct address addresses[ADDRESS_SETS][WAYS];
};

struct login_limit *login_limit_new(void)
{
    struct login_limit *l = memory_new(sizeof(*l));
    pthread_mutex_init(&l->lock, NULL);
    crypto_shorthash_keygen(l->key);
    return l;
}

void login_limit_free(struct login_limit **l)
{
    if (!*l)
        return;
    pthread_mutex_destroy(&(*l)->lock);
    free(*l);
    *l = NULL;
}

/* Never 0, which is an empty place. */
static uint64_t key_of(const struct login_limit *l, const char *address, const char *user)
{
    unsigned char digest[crypto_shorthash_BYTES];
    struct strbuf text;
    uint64_t key;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, "%s\n%s", address, user);
    crypto_shorthash(digest, (const unsigned char *)text.data, strlen(text.data), l->key);
    strbuf_done(&text);
    memcpy(&key, digest, sizeof(key));
    return key | 1;
}

static struct pair *find_pair(struct login_limit *l, uint64_t key)
{
    struct pair *set = l->pairs[(key >> 1) % PAIR_SETS], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].last_us < oldest->last_us)
            oldest = &set[i];
    }
    *oldest = (struct pair){.key = key};
    return oldest;
}

static struct address *find_address(struct login_limit *l, uint64_t key)
{
    struct address *set = l->addresses[(key >> 1) % ADDRESS_SETS], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_us < oldest->full_us)
            oldest = &set[i];
    }
    *oldest = (struct address){.key = key};
    return oldest;
}

static int64_t pair_wait(const struct pair *p, int64_t now_us)
{
    int64_t over = p->failures - LOGIN_LIMIT_FREE, pause = LOGIN_LIMIT_WAIT_US;
    if (over < 0)
        return 0;
    if (over < DOUBLINGS_MAX)
        pause = (int64_t)1000000 << over;
    return p->last_us + pause > now_us ? p->last_us + pause - now_us : 0;
}

static int64_t address_wait(const struct address *a, int64_t now_us)
{
    int64_t wait = a->full_us - now_us - (LOGIN_LIMIT_BURST - 1) * LOGIN_LIMIT_PAUSE_US;
    return wait > 0 ? wait : 0;
}

/* The text of an IPv6 address' network; others stay as they are. */
static const char *network(const char *address, char ret[IP_NET_TEXT_SIZE])
{
    struct ip ip;
    struct ip_net net;
    if (!ip_parse(address, &ip) || ip.version != 6)
        return address;
    net = ip_net_of(&ip, 64);
    return ip_net_text(&net, ret);
}

int64_t login_limit_wait(struct login_limit *l, const char *address, const char *user, int64_t now_us,
                         struct login_attempt *ret)
{
    char text[IP_NET_TEXT_SIZE];
    const char *from = network(address, text);
    *ret = (struct login_attempt){0};
    if (!l)
        return 0;
    *ret = (struct login_attempt){.pair = key_of(l, from, user), .address = key_of(l, from, "")};
    pthread_mutex_lock(&l->lock);
    struct pair *p = find_pair(l, ret->pair);
    bool known = p->good_us && now_us - p->good_us < LOGIN_LIMIT_KNOWN_US;
    if (now_us - p->last_us > LOGIN_LIMIT_FORGET_US)
        p->failures = 0;
    int64_t wait = pair_wait(p, now_us);
    if (!wait && !known)
        wait = address_wait(find_address(l, ret->address), now_us);
    pthread_mutex_unlock(&l->lock);
    return wait;
}

void login_limit_note(struct login_limit *l, const struct login_attempt *attempt, bool good, int64_t now_us)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    struct pair *p = find_pair(l, attempt->pair);
    struct address *a = find_address(l, attempt->address);
    p->last_us = now_us;
    p->failures = good ? 0 : p->failures + 1;
    if (good)
        p->good_us = now_us;
    else
        a->full_us = (a->full_us > now_us ? a->full_us : now_us) + LOGIN_LIMIT_PAUSE_US;
    pthread_mutex_unlock(&l->lock);
}
