/* The body of POST /servers, read and checked as far as no row is needed for it. */
#pragma once
#include "api/compute/compute.h"
#include "common/json_in.h"
#include "db/store_port.h"

#define SERVERS_METADATA_MAX 128
#define SERVERS_TAGS_MAX     50
#define SERVERS_COUNT_MAX    1000

/* As it came. */
struct servers_body {
    struct json_seen seen;
    const char *name, *image, *admin_pass, *disk_config, *access_ipv4, *access_ipv6, *zone, *key_name, *user_data;
    const char *description, *host, *hypervisor_hostname, *hostname;
    struct json_map metadata;
    struct json_list tags;
    json_value *flavor, *networks, *personality, *block_devices_old, *block_devices, *config_drive, *min_count,
        *max_count;
    json_value *return_reservation, *security_groups, *trusted;
};
struct servers_document {
    struct servers_body server;
    json_value *hints, *old_hints;
};
extern const struct json_table servers_document_table;

/* What was meant. Texts are in the request's arena or the body's. */
struct servers_wish {
    const struct servers_body *body;
    const char *name, *hostname, *description, *flavor_id, *image_id, *zone, *access_ipv4, *access_ipv6;
    const char *metadata, *tags, *security_groups, *hints; /* JSON */
    const char *group_id;                                  /* NULL for none */
    int64_t queue_until_us;                                /* hint "queue_until": waits for room until then; 0: no */
    const char *reservation_id;                            /* hint "reservation": takes room that is held; NULL: none */
    const char *password;                                  /* given or made */
    bool config_drive, return_reservation;
    bool spot; /* hint "spot": it may be preempted */
    int64_t min_count, max_count;
    bool automatic;                /* the one network there is, or none before 2.37 */
    bool must_have_network;        /* "auto": none is an error */
    struct port_request *requests; /* count of them */
    size_t request_count;
};
/* ERR_INVALID with Nova's sentences. */
int servers_body_read(struct request *request, const struct servers_document *document, struct servers_wish *ret);

/* nova/utils.py, sanitize_hostname; "server-<id>" when nothing is left of the name. In the arena. */
const char *servers_body_hostname(struct request *request, const char *name, const char *id);
/* Keys of 1 to 255 characters of a-zA-Z0-9-_:. and blank, values of at most 255. */
int servers_body_check_metadata(struct request *request, const char *key, const char *value);
/* 1 to 60 characters without comma and slash. */
int servers_body_check_tag(struct request *request, const char *tag);
