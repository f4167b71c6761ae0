/* The image service: its tables, what its handlers share, and the sweep.
 *
 * The image folder holds one file per image with bytes, named by its id, "<id>.stage" while an import or a conversion
 * is under way, and "<id>.part", what the conversion makes.
 * Rows decide: the sweep removes files whose row does not say that they are there. A file is given its name before its
 * row is committed, so young files are left alone. */
#include "api/image/image_service.h"
#include "api/api.h"
#include "api/config.h"
#include "api/http/fault_html.h"
#include "api/image/image_queue.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/uuid.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWEEP_INTERVAL_MS 300000
#define SWEEP_AGE_S       600

bool image_service_is_admin(const struct request *request)
{
    return (request->credential.roles & ROLE_ADMIN) != 0;
}

int image_service_forbid(struct request *request, const char *action)
{
    return error_set(&request->error, ERR_FORBIDDEN, "You are not authorized to complete %s action.", action);
}

int image_service_find(struct request *request, struct image_row *ret)
{
    const char *id = request_param(request, "id");
    struct error found = {0};
    int rc = store_image_get(request->conn, id, request->credential.project_id, image_service_is_admin(request),
                             &request->arena, ret, &found);
    if (rc == ERR_NOT_FOUND)
        return error_set(&request->error, rc, "No image found with ID %s", id);
    return rc == 0 ? 0 : error_set(&request->error, rc, "%s", error_text(&found));
}

int image_service_find_own(struct request *request, const char *action, struct image_row *ret)
{
    int rc = image_service_find(request, ret);
    return rc != 0 ? rc : image_service_check_own(request, action, ret);
}

int image_service_check_own(struct request *request, const char *action, const struct image_row *row)
{
    if (image_service_is_admin(request) ||
        (row->project_id != NULL && strcmp(row->project_id, request->credential.project_id) == 0))
        return 0;
    return image_service_forbid(request, action);
}

const char *image_service_path(struct request *request, const char *id, const char *suffix)
{
    return arena_printf(&request->arena, "%s/%s%s", request->api->config->image_dir, id, suffix);
}

/* ---- sweep ---- */

/* Whether the row says that this file is there. Errors say yes: nothing is removed on a guess. */
static bool is_known(struct api *api, const char *name)
{
    char id[UUID_SIZE] = "";
    enum image_file file = IMAGE_FILE_NONE;
    bool staged = name[UUID_SIZE - 1] != 0;
    memcpy(id, name, UUID_SIZE - 1);
    int rc = store_image_file(db_reader(api->db), id, &file, NULL);
    return rc != 0 || file == (staged ? IMAGE_FILE_STAGED : IMAGE_FILE_WHOLE);
}

static bool is_ours(const char *name)
{
    char id[UUID_SIZE] = "";
    size_t length = strlen(name);
    if (length < UUID_SIZE - 1)
        return false;
    const char *suffix = name + UUID_SIZE - 1;
    if (*suffix && strcmp(suffix, ".stage") != 0 && strcmp(suffix, ".part") != 0)
        return false;
    memcpy(id, name, UUID_SIZE - 1);
    return uuid_valid(id);
}

static void sweep_file(struct api *api, const char *name, int64_t least_age_s)
{
    struct stat about;
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", api->config->image_dir, name);
    /* Not time(): its coarse clock is behind the stamp of a file that was just made. */
    bool old = stat(path.data, &about) == 0 && clock_now_us() / CLOCK_SECOND_US - about.st_ctime >= least_age_s;
    if (old && !is_known(api, name) && unlink(path.data) == 0)
        log_info("image file without an image removed", "file=%s", path.data);
    strbuf_done(&path);
}

void image_service_sweep(struct api *api, int64_t least_age_s)
{
    struct dirent *entry;
    DIR *folder = opendir(api->config->image_dir);
    if (folder == NULL) {
        log_warn("image folder cannot be read", "path=%s reason=%s", api->config->image_dir, strerror(errno));
        return;
    }
    while ((entry = readdir(folder)) != NULL)
        if (is_ours(entry->d_name))
            sweep_file(api, entry->d_name, least_age_s);
    closedir(folder);
}

static void sweep_timer(struct api *api, void *arg)
{
    (void)arg;
    image_service_sweep(api, SWEEP_AGE_S);
}

/* Another replica may be at work in the same folder, so also at start only what is old goes. */
int image_service_start(struct api *api, struct error *e)
{
    int rc = file_make_dirs(api->config->image_dir, 0700, e);
    if (rc != 0)
        return rc;
    image_service_sweep(api, SWEEP_AGE_S);
    api_timer(api, SWEEP_INTERVAL_MS, sweep_timer, NULL);
    image_queue_start(api);
    return 0;
}

static const struct route_table *const tables[] = {
    &image_discovery_routes, &images_routes, &image_data_routes, &image_members_routes, &image_tags_routes,
    &image_actions_routes,   NULL,
};
const struct service image_service = {.name = "image", .prefix = "/image", .tables = tables, .fault = fault_html_write};
