/* GET /preemptions, and the end of spot servers. Happy path: the scheduler wrote a notice; the server's metadata gets
 * `preempt_at`, which its tenant and its guest see, and at that time it is deleted as its tenant would have done it.
 * When the server that needed the room waits no more the notice is void and the metadata goes.
 *
 * Failure modes: each row is a job of its own on the writer, and is found again until it is done. Several replicas may
 * do it at once: the second finds it done. */
#include "api/elastic/preemptions.h"
#include "api/compute/server_life.h"
#include "api/elastic/elastic.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/store_preemption.h"
#include <stdio.h>
#include <string.h>

#define EVERY_MS 500
#define AT_ONCE  64
#define KEY      "preempt_at"

/* ---- what is to be done ---- */

struct job {
    char server_id[40];
    int64_t due_us, now_us;
    bool told, needed, gone; /* gone: the notice is void, or the server is being deleted */
};
struct jobs {
    struct job list[AT_ONCE];
    size_t count;
    int64_t now_us;
};

static int collect(void *arg, const struct preemption_row *row, struct error *e)
{
    struct jobs *jobs = arg;
    struct job *j = &jobs->list[jobs->count++];
    (void)e;
    *j = (struct job){.due_us = row->due_us, .now_us = jobs->now_us, .told = row->told, .needed = row->needed};
    snprintf(j->server_id, sizeof(j->server_id), "%s", row->server_id);
    return 0;
}

static int look_again(void *arg, const struct preemption_row *row, struct error *e)
{
    struct job *j = arg;
    (void)e;
    j->due_us = row->due_us;
    j->told = row->told;
    j->needed = row->needed;
    j->gone = false;
    return 0;
}

struct copying {
    struct json_out *out;
};

static int copy_member(void *arg, const char *name, json_value *value)
{
    struct copying *c = arg;
    if (strcmp(name, KEY) != 0)
        json_out_text(c->out, name, json_in_text(value));
    return 0;
}

/* The metadata with the key, or (NULL) without it. */
static int write_metadata(struct db_conn *c, struct server_row *row, const char *value, int64_t now_us, struct arena *a,
                          struct error *e)
{
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    struct copying copying = {&out};
    int rc = json_in_parse(row->metadata, strlen(row->metadata), &doc, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_in_each(doc.root, copy_member, &copying);
    if (value != NULL)
        json_out_text(&out, KEY, value);
    json_out_object_end(&out);
    row->metadata = arena_strdup(a, text.data);
    row->updated_us = now_us;
    strbuf_done(&text);
    json_in_done(&doc);
    return store_server_edit(c, row, e);
}

static int work_on(struct db_conn *c, const struct job *j, struct arena *a, struct error *e)
{
    char text[CLOCK_TEXT_SIZE];
    struct server_row row;
    struct error none = {0};
    int rc = store_server_get(c, j->server_id, a, &row, &none);
    if (rc == ERR_NOT_FOUND)
        return store_preemption_drop(c, j->server_id, e);
    if (rc)
        return error_set(e, rc, "%s", error_text(&none));
    if (!row.desired_exists)
        return 0;
    if (!j->needed) {
        rc = store_preemption_drop(c, j->server_id, e);
        return rc || !j->told ? rc : write_metadata(c, &row, NULL, j->now_us, a, e);
    }
    if (!j->told) {
        rc = write_metadata(c, &row, clock_text(j->due_us, CLOCK_ISO_Z, text), j->now_us, a, e);
        rc = rc ? rc : store_preemption_told(c, j->server_id, e);
    }
    if (rc || j->due_us > j->now_us)
        return rc;
    struct server_life_actor actor = {.request_id = arena_printf(a, "req-%s", uuid_random(arena_alloc(a, UUID_SIZE))),
                                      .user_id = row.user_id,
                                      .project_id = row.project_id};
    log_info("spot server preempted", "server=%s", row.id);
    return server_life_delete(c, &row, &actor, j->now_us, e);
}

/* Whom it goes for may have been placed or deleted since the jobs were read, or another replica was faster. */
static int run_one(struct db_conn *c, void *arg, struct error *e)
{
    struct job now = *(const struct job *)arg;
    struct arena a;
    now.gone = true;
    arena_init(&a);
    int rc = store_preemption_of(c, now.server_id, look_again, &now, e);
    rc = rc || now.gone ? rc : work_on(c, &now, &a, e);
    arena_done(&a);
    return rc;
}

int preemptions_run(struct api *api, int64_t now_us, int64_t *ret_count, struct error *e)
{
    struct jobs jobs = {.now_us = now_us};
    int rc = store_preemption_due(db_reader(api->db), now_us, AT_ONCE, collect, &jobs, e);
    for (size_t i = 0; !rc && i < jobs.count; i++) {
        struct error failed = {0};
        if (writer_run(api->writer, run_one, &jobs.list[i], &failed) != 0)
            log_error("spot server not preempted", "server=%s error=\"%s\"", jobs.list[i].server_id,
                      error_text(&failed));
    }
    if (!rc)
        *ret_count = (int64_t)jobs.count;
    return rc;
}

static void tick(struct api *api, void *arg)
{
    struct error e = {0};
    int64_t count;
    (void)arg;
    if (preemptions_run(api, clock_now_us(), &count, &e) != 0)
        log_error("preemptions cannot be read", "error=\"%s\"", error_text(&e));
}

int preemptions_start(struct api *api, struct error *e)
{
    (void)e;
    api_timer(api, EVERY_MS, tick, NULL);
    return 0;
}

/* ---- what is known ---- */

struct listing {
    struct json_out *out;
    bool all;
};

static int write_row(void *arg, const struct preemption_row *row, struct error *e)
{
    struct listing *l = arg;
    char text[CLOCK_TEXT_SIZE];
    (void)e;
    json_out_object(l->out, NULL);
    json_out_text(l->out, "server_id", row->server_id);
    json_out_text(l->out, "name", row->name);
    json_out_text(l->out, "project_id", row->project_id);
    json_out_text(l->out, "noticed_at", clock_text(row->noticed_us, CLOCK_ISO_MICRO_Z, text));
    json_out_text(l->out, "preempt_at", clock_text(row->due_us, CLOCK_ISO_MICRO_Z, text));
    if (l->all) {
        json_out_text(l->out, "host_id", row->host_id);
        json_out_text(l->out, "for_server_id", row->for_server_id);
    }
    json_out_object_end(l->out);
    return 0;
}

static int read_list(struct request *request, const char *project, const struct page *page, struct json_out *out)
{
    struct listing l = {out, project == NULL};
    return store_preemption_list(request->conn, project, page->after, page->limit, write_row, &l, &request->error);
}

static int preemptions_list(struct request *request, struct reply *reply)
{
    return elastic_list(request, reply, "preemptions", read_list);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/preemptions", .permission = PERMISSION_READER, .handler = preemptions_list},
};
const struct route_table elastic_preemptions_routes = ROUTE_TABLE(rows);
