/* Steps of shelving follow from what is: each is taken once, in the transaction that made it due (a host's report, the
 * image's last byte, a passed time), so nothing has to remember where it was. */
#include "api/compute/server_shelf.h"
#include "api/compute/server_image.h"
#include "common/json_out.h"
#include "common/uuid.h"
#include "db/store_event.h"
#include "db/store_host.h"
#include "db/store_host_task.h"
#include "db/store_host_work.h"
#include "db/store_operation.h"
#include <string.h>

#define SECOND_US ((int64_t)1000000)

static int check(const struct server_row *row, enum server_action action, struct error *e)
{
    struct server_situation s = store_server_situation(row);
    const char *value = "", *what = server_refusal(&s, action, &value);
    return what == NULL ? 0
                        : error_set(e, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s",
                                    server_action_name(action), row->id, what, value);
}

static int insert_operation(struct db_conn *c, struct server_row *row, enum operation_kind kind,
                            const struct server_life_actor *actor, int64_t now_us, struct arena *a, struct error *e)
{
    struct operation_row operation = {
        .id = uuid_ordered(arena_alloc(a, UUID_SIZE)),
        .server_id = row->id,
        .project_id = actor->project_id,
        .user_id = actor->user_id,
        .request_id = actor->request_id,
        .action = operation_name(kind),
        .started_us = now_us,
    };
    row->operation_id = operation.id;
    return store_operation_insert(c, &operation, false, e);
}

/* ---- to the shelf ---- */

int server_shelf_begin(struct db_conn *c, struct server_row *row, const struct image_row *image,
                       int64_t offload_after_s, const struct server_life_actor *actor, int64_t now_us, struct arena *a,
                       struct error *e)
{
    struct server_shelf_row shelf = {.server_id = row->id, .image_id = image->id, .offload_after_s = offload_after_s};
    struct server_row begun;
    int rc = check(row, SERVER_ACTION_SHELVE, e);
    rc = rc ? rc : server_life_act(c, row, SERVER_ACTION_SHELVE, actor, now_us, e);
    rc = rc ? rc : store_server_get(c, row->id, a, &begun, e);
    rc = rc ? rc : store_image_insert(c, image, e);
    rc = rc ? rc : store_server_shelf_insert(c, &shelf, e);
    if (rc)
        return rc;
    struct server_image_row making = {.image_id = image->id,
                                      .server_id = begun.id,
                                      .operation_id = begun.operation_id,
                                      .host_id = begun.host_id,
                                      .rotation = -1,
                                      .deadline_us = begun.deadline_us};
    return server_image_prepare(c, &making, e);
}

static bool is_off(const struct server_row *row)
{
    enum server_power rest;
    return row->observed_revision >= row->desired_revision && server_power_of(row->observed_state, &rest) &&
           rest == SERVER_POWER_STOPPED;
}

static int make_image(struct db_conn *c, struct server_row *row, const struct server_shelf_row *shelf, int64_t now_us,
                      struct error *e)
{
    int rc = server_image_start(c, shelf->image_id, row->host_id, row->id, now_us, e);
    if (rc)
        return rc;
    row->operation = SERVER_OPERATION_SHELVING_PENDING;
    row->deadline_us = 0;
    row->updated_us = now_us;
    return store_server_move(c, row, e);
}

/* Where the host shares its disks with others, they are this server's own. */
static const char *print_args(const struct server_row *row, struct arena *a)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "source", row->host_id);
    json_out_object_end(&out);
    const char *copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

/* Its host has nothing of it any more: it holds nothing there, and its time on the shelf is billed. */
static int leave_host(struct db_conn *c, struct server_row *row, int64_t now_us, struct error *e)
{
    int64_t id = 0;
    int rc = store_host_release(c, row->id, e);
    rc = rc ? rc : db_counter_next(c, "lifecycle_event", 1, &id, e);
    rc = rc ? rc : store_server_shelf_leave_host(c, row, e);
    rc = rc ? rc : store_event_insert(c, id, "", id, row, SERVER_STATE_SHELVED, now_us, now_us, e);
    rc = rc ? rc : store_operation_end(c, row->operation_id, OPERATION_FINISH, NULL, now_us, e);
    if (rc)
        return rc;
    row->observed_state = SERVER_STATE_SHELVED;
    row->observed_revision = row->desired_revision = 0; /* they were its host's */
    row->desired_power = SERVER_POWER_STOPPED;
    row->operation = SERVER_OPERATION_NONE;
    row->operation_id = NULL;
    row->updated_us = now_us;
    return store_server_move(c, row, e);
}

