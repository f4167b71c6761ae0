/* Guests that are asked by HTTP how they are: as often as their specification says, while they run; a few failures in a
 * row count as one. What is found is told with the reports until the API has heard it. Loop thread. */
#pragma once
#include "common/json_out.h"

struct guest;
struct host;
struct host_check;

/* The guest's specification is another one, or it goes (spec NULL): begins, changes or ends its check. */
void host_check_follow(struct guest *g);
void host_check_end(struct guest *g);
/* What is to be told: an array "checks" in the object that is open. */
void host_check_print(struct host *h, struct json_out *o);
/* The report with it was taken, or was not. */
void host_check_told(struct host *h, bool taken);
/* After the hypervisor is gone. */
void host_check_free(struct host *h);
