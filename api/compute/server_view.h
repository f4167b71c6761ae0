/* Servers as the API shows them, key by key for the negotiated microversion. Every key of a server is spelled here and
 * nowhere else. */
#pragma once
#include "api/compute/compute.h"

enum server_view_kind {
    SERVER_VIEW_SHOW,   /* GET /servers/{id} */
    SERVER_VIEW_DETAIL, /* GET /servers/detail */
    SERVER_VIEW_UPDATE, /* the answer to PUT: fewer keys before 2.75 */
};

struct server_view_row;
#define SERVER_VIEW_ROWS 64

/* What is the same for all servers of one answer; texts are in the request's arena. */
struct server_view {
    struct request *request;
    enum server_view_kind kind;
    int microversion;
    bool admin;
    int64_t now_us;
    const char *self, *bookmark, *image_bookmark, *flavor_bookmark; /* up to the id */
    const struct server_view_row *rows[SERVER_VIEW_ROWS];           /* that are shown, in order */
    size_t row_count;
};
void server_view_init(struct server_view *v, struct request *request, enum server_view_kind kind);
/* One server as member `key` of the open object, or as an item (NULL). */
void server_view_write(struct server_view *v, struct json_out *out, const char *key, const struct server_row *row);
/* id, name, links: an item of GET /servers. */
void server_view_brief(struct server_view *v, struct json_out *out, const struct server_row *row);
/* The answer to POST /servers: the whole document. `security_groups`: JSON as it was asked for. */
void server_view_created(struct server_view *v, struct json_out *out, const struct server_row *row,
                         const char *security_groups, const char *password);
/* "hostId": the same for the servers of one project on one host, and saying nothing else; "" without a host. */
void server_view_host_hash(struct json_out *out, const char *key, const char *project_id, const char *host_id);
/* The stored `addresses` reduced to version and addr: what GET .../ips shows. `network`: only that one (NULL: all).
 * False when it is not there. */
bool server_view_ips(struct request *request, struct json_out *out, const char *key, const char *addresses,
                     const char *network);