/* A host that is proved off is not waited for: what it has is removed when it is back. */
static int leave_dead_host(struct db_conn *c, struct server_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    bool off = false;
    int rc = store_host_work_is_off(c, row->host_id, now_us, &off, NULL, a, e);
    return rc || !off ? rc : leave_host(c, row, now_us, e);
}

static int discard(struct db_conn *c, struct server_row *row, struct server_shelf_row *shelf, int64_t now_us,
                   struct arena *a, struct error *e)
{
    if (shelf->task_id == NULL) {
        const char *args = print_args(row, a);
        shelf->task_id = uuid_ordered(arena_alloc(a, UUID_SIZE));
        int rc = store_host_task_insert_alone(c, shelf->task_id, row->host_id, row->id, "discard", args, e);
        if (rc)
            return rc;
    }
    shelf->offload_us = 0;
    int rc = store_server_shelf_update(c, shelf, e);
    return rc ? rc : leave_dead_host(c, row, now_us, a, e);
}

static int begin_offload(struct db_conn *c, struct server_row *row, struct server_shelf_row *shelf, int64_t now_us,
                         struct arena *a, struct error *e)
{
    row->operation = SERVER_OPERATION_OFFLOADING;
    row->deadline_us = 0;
    row->updated_us = now_us;
    int rc = store_server_move(c, row, e);
    return rc ? rc : discard(c, row, shelf, now_us, a, e);
}

/* Its time on the host begins, or is over. */
static int rest_on_host(struct db_conn *c, struct server_row *row, struct server_shelf_row *shelf, int64_t now_us,
                        struct arena *a, struct error *e)
{
    if (shelf->offload_after_s >= 0 && shelf->offload_us == 0)
        shelf->offload_us = now_us + shelf->offload_after_s * SECOND_US;
    if (shelf->offload_us != 0 && shelf->offload_us <= now_us)
        return begin_offload(c, row, shelf, now_us, a, e);
    return store_server_shelf_update(c, shelf, e);
}

int server_shelf_offload(struct db_conn *c, struct server_row *row, const struct server_life_actor *actor,
                         int64_t now_us, struct arena *a, struct error *e)
{
    struct server_shelf_row shelf;
    bool found = false;
    int rc = check(row, SERVER_ACTION_SHELVE_OFFLOAD, e);
    rc = rc ? rc : store_server_shelf_get(c, row->id, a, &shelf, &found, e);
    rc = rc ? rc : insert_operation(c, row, OPERATION_SHELVE_OFFLOAD, actor, now_us, a, e);
    return rc || !found ? rc : begin_offload(c, row, &shelf, now_us, a, e);
}

/* ---- on the shelf ---- */

/* It was deleted meanwhile, and its host may have forgotten that with it. */
static int tell_again(struct db_conn *c, struct server_row *row, struct error *e)
{
    int rc = store_host_bump(c, row->host_id, &row->desired_revision, e);
    return rc ? rc : store_server_move(c, row, e);
}

int server_shelf_task_ended(struct db_conn *c, const char *task_id, const char *host_id, bool done, int64_t now_us,
                            struct arena *a, struct error *e)
{
    struct server_shelf_row shelf;
    struct server_row row;
    bool found = false;
    int rc = store_server_shelf_of_task(c, task_id, a, &shelf, &found, e);
    if (rc || !found)
        return rc;
    shelf.task_id = NULL;
    rc = store_server_get(c, shelf.server_id, a, &row, e);
    rc = rc ? rc : store_server_shelf_update(c, &shelf, e);
    if (rc || row.host_id == NULL || strcmp(row.host_id, host_id) != 0)
        return rc;
    if (!row.desired_exists)
        return tell_again(c, &row, e);
    if (row.operation != SERVER_OPERATION_OFFLOADING)
        return 0;
    return done ? leave_host(c, &row, now_us, e) : discard(c, &row, &shelf, now_us, a, e);
}

