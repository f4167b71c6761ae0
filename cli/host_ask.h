/* Asking agents: one question a host, all at once; the answers come as rows. */
#pragma once
#include "cli/command.h"

struct host_asked {
    const char *host_id, *name;
    const char *args;     /* of its question, JSON */
    bool skip;            /* it is not asked */
    const char *query_id; /* under way */
    const char *answer;   /* JSON: {"output"} or {"error"}; NULL: none came */
    struct host_asked *next;
};
/* The hosts that are heard, with args "{}"; *ret_silent: how many are not. */
int host_ask_list(struct cli *cli, struct host_asked **ret, size_t *ret_silent, struct error *e);
/* Asks all that are not skipped and waits for their answers at most wait_ms; an answer may be lost on its way, so that
 * who is silent is asked again. Answers of before are forgotten. In the command's arena. */
int host_ask(struct cli *cli, const char *kind, struct host_asked *hosts, int64_t wait_ms, struct error *e);
