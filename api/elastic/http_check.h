/* The HTTP check of an elastic group: what its members are asked, and by what answer they are healthy. */
#pragma once
#include "api/http/request.h"
#include "common/json_in.h"
#include "db/store_elastic.h"

/* Reads and checks the body's object; null takes the check away. *ret: JSON as agents get it, in the arena. */
int http_check_read(struct request *request, json_value *value, const char **ret);
/* The group's check has become another one: what was known of its members counts no more, and their hosts are told. */
int http_check_changed(struct request *request, const char *group_id);