/* ---- back ---- */

static int check_image(struct db_conn *c, const struct server_row *row, const struct server_shelf_row *shelf,
                       struct arena *a, struct error *e)
{
    struct image_row image;
    struct error none = {0};
    int rc = store_image_get(c, shelf->image_id, NULL, true, a, &image, &none);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&none));
    if (rc || strcmp(image.status, "active") != 0)
        return error_set(e, ERR_CONFLICT, "Image %s, the disk of the shelved instance %s, is gone or not active",
                         shelf->image_id, row->id);
    return 0;
}

static int place_anew(struct db_conn *c, struct server_row *row, const struct server_shelf_place *place,
                      const struct server_life_actor *actor, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_waiting waiting = {.now_us = now_us, .host_id = place->host_id};
    int rc = store_server_shelf_set_zone(c, row, place->zone, e);
    rc = rc ? rc : insert_operation(c, row, OPERATION_UNSHELVE, actor, now_us, a, e);
    if (rc)
        return rc;
    row->desired_power = SERVER_POWER_RUNNING;
    row->placement = SERVER_PLACEMENT_WAITING;
    row->operation = SERVER_OPERATION_UNSHELVING;
    row->deadline_us = now_us + operation_deadline_us(OPERATION_UNSHELVE);
    row->updated_us = now_us;
    rc = store_server_move(c, row, e);
    rc = rc ? rc : store_server_enqueue_as(c, row->id, &waiting, e);
    db_wake(c, "placement");
    return rc;
}

int server_shelf_unshelve(struct db_conn *c, struct server_row *row, const struct server_shelf_place *place,
                          const struct server_life_actor *actor, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_shelf_row shelf;
    bool found = false;
    int rc = check(row, SERVER_ACTION_UNSHELVE, e);
    if (!rc && row->host_id != NULL)
        return server_life_act(c, row, SERVER_ACTION_UNSHELVE, actor, now_us, e);
    rc = rc ? rc : store_server_shelf_get(c, row->id, a, &shelf, &found, e);
    if (!rc && !found)
        rc = error_set(e, ERR_CONFLICT, "Instance %s has no image of its disk", row->id);
    rc = rc ? rc : check_image(c, row, &shelf, a, e);
    return rc ? rc : place_anew(c, row, place, actor, now_us, a, e);
}

/* ---- what follows ---- */

int server_shelf_drop(struct db_conn *c, const char *server_id, struct arena *a, struct error *e)
{
    struct server_shelf_row shelf;
    bool found = false;
    int rc = store_server_shelf_get(c, server_id, a, &shelf, &found, e);
    if (rc || !found)
        return rc;
    rc = store_server_shelf_delete(c, server_id, e);
    rc = !rc && shelf.task_id != NULL ? store_host_task_delete_alone(c, shelf.task_id, e) : rc;
    return rc ? rc : store_image_delete(c, shelf.image_id, e);
}

int server_shelf_follow(struct db_conn *c, struct server_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_shelf_row shelf;
    bool found = false;
    int rc = store_server_shelf_get(c, row->id, a, &shelf, &found, e);
    if (rc || !found || !row->desired_exists)
        return rc;
    switch (row->operation) {
    case SERVER_OPERATION_SHELVING:
        return is_off(row) ? make_image(c, row, &shelf, now_us, e) : 0;
    case SERVER_OPERATION_SHELVED:
        return rest_on_host(c, row, &shelf, now_us, a, e);
    case SERVER_OPERATION_OFFLOADING:
        return shelf.task_id == NULL || shelf.offload_us != 0 ? discard(c, row, &shelf, now_us, a, e) : 0;
    case SERVER_OPERATION_SHELVING_PENDING:
    case SERVER_OPERATION_SHELVING_UPLOADING:
    case SERVER_OPERATION_UNSHELVING:
        return 0;
    default:
        return row->observed_state == SERVER_STATE_SHELVED ? 0 : server_shelf_drop(c, row->id, a, e);
    }
}
