/* Wake-ups inside db/: what transactions publish when they commit, and what carries it. */
#pragma once
#include "common/strbuf.h"
#include "db/wake.h"

struct wake_sender;

/* One message: topics, each ended by a newline, at most this many bytes (PostgreSQL's limit is 8,000). */
#define WAKE_MESSAGE_MAX 7900

/* Carries messages to listeners in all processes. A sender is used by one thread at a time; a listener by its own
 * thread. */
struct wake_transport {
    void *(*sender_new)(struct db *db);
    void (*sender_free)(void *sender);
    void (*send)(void *sender, const char *message, size_t size); /* never blocks on a listener; may lose it */
    int (*listen)(struct db *db, void **ret_listener, struct error *e);
    /* Calls wake_deliver for what arrives until `stop_fd` is readable. */
    void (*run)(void *listener, int stop_fd, struct wake *w);
    void (*unlisten)(void *listener);
};
extern const struct wake_transport wake_transport_socket;

struct wake_sender *wake_sender_new(struct db *db);
void wake_sender_free(struct wake_sender *s);
/* `topics`: each ended by a NUL; repeated ones are sent once. Any thread. */
void wake_sender_send(struct wake_sender *s, const struct strbuf *topics);

/* For transports: hands each topic of a message to the listener's callback; cuts `message` up. */
void wake_deliver(struct wake *w, char *message, size_t size);
