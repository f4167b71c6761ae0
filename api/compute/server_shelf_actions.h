/* The actions shelve, shelveOffload and unshelve, for the table of actions. */
#pragma once
#include "api/compute/compute.h"

int server_shelf_actions_shelve(struct request *request, struct reply *reply, struct server_row *row,
                                json_value *value);
int server_shelf_actions_offload(struct request *request, struct reply *reply, struct server_row *row,
                                 json_value *value);
int server_shelf_actions_unshelve(struct request *request, struct reply *reply, struct server_row *row,
                                  json_value *value);
