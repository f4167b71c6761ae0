/* Questions that a tenant's request asks a host's agent and waits for, without a thread: console output, diagnostics.
 */
#pragma once
#include "api/compute/compute.h"

/* In a write handler: asks the server's host and lets `answer` give the reply once the question is on disk. `args`: a
 * JSON object. ERR_CONFLICT "Instance X is not ready" when it has no host, or one whose agent is silent. The handler
 * returns what this returns. */
int server_question_ask(struct request *request, const struct server_row *row, const char *kind, const char *args,
                        handler_fn answer);
/* In `answer`: the agent's answer as an object in *ret_doc (json_in_done it), or, with *ret_parked, nothing yet: return
 * 0 at once. ERR_CONFLICT when the agent failed or did not answer within 10 s. */
int server_question_wait(struct request *request, struct json_doc *ret_doc, bool *ret_parked);
