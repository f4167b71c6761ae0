/* Making servers, step by step, for POST /servers and for whatever else makes them (elastic groups) or asks what making
 * them would take (dry run). All run inside the caller's transaction, in the order below, and read who asks from
 * request->credential. A refusal is in request->error, in Nova's words. */
#pragma once
#include "api/compute/servers_body.h"
#include "common/model/quota.h"
#include "db/store_flavor.h"
#include "db/store_image.h"
#include "db/store_keypair.h"

/* What the rows say of a wish. */
struct servers_found {
    struct flavor_row flavor;
    struct image_row image;
    struct keypair_row key; /* with a key_name */
    const char **groups;    /* ids of security groups; none: the project's default one */
    size_t group_count;
};

/* Looks up and checks flavor, image, key, zone, group and security groups. Writes nothing but a default security group
 * that was not there yet. */
int servers_create_look_up(struct request *request, const struct servers_wish *wish, struct servers_found *ret);
/* What so many servers of the flavor take. */
struct quota_set servers_create_quota(const struct flavor_row *flavor, int64_t count);
/* Takes the quota of as many of min_count..max_count as it allows. ERR_QUOTA when not even the least. */
int servers_create_take_quota(struct request *request, const struct servers_wish *wish, const struct flavor_row *flavor,
                              int64_t *ret_count);
/* Whether it may be preempted: by its flavor, or because its tenant wants it so. */
bool servers_create_is_spot(const struct servers_wish *wish, const struct servers_found *found);
/* The project's one network, when none is named. */
int servers_create_find_network(struct request *request, struct servers_wish *wish);
/* Inserts `count` servers with their ports and operations, and lets them wait for the scheduler. */
int servers_create_insert(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                          int64_t count, struct server_row *ret_first);
