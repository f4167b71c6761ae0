/* Wake-ups, the part that does not depend on what carries them: the topics of a transaction without repeats, packed
 * into messages; the listener's thread. Everything here is a hint: nothing fails, a lost message costs the delay of a
 * slow poll. */
#include "db/wake.h"
#include "common/memory.h"
#include "db/engine.h"
#include "db/wake_internal.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct wake_sender {
    const struct wake_transport *transport;
    pthread_mutex_t lock;  /* guards the next two */
    struct strbuf waiting; /* topics that nobody sends yet, each ended by a NUL */
    bool sending;          /* a thread is at it, and takes what waits before it leaves; what follows is its own */
    struct strbuf taken, message; /* the topics it took; the message it packs */
    const char **topics;
    size_t capacity;
    void *sender;
};

struct wake {
    const struct wake_transport *transport;
    void *listener;
    wake_fn fn;
    void *arg;
    pthread_t thread;
    int stop_fd;
};

struct wake_sender *wake_sender_new(struct db *db)
{
    struct wake_sender *s = memory_new(sizeof *s);
    s->transport = db->engine->wake;
    s->sender = s->transport->sender_new(db);
    pthread_mutex_init(&s->lock, NULL);
    strbuf_init(&s->waiting, 0);
    strbuf_init(&s->taken, 0);
    strbuf_init(&s->message, WAKE_MESSAGE_MAX);
    return s;
}

void wake_sender_free(struct wake_sender *s)
{
    s->transport->sender_free(s->sender);
    pthread_mutex_destroy(&s->lock);
    strbuf_done(&s->waiting);
    strbuf_done(&s->taken);
    strbuf_done(&s->message);
    free(s->topics);
    free(s);
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, with repeats. Returns how many. */
static size_t topics_list(struct wake_sender *s, const struct strbuf *topics)
{
    size_t count = 0;
    for (const char *t = topics->data; t < topics->data + topics->size; t += strlen(t) + 1) {
        if (count == s->capacity) {
            s->capacity = s->capacity ? s->capacity * 2 : 64;
            s->topics = memory_resize(s->topics, s->capacity * sizeof *s->topics);
        }
        s->topics[count++] = t;
    }
    if (count > 1)
        qsort(s->topics, count, sizeof *s->topics, compare_topics);
    return count;
}

static void message_flush(struct wake_sender *s)
{
    if (s->message.size)
        s->transport->send(s->sender, s->message.data, s->message.size);
    strbuf_reset(&s->message);
}

static void message_add(struct wake_sender *s, const char *topic)
{
    size_t size = strlen(topic) + 1;
    if (s->message.size + size > WAKE_MESSAGE_MAX)
        message_flush(s);
    strbuf_append(&s->message, topic, size - 1);
    strbuf_append_char(&s->message, '\n');
}

static void send_taken(struct wake_sender *s)
{
    size_t count = topics_list(s, &s->taken);
    for (size_t i = 0; i < count; i++)
        if (!i || strcmp(s->topics[i], s->topics[i - 1]) != 0)
            message_add(s, s->topics[i]);
    message_flush(s);
    strbuf_reset(&s->taken);
}

void wake_sender_send(struct wake_sender *s, const struct strbuf *topics)
{
    pthread_mutex_lock(&s->lock);
    strbuf_append(&s->waiting, topics->data, topics->size);
    while (!s->sending && s->waiting.size) {
        struct strbuf empty = s->taken;
        s->taken = s->waiting;
        s->waiting = empty;
        s->sending = true;
        pthread_mutex_unlock(&s->lock);
        send_taken(s);
        pthread_mutex_lock(&s->lock);
        s->sending = false;
    }
    pthread_mutex_unlock(&s->lock);
}

void wake_publish(struct db *db, const char *topic)
{
    struct strbuf one;
    strbuf_init(&one, 0);
    strbuf_append(&one, topic, strlen(topic) + 1);
    wake_sender_send(db->wake, &one);
    strbuf_done(&one);
}

void wake_deliver(struct wake *w, char *message, size_t size)
{
    char *end = message + size;
    for (char *newline; message < end && (newline = memchr(message, '\n', (size_t)(end - message)));
         message = newline + 1) {
        *newline = 0;
        w->fn(w->arg, message);
    }
}

static void *wake_thread(void *arg)
{
    struct wake *w = arg;
    w->transport->run(w->listener, w->stop_fd, w);
    return NULL;
}

int wake_listen(struct db *db, wake_fn fn, void *arg, struct wake **ret, struct error *e)
{
    struct wake *w = memory_new(sizeof *w);
    w->transport = db->engine->wake;
    w->fn = fn;
    w->arg = arg;
    w->stop_fd = eventfd(0, EFD_CLOEXEC);
    int rc = w->stop_fd == -1 ? error_set(e, ERR_DATABASE, "cannot listen for wake-ups: %s", strerror(errno))
                              : w->transport->listen(db, &w->listener, e);
    if (!rc) {
        rc = pthread_create(&w->thread, NULL, wake_thread, w);
        assert(rc == 0);
        *ret = w;
        return 0;
    }
    if (w->stop_fd != -1)
        close(w->stop_fd);
    free(w);
    return rc;
}

void wake_close(struct wake **w)
{
    struct wake *closing = *w;
    if (!closing)
        return;
    *w = NULL;
    assert(!pthread_equal(pthread_self(), closing->thread));
    eventfd_write(closing->stop_fd, 1);
    pthread_join(closing->thread, NULL);
    closing->transport->unlisten(closing->listener);
    close(closing->stop_fd);
    free(closing);
}
