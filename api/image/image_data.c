/* The bytes of images: PUT and GET /v2/images/{id}/file, and the two steps of an import (stage, import).
 *
 * The server has streamed the body to a file beside the images and synced it. Here it gets the image's name as a second
 * link (so that a handler that runs again finds it again), and the row becomes active in the same transaction. A crash
 * between the two leaves a file without a row, which the sweep at start removes. */
#include "api/image/image_convert.h"
#include "api/image/image_format.h"
#include "api/image/image_service.h"
#include "common/json_in.h"
#include "common/uuid.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- checks before the first byte ---- */

static int check_status(struct request *request, const struct image_row *row, const char *to)
{
    if (strcmp(row->status, "queued") == 0)
        return 0;
    return error_set(&request->error, ERR_CONFLICT, "Image status transition from %s to %s is not allowed", row->status,
                     to);
}

static int check_media_type(struct request *request)
{
    const char *type = request_header(request, "Content-Type");
    if (type == NULL || strncmp(type, "application/octet-stream", 24) == 0)
        return 0;
    return error_set(&request->error, ERR_MEDIA_TYPE, "The server does not support the media type of the request.");
}

static int check_formats(struct request *request, const struct image_row *row)
{
    if (row->container_format == NULL || row->disk_format == NULL)
        return error_set(&request->error, ERR_INVALID, "Properties %s must be set prior to saving data.",
                         row->container_format == NULL && row->disk_format == NULL ? "disk_format, container_format"
                         : row->disk_format == NULL                                ? "disk_format"
                                                                                   : "container_format");
    return 0;
}

static int upload_before(struct request *request, struct reply *reply)
{
    struct image_row row;
    (void)reply;
    int rc = check_media_type(request);
    if (rc == 0)
        rc = image_service_find_own(request, "upload_image", &row);
    if (rc == 0)
        rc = check_formats(request, &row);
    return rc != 0 ? rc : check_status(request, &row, "saving");
}

static int stage_before(struct request *request, struct reply *reply)
{
    struct image_row row;
    (void)reply;
    int rc = check_media_type(request);
    if (rc == 0)
        rc = image_service_find_own(request, "modify_image", &row);
    return rc != 0 ? rc : check_status(request, &row, "uploading");
}

/* ---- keeping a file ---- */

