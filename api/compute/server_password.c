/* os-server-password: the password that a guest posted, encrypted with its keypair. No guest of ours posts one: it is
 * always empty. */
#include "api/compute/compute.h"

static int server_password_show(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "password", "");
    json_out_object_end(&reply->out);
    return 0;
}

static int server_password_clear(struct request *request, struct reply *reply)
{
    struct server_row row;
    reply->status = 204;
    return compute_server(request, &row);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/os-server-password",
     .permission = PERMISSION_READER,
     .handler = server_password_show},
    {.method = "DELETE",
     .pattern = "/servers/{id}/os-server-password",
     .permission = PERMISSION_MEMBER,
     .handler = server_password_clear},
};
const struct route_table server_password_routes = ROUTE_TABLE(rows);
