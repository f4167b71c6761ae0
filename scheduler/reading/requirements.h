/* What a waiting server asks of a host, read from its flavor's extra specs, its image's properties, its hints and its
 * group. */
#pragma once
#include "common/arena.h"
#include "db/store_placement.h"
#include "db/store_server.h"
#include "scheduler/placement/placement.h"

/* Fills `ret` from the row; text lives in the row or the arena. Looks groups and hosts of other servers up through `c`.
 * ERR_NO_VALID_HOST with a sentence when it asks for something that cannot be (a group or server that is not there);
 * database errors as they come. */
int requirements_read(struct db_conn *c, struct placement *p, const struct placement_waiting_row *row, struct arena *a,
                      struct placement_request *ret, struct error *e);
/* The image's part of the row, for a server that is placed already; what an image asked for that is gone holds on. */
int requirements_read_image(struct db_conn *c, const struct server_row *server, struct arena *a,
                            struct placement_waiting_row *ret, struct error *e);
/* Adds that the host must reach the networks of the list, as placement_waiting_row has it. */
int requirements_of_networks(struct placement *p, const char *networks, struct arena *a, struct placement_request *ret,
                             struct error *e);
/* Hosts with that trait are out of the question, too; `trait` is borrowed. */
void requirements_forbid(struct placement_request *r, const char *trait);
/* Makes room for what `count` servers of the request are given; requirements_read makes it for one. */
void requirements_make_room(struct placement_request *r, size_t count, struct arena *a);
/* What a server holds of its host once it is taken there; names live in the library, text in the arena. */
void requirements_holding(const struct placement *p, const struct resources *need, const struct placement_extra *extra,
                          struct arena *a, struct store_holding *ret);