static int sync_folder(const char *path, struct error *e)
{
    char *folder = strdup(path), *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? error_set(e, ERR_IO, "%s: %s", folder, strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

/* Gives `from` the name `to` as well. What lies there under that name belongs to no row: the row says that there are no
 * bytes yet. */
static int keep_file(const char *from, const char *to, struct error *e)
{
    struct stat a, b;
    if (link(from, to) != 0) {
        if (errno != EEXIST || stat(from, &a) != 0 || stat(to, &b) != 0)
            return error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", to, strerror(errno));
        if ((a.st_ino != b.st_ino || a.st_dev != b.st_dev) && (unlink(to) != 0 || link(from, to) != 0))
            return error_set(e, ERR_IO, "%s: %s", to, strerror(errno));
    }
    return sync_folder(to, e);
}

/* What has to be converted waits for it, staged; `waiting` is its status meanwhile. Formats, size and checksums are
 * those of the result, so there are none yet. */
static int queue(struct request *request, struct image_row *row, const char *file, const char *waiting)
{
    int rc = image_convert_check(file, row->disk_format, row->container_format, &request->error);
    if (rc == 0)
        rc = keep_file(file, image_service_path(request, row->id, ".stage"), &request->error);
    if (rc != 0)
        return rc;
    row->has_size = false;
    row->checksum = row->hash_algo = row->hash_value = NULL;
    row->status = waiting;
    row->updated_us = request->now_us;
    return store_image_update(request->conn, row, &request->error);
}

static int activate(struct request *request, struct image_row *row, const char *file, const char *waiting)
{
    if (image_convert_is_needed(row->disk_format, row->container_format))
        return queue(request, row, file, waiting);
    int64_t virtual_size = -1;
    int rc = image_format_check(file, row->size_bytes, row->disk_format, &virtual_size, &request->error);
    if (rc == 0)
        rc = keep_file(file, image_service_path(request, row->id, ""), &request->error);
    if (rc != 0)
        return rc;
    row->has_virtual_size = virtual_size >= 0;
    row->virtual_size_bytes = virtual_size;
    row->status = "active";
    row->updated_us = request->now_us;
    return store_image_update(request->conn, row, &request->error);
}

static void describe_upload(struct request *request, struct image_row *row)
{
    row->has_size = true;
    row->size_bytes = request_upload_size(request);
    row->checksum = request_upload_md5(request);
    row->hash_algo = "sha512";
    row->hash_value = request_upload_sha512(request);
}

int image_data_take(struct request *request, struct image_row *row)
{
    describe_upload(request, row);
    return activate(request, row, request_upload_path(request), "saving");
}

int image_data_clone(struct request *request, const struct image_row *source, const char *name, struct image_row *ret)
{
    struct image_row row = *source;
    if (strcmp(source->status, "active") != 0)
        return error_set(&request->error, ERR_CONFLICT, "Image %s is %s: only an active one can be cloned", source->id,
                         source->status);
    row.id = uuid_random(arena_alloc(&request->arena, UUID_SIZE));
    row.project_id = request->credential.project_id;
    row.name = name;
    row.visibility = "private";
    row.protected = row.hidden = false;
    row.revision = 1;
    row.created_us = row.updated_us = request->now_us;
    int rc = keep_file(image_service_path(request, source->id, ""), image_service_path(request, row.id, ""),
                       &request->error);
    rc = rc ? rc : store_image_insert(request->conn, &row, &request->error);
    if (!rc)
        *ret = row;
    return rc;
}

static int data_upload(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find_own(request, "upload_image", &row);
    if (rc == 0)
        rc = check_formats(request, &row);
    if (rc == 0)
        rc = check_status(request, &row, "saving");
    if (rc != 0)
        return rc;
    rc = image_data_take(request, &row);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static int data_stage(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find_own(request, "modify_image", &row);
    if (rc == 0)
        rc = check_status(request, &row, "uploading");
    if (rc != 0)
        return rc;
    describe_upload(request, &row);
    rc = keep_file(request_upload_path(request), image_service_path(request, row.id, ".stage"), &request->error);
    row.status = "uploading";
    row.updated_us = request->now_us;
    if (rc == 0)
        rc = store_image_update(request->conn, &row, &request->error);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static int read_method(struct request *request, const char **ret)
{
    json_value *method = json_in_member(request->json, "method");
    if (!json_in_is_object(method))
        return error_set(&request->error, ERR_INVALID, "Import request requires a 'method' field.");
    *ret = json_in_text(json_in_member(method, "name"));
    if (*ret == NULL)
        return error_set(&request->error, ERR_INVALID, "Import request requires a 'name' field.");
    if (strcmp(*ret, "glance-direct") != 0)
        return error_set(&request->error, ERR_INVALID, "Unknown import method name '%s'.", *ret);
    return 0;
}

/* The staged file stays until the sweep or the next stage; the active one is another link to it. */
static int data_import(struct request *request, struct reply *reply)
{
    struct image_row row;
    const char *method = NULL;
    int rc = read_method(request, &method);
    if (rc == 0)
        rc = image_service_find_own(request, "modify_image", &row);
    if (rc != 0)
        return rc;
    if (strcmp(row.status, "active") == 0)
        return error_set(&request->error, ERR_CONFLICT, "Image with status active cannot be target for import");
    if (strcmp(row.status, "uploading") != 0)
        return error_set(&request->error, ERR_CONFLICT,
                         "Image needs to be staged before 'glance-direct' method can be used");
    if (row.container_format == NULL)
        return error_set(&request->error, ERR_CONFLICT, "'container_format' needs to be set before import");
    if (row.disk_format == NULL)
        return error_set(&request->error, ERR_CONFLICT, "'disk_format' needs to be set before import");
    rc = activate(request, &row, image_service_path(request, row.id, ".stage"), "importing");
    if (rc == 0)
        reply->status = 202;
    return rc;
}

/* ---- out ---- */

static int data_download(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find(request, &row);
    if (rc != 0)
        return rc;
    if (strcmp(row.status, "deactivated") == 0 && !image_service_is_admin(request))
        return error_set(&request->error, ERR_FORBIDDEN,
                         "The requested image has been deactivated. Image data download is forbidden.");
    if (strcmp(row.status, "active") != 0 && strcmp(row.status, "deactivated") != 0) {
        reply->status = 204;
        return 0;
    }
    if (request_header(request, "Range") == NULL)
        reply_header(reply, "Content-MD5", row.checksum);
    return reply_file(request, reply, image_service_path(request, row.id, ""), "application/octet-stream");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/images/{id}/file", .permission = PERMISSION_READER, .handler = data_download},
    {.method = "PUT",
     .pattern = "/v2/images/{id}/file",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_UPLOAD,
     .before = upload_before,
     .handler = data_upload},
    {.method = "PUT",
     .pattern = "/v2/images/{id}/stage",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_UPLOAD,
     .before = stage_before,
     .handler = data_stage},
    {.method = "POST",
     .pattern = "/v2/images/{id}/import",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = data_import},
};
const struct route_table image_data_routes = ROUTE_TABLE(rows);
