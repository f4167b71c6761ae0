/* PUT /agent/v1/images/{id}: the bytes of an image that a host has made of one of its servers. The body is streamed to
 * a file beside the images; with the last byte the image is active and the server's operation done, in one transaction.
 * A host that does not hear that sends all again and is told that nobody waits for it (409): for it that is the end
 * too.
 */
#include "api/agent/agent.h"
#include "api/compute/server_image.h"
#include "api/compute/server_image_properties.h"
#include "api/image/image_service.h"
#include "common/model/image_template.h"
#include <string.h>
#include <strings.h>

static int find(struct request *request, struct server_image_row *ret_making, struct image_row *ret_image)
{
    const char *id = request_param(request, "id");
    struct host_row host;
    struct error none = {0};
    bool found = false;
    int rc = agent_host(request, &host);
    rc = rc ? rc : store_server_image_get(request->conn, id, &request->arena, ret_making, &found, &request->error);
    if (rc)
        return rc;
    if (found && strcmp(ret_making->host_id, host.id) == 0)
        rc = store_image_get(request->conn, id, NULL, true, &request->arena, ret_image, &none);
    else
        rc = ERR_NOT_FOUND;
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(&request->error, rc, "%s", error_text(&none));
    if (rc || (strcmp(ret_image->status, "queued") != 0 && strcmp(ret_image->status, "saving") != 0))
        return error_set(&request->error, ERR_CONFLICT, "Nobody waits for image %s of this host", id);
    return 0;
}

static int upload_before(struct request *request, struct reply *reply)
{
    struct server_image_row making;
    struct image_row image;
    (void)reply;
    return find(request, &making, &image);
}

/* The image lies on the hypervisor's own storage: the bytes only stand for it, and it is found by this property. */
static int place(struct request *request, struct image_row *image)
{
    const char *template = request_header(request, "X-Image-Template");
    return template ? server_image_properties_set(request, image, IMAGE_TEMPLATE_PROPERTY, template) : 0;
}

static int upload_take(struct request *request, struct reply *reply)
{
    const char *sum = request_header(request, "X-Image-Sha512"), *format = request_header(request, "X-Image-Format");
    struct server_image_row making;
    struct image_row image;
    int rc = find(request, &making, &image);
    if (rc)
        return rc;
    if (sum == NULL || strcasecmp(sum, request_upload_sha512(request)) != 0)
        return error_set(&request->error, ERR_PEER, "The image arrived with another checksum than it was sent with");
    image.disk_format = format != NULL ? format : "qcow2";
    image.container_format = "bare";
    rc = place(request, &image);
    if (rc)
        return rc;
    rc = image_data_take(request, &image);
    rc = rc ? rc : server_image_made(request->conn, &making, request->now_us, &request->arena, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "PUT",
     .pattern = "/images/{id}",
     .permission = PERMISSION_AGENT,
     .kind = ROUTE_UPLOAD,
     .before = upload_before,
     .handler = upload_take},
};
const struct route_table image_uploads_routes = ROUTE_TABLE(rows);
