/* Connections of drivers whose connections carry one call at a time (profile.h: solo). A call is lent one for as long
 * as it runs: the one that has been idle longest, so that no session grows old, or a new one. As many are idle as calls
 * ran at once.
 *
 * Failure modes: one on which anything has failed is closed, for libvirt's esx driver then may leave a filter behind,
 * through which the next call would take another task's end for its own. When the hypervisor is away its connections
 * are closed by whoever has them, and those that are idle with the agent's own (libvirt_connect_drop). A call that does
 * not return keeps its connection until it does. */
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include <pthread.h>
#include <stdlib.h>

struct libvirt_idle {
    struct libvirt_idle *next;
    virConnectPtr conn;
    unsigned generation;
};

/* Not the hypervisor's own, which calls may outlive: there is one in a process. */
static pthread_mutex_t libvirt_lend_lock = PTHREAD_MUTEX_INITIALIZER; /* of these: */
static unsigned libvirt_lend_generation;                              /* 0: away */
static struct libvirt_idle *libvirt_lend_idle;                        /* the longest idle first */

static void libvirt_lend_add(virConnectPtr conn, unsigned generation)
{
    struct libvirt_idle *idle = memory_new(sizeof(*idle)), **end = &libvirt_lend_idle;
    *idle = (struct libvirt_idle){.conn = conn, .generation = generation};
    while (*end)
        end = &(*end)->next;
    *end = idle;
}

/* The first of that generation, or, `old`, of another one than that; NULL: there is none. */
static virConnectPtr libvirt_lend_pop(unsigned generation, bool old)
{
    struct libvirt_idle **at = &libvirt_lend_idle;
    while (*at && ((*at)->generation == generation) == old)
        at = &(*at)->next;
    struct libvirt_idle *found = *at;
    if (!found)
        return NULL;
    virConnectPtr conn = found->conn;
    *at = found->next;
    free(found);
    return conn;
}

void libvirt_lend_begin(virConnectPtr conn, unsigned generation)
{
    pthread_mutex_lock(&libvirt_lend_lock);
    libvirt_lend_generation = generation;
    libvirt_lend_add(conn, generation);
    pthread_mutex_unlock(&libvirt_lend_lock);
}

void libvirt_lend_end(void)
{
    pthread_mutex_lock(&libvirt_lend_lock);
    libvirt_lend_generation = 0;
    pthread_mutex_unlock(&libvirt_lend_lock);
}

int libvirt_lend_take(struct libvirt_call *c)
{
    pthread_mutex_lock(&libvirt_lend_lock);
    bool there = libvirt_lend_generation == c->generation;
    c->conn = there ? libvirt_lend_pop(c->generation, false) : NULL;
    pthread_mutex_unlock(&libvirt_lend_lock);
    if (c->conn)
        return 0;
    if (there)
        return libvirt_call_open(c);
    c->transient = true;
    return c->code = error_set(&c->error, ERR_UNAVAILABLE, "The hypervisor's connection was lost");
}

void libvirt_lend_give_back(struct libvirt_call *c)
{
    pthread_mutex_lock(&libvirt_lend_lock);
    bool stays = c->conn && !c->number && libvirt_lend_generation == c->generation;
    if (stays)
        libvirt_lend_add(c->conn, c->generation);
    pthread_mutex_unlock(&libvirt_lend_lock);
    if (c->conn && !stays)
        virConnectClose(c->conn);
    c->conn = NULL;
}

void libvirt_lend_close(void)
{
    virConnectPtr conn;
    do {
        pthread_mutex_lock(&libvirt_lend_lock);
        conn = libvirt_lend_pop(libvirt_lend_generation, true);
        pthread_mutex_unlock(&libvirt_lend_lock);
        if (conn)
            virConnectClose(conn);
    } while (conn);
}
