/* The host's row is read into a library of its own, and the request is asked there. */
#include "scheduler/reading/single_host.h"
#include "db/store_host.h"
#include "scheduler/reading/feed.h"
#include "scheduler/reading/requirements.h"
#include <string.h>

static int load(struct db_conn *c, const char *host_id, int64_t now_us, int64_t alive_limit_us, struct placement **ret,
                struct error *e)
{
    struct feed feed = {.placement = placement_new(NULL), .alive_limit_us = alive_limit_us};
    int rc = feed_read_host(&feed, c, host_id, now_us, e);
    if (!rc && placement_host_count(feed.placement) == 0) {
        rc = error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
    }
    if (rc) {
        placement_free(&feed.placement);
        return rc;
    }
    *ret = feed.placement;
    return 0;
}

/* What is held already is not asked for again. */
static void forget_room(struct placement_request *r)
{
    memset(&r->need, 0, sizeof(r->need));
    memset(&r->extra, 0, sizeof(r->extra));
}

int single_host_check(struct db_conn *c, const char *host_id, const struct placement_waiting_row *wish, int64_t now_us,
                      struct arena *a, const char **ret_refusal, struct error *e)
{
    struct placement *p;
    struct placement_request r;
    struct error reason = {0};
    int rc = load(c, host_id, now_us, STORE_HOST_ALIVE_US, &p, e);
    if (rc) {
        return rc;
    }
    rc = requirements_read(c, p, wish, a, &r, &reason);
    *ret_refusal = NULL;
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        *ret_refusal = arena_strdup(a, error_text(&reason));
        rc = 0;
    } else if (rc) {
        error_set(e, rc, "%s", error_text(&reason));
    } else {
        forget_room(&r);
        if (placement_choose(p, &r) == PLACEMENT_NO_SLOT) {
            struct placement_explanation x;
            char text[PLACEMENT_SENTENCE_SIZE];
            placement_explain(p, &r, &x);
            *ret_refusal = arena_strdup(a, placement_sentence(&x, text, sizeof(text)));
        }
    }
    placement_free(&p);
    return rc;
}

int single_host_reaches(struct db_conn *c, const char *host_id, const char *network, struct arena *a, bool *ret,
                        struct error *e)
{
    struct placement *p;
    struct placement_request r = {.project_id = ""};
    int rc = load(c, host_id, 0, 0, &p, e);
    if (rc) {
        return rc;
    }
    rc = requirements_of_networks(p, network, a, &r, e);
    if (!rc) {
        *ret = placement_keeps_reached(p, placement_slot(p, host_id), &r);
    }
    placement_free(&p);
    return rc;
}
