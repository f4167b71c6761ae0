/* Elastic groups over HTTP: what the resource files share. */
#pragma once
#include "api/elastic/turn.h"
#include "api/http/handler.h"

/* The group in the path ({id}) that the caller may see. ERR_NOT_FOUND, also for what others own. */
int groups_load(struct request *request, struct elastic_group_row *ret);
/* As above; ERR_CONFLICT when it is being deleted. */
int groups_load_living(struct request *request, struct elastic_group_row *ret);
/* Writes the row, which is looked at by the driver at once. */
int groups_save(struct request *request, struct elastic_group_row *row);
/* {"group": {...}} with its members counted. */
int groups_answer(struct request *request, struct reply *reply, const struct elastic_group_row *row);
/* A turn's view of a group outside a turn, for notes and scaling. */
struct turn groups_turn(struct request *request, const struct elastic_group_row *row);
