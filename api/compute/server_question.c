/* Questions to agents. The row carries the question to the agent's parked poll and the answer back, through whichever
 * replica takes it. */
#include "api/compute/server_question.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_agent_query.h"
#include "db/store_host.h"
#include <string.h>

#define WAIT_US ((int64_t)10 * 1000000)
#define KEEP_US ((int64_t)30 * 1000000)

int server_question_ask(struct request *request, const struct server_row *row, const char *kind, const char *args,
                        handler_fn answer)
{
    char *id = arena_alloc(&request->arena, UUID_SIZE);
    int rc;
    if (row->host_id == NULL || request->now_us - row->host_seen_us > STORE_HOST_ALIVE_US)
        return error_set(&request->error, ERR_CONFLICT, "Instance %s is not ready", row->id);
    rc = store_agent_query_insert(request->conn, uuid_ordered(id), row->host_id, row->id, kind, args, request->now_us,
                                  request->now_us + KEEP_US, &request->error);
    request->state = id;
    return rc ? rc : request_continue(request, answer);
}

int server_question_wait(struct request *request, struct json_doc *ret_doc, bool *ret_parked)
{
    const char *id = request->state, *text = NULL, *failure;
    int64_t left_us = request->arrived_us + WAIT_US - request->now_us;
    struct json_doc doc;
    int rc;
    request_watch(request, arena_printf(&request->arena, "query:%s", id));
    rc = store_agent_query_get(request->conn, id, &request->arena, &text, &request->error);
    *ret_parked = !rc && text == NULL && left_us > 0;
    if (*ret_parked)
        return request_park(request, clock_mono_us() + left_us);
    if (!rc && text == NULL)
        rc = error_set(&request->error, ERR_CONFLICT, "The host of the instance did not answer in time");
    if (!rc)
        rc = json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc)
        return rc;
    failure = json_in_text(json_in_member(doc.root, "error"));
    if (failure != NULL) {
        error_set(&request->error, ERR_CONFLICT, "The host of the instance cannot answer: %.300s", failure);
        json_in_done(&doc);
        return ERR_CONFLICT;
    }
    *ret_doc = doc;
    return 0;
}
