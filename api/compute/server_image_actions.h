/* The actions createImage and createBackup, for the table of actions. */
#pragma once
#include "api/compute/compute.h"

int server_image_actions_create(struct request *request, struct reply *reply, struct server_row *row,
                                json_value *value);
int server_image_actions_back_up(struct request *request, struct reply *reply, struct server_row *row,
                                 json_value *value);
