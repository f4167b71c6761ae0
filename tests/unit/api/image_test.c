/* The image API over HTTP: records, bytes, formats, sharing, lists; and what becomes of broken uploads. */
#include "api/image/image_format.h"
#include "api/image/image_service.h"
#include "tests/unit/api/api_steps.h"
#include <dirent.h>

const struct service *const http_services[] = {&image_service, NULL};

#define V     "/image/v2"
#define BYTES "Content-Type: application/octet-stream\r\n"
#define PATCH "Content-Type: application/openstack-images-v2.1-json-patch\r\n"
#define RAW   "\"disk_format\":\"raw\",\"container_format\":\"bare\""

/* Files in the image folder whose names begin with `prefix`. */
static int files(const char *prefix)
{
    int count = 0;
    struct dirent *entry;
    DIR *folder = opendir(http_folder);
    CHECK(folder);
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)) &&
                 strncmp(entry->d_name, "master", 6) != 0;
    closedir(folder);
    return count;
}

/* A spooled body that was not kept goes when its answer has left. */
static int files_kept(void)
{
    CHECK_SOON(files("upload-") == 0);
    return files("");
}

TEST("an image goes through its life")
{
    steps_begin();
    STEPS({NOBODY, "GET", "/image/", NULL, 300, "\"id\":\"v2.15\",\"status\":\"CURRENT\""},
          {NOBODY, "GET", "/image/versions", NULL, 200, "http://test/image/v2/"},
          {NOBODY, "GET", V "/images", NULL, 401},
          {A, "POST", V "/images", "{\"name\":\"i\"," RAW ",\"os_distro\":\"debian\",\"tags\":[\"t\"]}", 201,
           "\"status\":\"queued\"", NULL, "i"},
          {A, "GET", V "/images/$i", NULL, 200, "\"size\":null"}, {A, "GET", V "/images/$i/file", NULL, 204},
          {A, "PUT", V "/images/$i/file", "hello", 415, "<title>415 "},
          {A, "PUT", V "/images/$i/file", "hello", 204, NULL, NULL, NULL, BYTES},
          {A, "GET", V "/images/$i", NULL, 200,
           "\"size\":5,\"virtual_size\":5,\"status\":\"active\",\"checksum\":\"5d41402abc4b2a76b9719d911017c592\""},
          {A, "GET", V "/images/$i", NULL, 200, "\"os_hash_value\":\"9b71d224bd62f3785d96d46ad3ea3d73"},
          {A, "GET", V "/images/$i/file", NULL, 200, "hello"},
          {A, "GET", V "/images/$i/file", NULL, 206, "ell", "hello", NULL, "Range: bytes=1-3\r\n"},
          {A, "GET", V "/images/$i/file", NULL, 416, NULL, NULL, NULL, "Range: bytes=9-\r\n"},
          {A, "PUT", V "/images/$i/file", "again", 409, "Image status transition from active to saving is not allowed",
           NULL, NULL, BYTES},
          {READER, "DELETE", V "/images/$i", NULL, 403}, {A, "DELETE", V "/images/$i", NULL, 204},
          {A, "GET", V "/images/$i", NULL, 404, "No image found with ID $i<br /><br />"},
          {A, "DELETE", V "/images/$i", NULL, 404}, {A, "DELETE", V "/images/", NULL, 404},
          {A, "GET", V "/images/", NULL, 404});
    CHECK_INT(files_kept(), 0);
    steps_end();
}

TEST("bad images are refused by the name of what is wrong")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "", 400, "Body expected"}, {A, "POST", V "/images", "[]", 400},
          {A, "POST", V "/images", "{\"name\":3}", 400, "name"},
          {A, "POST", V "/images", "{\"disk_format\":\"floppy\"}", 400, "disk_format"},
          {A, "POST", V "/images", "{\"container_format\":\"box\"}", 400, "container_format"},
          {A, "POST", V "/images", "{\"visibility\":\"secret\"}", 400, "visibility"},
          {A, "POST", V "/images", "{\"min_ram\":-1}", 400, "min_ram"},
          {A, "POST", V "/images", "{\"min_disk\":\"7\"}", 400, "min_disk"},
          {A, "POST", V "/images", "{\"protected\":\"yes\"}", 400, "protected"},
          {A, "POST", V "/images", "{\"os_version\":7}", 400, "os_version"},
          {A, "POST", V "/images", "{\"id\":\"nonsense\"}", 400, "id"},
          {A, "POST", V "/images", "{\"tags\":\"x\"}", 400, "tags"},
          {A, "POST", V "/images", "{\"status\":\"active\"}", 403, "is read-only."},
          {A, "POST", V "/images", "{\"location\":\"file:///etc/passwd\"}", 403, "is reserved."},
          {A, "POST", V "/images", "{\"locations\":[]}", 403}, {A, "POST", V "/images", "{\"os_glance_x\":\"y\"}", 403},
          {A, "POST", V "/images", "{\"visibility\":\"public\"}", 403, "publicize_image"},
          {A, "POST", V "/images", "{\"owner\":\"" PROJECT_B "\"}", 403},
          {ADMIN, "POST", V "/images", "{\"owner\":\"" PROJECT_B "\"}", 201, "\"owner\":\"" PROJECT_B "\""},
          {A, "POST", V "/images", "{\"id\":\"0b0b0b0b-0000-4000-8000-00000000000b\"}", 201},
          {A, "POST", V "/images", "{\"id\":\"0b0b0b0b-0000-4000-8000-00000000000b\"}", 409, "already exists"},
          {A, "POST", V "/images", "{}", 201, NULL, NULL, "i"},
          {A, "PUT", V "/images/$i/file", "x", 400, "disk_format, container_format must be set", NULL, NULL, BYTES},
          {A, "PUT", V "/images/nonsense/file", "x", 404, NULL, NULL, NULL, BYTES},
          {A, "GET", V "/images/nonsense/file", NULL, 404},
          {A, "PATCH", V "/images/nonsense", "[]", 404, NULL, NULL, NULL, PATCH}, {A, "GET", V "/nonsense", NULL, 404},
          {A, "PUT", V "/images", "{}", 405});
    steps_end();
}

TEST("images are changed by JSON patch")
{
#define OP(op, path, value) "[{\"op\":\"" op "\",\"path\":\"" path "\",\"value\":" value "}]"
    steps_begin();
    STEPS(
        {A, "POST", V "/images", "{\"name\":\"i\",\"colour\":\"red\"}", 201, NULL, NULL, "i"},
        {A, "PATCH", V "/images/$i", "[]", 415, NULL, NULL, NULL, JSON_TYPE},
        {A, "PATCH", V "/images/$i", "{}", 400, "must be a JSON array", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", "[3]", 400, "must be JSON objects", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", "[{}]", 400, "Unable to find `op`", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("test", "/name", "1"), 400, "Invalid operation", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", "[{\"op\":\"add\",\"value\":\"x\"}]", 400, "Unable to find &#x27;path&#x27;", NULL,
         NULL, PATCH},
        {A, "PATCH", V "/images/$i", "[{\"op\":\"add\",\"path\":\"/x\"}]", 400, "requires a member named", NULL, NULL,
         PATCH},
        {A, "PATCH", V "/images/$i", OP("add", "name", "\"x\""), 400, "does not start with", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("add", "/a/b", "\"x\""), 400, "Invalid JSON pointer", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("add", "/a~2", "\"x\""), 400, "escape sequence", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("replace", "/status", "\"active\""), 403, "read-only", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("replace", "/id", "\"x\""), 403, "read-only", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("replace", "/owner", "\"x\""), 403, "Owner can&#x27;t be updated", NULL, NULL,
         PATCH},
        {A, "PATCH", V "/images/$i", OP("replace", "/size7", "\"x\""), 409, "does not exist", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", OP("replace", "/name", "7"), 400, "name", NULL, NULL, PATCH},
        {A, "PATCH", V "/images/$i", "[{\"op\":\"remove\",\"path\":\"/name\"}]", 403, "may not be removed", NULL, NULL,
         PATCH},
        {A, "PATCH", V "/images/$i", "[{\"op\":\"remove\",\"path\":\"/size7\"}]", 409, "does not exist", NULL, NULL,
         PATCH},
        {A, "PATCH", V "/images/$i",
         "[{\"op\":\"replace\",\"path\":\"/name\",\"value\":\"j\"},{\"op\":\"add\",\"path\":\"/"
         "os~1type\",\"value\":\"linux\"},"
         "{\"op\":\"remove\",\"path\":\"/colour\"},{\"op\":\"replace\",\"path\":\"/tags\",\"value\":[\"a\",\"b\"]}]",
         200, "\"os/type\":\"linux\",\"name\":\"j\"", "colour", NULL, PATCH},
        {A, "GET", V "/images/$i", NULL, 200, "\"tags\":[\"a\",\"b\"]"},
        {A, "PATCH", V "/images/$i",
         "[{\"op\":\"replace\",\"path\":\"/name\",\"value\":\"k\"},{\"op\":\"replace\",\"path\":\"/"
         "x\",\"value\":\"y\"}]",
         409, NULL, NULL, NULL, PATCH},
        {A, "GET", V "/images/$i", NULL, 200, "\"name\":\"j\""},
        {A, "PATCH", V "/images/$i", "[{\"replace\":\"/name\",\"value\":\"l\"}]", 200, "\"name\":\"l\"", NULL, NULL,
         "Content-Type: application/openstack-images-v2.0-json-patch\r\n"},
        {B, "PATCH", V "/images/$i", OP("replace", "/name", "\"x\""), 404, NULL, NULL, NULL, PATCH},
        {ADMIN, "PATCH", V "/images/$i", OP("replace", "/visibility", "\"public\""), 200, "public", NULL, NULL, PATCH},
        {B, "PATCH", V "/images/$i", OP("replace", "/name", "\"x\""), 403, "modify_image", NULL, NULL, PATCH},
        {B, "DELETE", V "/images/$i", NULL, 403, "delete_image"},
        {A, "PATCH", V "/images/$i", OP("replace", "/protected", "true"), 200, "\"protected\":true", NULL, NULL, PATCH},
        {A, "DELETE", V "/images/$i", NULL, 403, "is protected and cannot be deleted."},
        {ADMIN, "DELETE", V "/images/$i", NULL, 403}, {A, "PUT", V "/images/$i/tags/c", NULL, 204},
        {A, "DELETE", V "/images/$i/tags/a", NULL, 204}, {A, "DELETE", V "/images/$i/tags/a", NULL, 404},
        {A, "GET", V "/images/$i", NULL, 200, "\"tags\":[\"b\",\"c\"]"});
    steps_end();
}

TEST("an image is shared with a project, which accepts it")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{\"name\":\"i\"}", 201, "\"visibility\":\"shared\"", NULL, "i"},
          {B, "GET", V "/images/$i", NULL, 404}, {A, "POST", V "/images/$i/members", "{}", 400},
          {A, "POST", V "/images/$i/members", "{\"member\":\"" PROJECT_B "\"}", 200, "\"status\":\"pending\""},
          {A, "POST", V "/images/$i/members", "{\"member\":\"" PROJECT_B "\"}", 409, "already associated"},
          {B, "GET", V "/images/$i", NULL, 200}, {B, "GET", V "/images", NULL, 200, "{\"images\":[]"},
          {B, "GET", V "/images?member_status=pending&visibility=shared", NULL, 200, "$i"},
          {B, "GET", V "/images?member_status=nonsense", NULL, 400, "Invalid status"},
          {A, "PUT", V "/images/$i/members/" PROJECT_B, "{\"status\":\"accepted\"}", 403},
          {B, "PUT", V "/images/$i/members/" PROJECT_B, "{\"status\":\"nonsense\"}", 400},
          {B, "PUT", V "/images/$i/members/" PROJECT_B, "{}", 400},
          {B, "PUT", V "/images/$i/members/" PROJECT_B, "{\"status\":\"accepted\"}", 200, "\"status\":\"accepted\""},
          {B, "GET", V "/images", NULL, 200, "$i"},
          {B, "POST", V "/images/$i/members", "{\"member\":\"somebody\"}", 403},
          {A, "POST", V "/images/$i/members", "{\"member\":\"somebody\"}", 200},
          {B, "GET", V "/images/$i/members", NULL, 200, PROJECT_B, "somebody"},
          {A, "GET", V "/images/$i/members", NULL, 200, "somebody"},
          {B, "GET", V "/images/$i/members/somebody", NULL, 404},
          {B, "DELETE", V "/images/$i/members/" PROJECT_B, NULL, 403},
          {A, "DELETE", V "/images/$i/members/" PROJECT_B, NULL, 204},
          {A, "DELETE", V "/images/$i/members/" PROJECT_B, NULL, 404}, {B, "GET", V "/images/$i", NULL, 404},
          {A, "PATCH", V "/images/$i", "[{\"op\":\"replace\",\"path\":\"/visibility\",\"value\":\"private\"}]", 200,
           NULL, NULL, NULL, PATCH},
          {A, "POST", V "/images/$i/members", "{\"member\":\"x\"}", 403, "Only shared images have members."},
          {A, "PATCH", V "/images/$i", "[{\"op\":\"replace\",\"path\":\"/visibility\",\"value\":\"community\"}]", 200,
           NULL, NULL, NULL, PATCH},
          {B, "GET", V "/images/$i", NULL, 200}, {B, "GET", V "/images", NULL, 200, "{\"images\":[]"},
          {B, "GET", V "/images?visibility=community", NULL, 200, "$i"},
          {B, "GET", V "/images?visibility=all", NULL, 200, "$i"}, {A, "GET", V "/images", NULL, 200, "$i"});
    steps_end();
}

TEST("lists are filtered, sorted and cut into pages")
{
    clock_fake(1700000000 * CLOCK_SECOND_US);
    steps_begin();
    STEPS({A, "POST", V "/images", "{\"name\":\"c\",\"disk_format\":\"raw\",\"arch\":\"x86\",\"tags\":[\"t\",\"u\"]}",
           201, NULL, NULL, "c"});
    clock_advance(CLOCK_SECOND_US);
    STEPS(
        {A, "POST", V "/images", "{\"name\":\"a\",\"disk_format\":\"qcow2\",\"tags\":[\"t\"]}", 201, NULL, NULL, "a"});
    clock_advance(CLOCK_SECOND_US);
    STEPS({A, "POST", V "/images", "{\"name\":\"b,x\",\"os_hidden\":true}", 201, NULL, NULL, "b"},
          {A, "GET", V "/images", NULL, 200, "{\"images\":[{\"name\":\"a\"", "$b"},
          {A, "GET", V "/images", NULL, 200, "\"first\":\"/v2/images\",\"schema\":\"/v2/schemas/images\"", "\"next\""},
          {A, "GET", V "/images?os_hidden=true", NULL, 200, "$b", "$a"}, {A, "GET", V "/images?os_hidden=x", NULL, 400},
          {A, "GET", V "/images?name=c", NULL, 200, "$c", "$a"}, {A, "GET", V "/images?name=in:a,c", NULL, 200, "$c"},
          {A, "GET", V "/images?name=in:%22b,x%22&os_hidden=true", NULL, 200, "$b"},
          {A, "GET", V "/images?name=in:b,x&os_hidden=true", NULL, 200, NULL, "$b"},
          {A, "GET", V "/images?disk_format=qcow2", NULL, 200, "$a", "$c"},
          {A, "GET", V "/images?arch=x86", NULL, 200, "$c", "$a"},
          {A, "GET", V "/images?tag=t&tag=u", NULL, 200, "$c", "$a"},
          {A, "GET", V "/images?status=queued&owner=" PROJECT_A, NULL, 200, "$c"},
          {A, "GET", V "/images?size_min=1", NULL, 200, "{\"images\":[]"},
          {A, "GET", V "/images?size_min=x", NULL, 400},
          {A, "GET", V "/images?created_at=gt:2023-11-14T22:13:20Z", NULL, 200, "$a", "$c"},
          {A, "GET", V "/images?created_at=lte:2023-11-14T22:13:20Z", NULL, 200, "$c", "$a"},
          {A, "GET", V "/images?created_at=yesterday", NULL, 400, "Use ISO 8601"},
          {A, "GET", V "/images?visibility=nonsense", NULL, 400}, {A, "GET", V "/images?limit=x", NULL, 400},
          {A, "GET", V "/images?limit=-1", NULL, 400}, {A, "GET", V "/images?sort_key=x", NULL, 400},
          {A, "GET", V "/images?sort=name:up", NULL, 400}, {A, "GET", V "/images?sort=name&sort_key=id", NULL, 400},
          {A, "GET", V "/images?marker=nonsense", NULL, 400}, {A, "GET", V "/images?changes-since=x", NULL, 400},
          {A, "GET", V "/images?limit=1", NULL, 200, "\"next\":\"/v2/images?limit=1&marker=$a\"", "$c"},
          {A, "GET", V "/images?limit=1&marker=$a", NULL, 200, "$c"},
          {A, "GET", V "/images?sort=name:asc&limit=1", NULL, 200, "{\"images\":[{\"name\":\"a\""},
          {A, "GET", V "/images?sort_key=name&sort_dir=asc&limit=1&marker=$a", NULL, 200, "\"name\":\"c\""},
          {A, "GET", V "/images?sort_key=name&sort_dir=desc&limit=1", NULL, 200, "\"name\":\"c\""},
          {B, "GET", V "/images", NULL, 200, "{\"images\":[]"});
    steps_end();
    clock_real();
}

TEST("a deactivated image gives its bytes to administrators alone")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "i"},
          {A, "POST", V "/images/$i/actions/deactivate", NULL, 403},
          {A, "PUT", V "/images/$i/file", "hello", 204, NULL, NULL, NULL, BYTES},
          {A, "POST", V "/images/$i/actions/deactivate", NULL, 204},
          {A, "POST", V "/images/$i/actions/deactivate", NULL, 204},
          {A, "GET", V "/images/$i", NULL, 200, "\"status\":\"deactivated\""},
          {A, "GET", V "/images/$i/file", NULL, 403}, {ADMIN, "GET", V "/images/$i/file", NULL, 200, "hello"},
          {A, "POST", V "/images/$i/actions/reactivate", NULL, 204},
          {A, "GET", V "/images/$i/file", NULL, 200, "hello"}, {A, "POST", V "/images/$i/actions/explode", NULL, 404});
    steps_end();
}

TEST("an import stages first")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "i"},
          {A, "POST", V "/images/$i/import", "{\"method\":{\"name\":\"glance-direct\"}}", 409, "needs to be staged"},
          {A, "POST", V "/images/$i/import", "{\"method\":{\"name\":\"web-download\"}}", 400, "Unknown import method"},
          {A, "POST", V "/images/$i/import", "{}", 400},
          {A, "PUT", V "/images/$i/stage", "hello", 204, NULL, NULL, NULL, BYTES},
          {A, "GET", V "/images/$i", NULL, 200, "\"status\":\"uploading\""}, {A, "GET", V "/images/$i/file", NULL, 204},
          {A, "PUT", V "/images/$i/file", "hello", 409, NULL, NULL, NULL, BYTES},
          {A, "POST", V "/images/$i/import", "{\"method\":{\"name\":\"glance-direct\"}}", 202},
          {A, "GET", V "/images/$i", NULL, 200, "\"status\":\"active\""},
          {A, "GET", V "/images/$i/file", NULL, 200, "hello"},
          {A, "GET", V "/images/$i/tasks", NULL, 200, "{\"tasks\":[]}"}, {A, "DELETE", V "/images/$i", NULL, 204},
          {A, "GET", V "/info/import", NULL, 200, "glance-direct"},
          {A, "GET", V "/info/stores", NULL, 200, "\"id\":\"local\""},
          {A, "GET", V "/schemas/image", NULL, 200, "\"name\":\"image\""},
          {A, "GET", V "/schemas/images", NULL, 200, "items"}, {A, "GET", V "/schemas/member", NULL, 200, "member_id"},
          {A, "GET", V "/schemas/members", NULL, 200, "items"}, {A, "GET", V "/schemas/nonsense", NULL, 404});
    CHECK_INT(files_kept(), 0);
    steps_end();
}

TEST("an upload that is not what it was declared to be leaves the image as it was")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{\"disk_format\":\"qcow2\",\"container_format\":\"bare\"}", 201, NULL, NULL, "i"},
          {A, "PUT", V "/images/$i/file", "not a qcow2 image", 400, "declared as qcow2", NULL, NULL, BYTES},
          {A, "GET", V "/images/$i", NULL, 200,
           "\"size\":null,\"virtual_size\":null,\"status\":\"queued\",\"checksum\":null"},
          {A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "r"},
          {A, "PUT", V "/images/$r/file", "KDMV and so on", 400, "but it is vmdk", NULL, NULL, BYTES});
    CHECK_INT(files_kept(), 0);
    steps_end();
}

TEST("an upload that breaks off, and one that is too large, leave nothing")
{
    http_options.upload_limit = 100;
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "i"});
    char *path = steps_expand(V "/images/$i/file");
    int fd = http_connect();
    http_send(fd, "PUT %s HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n" BYTES "Content-Length: 50\r\n\r\nonly some",
              path, steps_tokens[A]);
    CHECK_SOON(files("upload-") != 0); /* until the server has begun to write it */
    close(fd);
    CHECK_SOON(files("upload-") == 0); /* until it has seen that the rest does not come */
    STEPS({A, "GET", V "/images/$i", NULL, 200, "\"status\":\"queued\""});
    char large[102];
    memset(large, 'x', 101);
    large[101] = 0;
    STEPS({A, "PUT", V "/images/$i/file", large, 413, "<title>413 ", NULL, NULL, BYTES});
    STEPS({A, "PUT", V "/images/$i/file", "whole", 204, NULL, NULL, NULL, BYTES},
          {A, "GET", V "/images/$i/file", NULL, 200, "whole"});
    CHECK_INT(files_kept(), 1);
    free(path);
    steps_end();
}

TEST("of two uploads of one image the first to finish wins")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "i"});
    char *path = steps_expand(V "/images/$i/file");
    int fd = http_connect();
    http_send(fd, "PUT %s HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n" BYTES "Content-Length: 5\r\n\r\nslo", path,
              steps_tokens[A]);
    CHECK_SOON(files("upload-") != 0);
    STEPS({A, "PUT", V "/images/$i/file", "quick", 204, NULL, NULL, NULL, BYTES});
    http_send(fd, "ow");
    struct http_answer answer;
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 409);
    http_answer_done(&answer);
    close(fd);
    STEPS({A, "GET", V "/images/$i/file", NULL, 200, "quick"});
    free(path);
    steps_end();
}

TEST("what a crash left under the image's name is replaced by the next upload")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "i"});
    char *name = steps_expand("$i"), path[200];
    snprintf(path, sizeof path, "%s/%s", http_folder, name);
    FILE *orphan = fopen(path, "w");
    CHECK(orphan && fputs("orphan", orphan) >= 0 && fclose(orphan) == 0);
    STEPS({A, "PUT", V "/images/$i/file", "right", 204, NULL, NULL, NULL, BYTES},
          {A, "GET", V "/images/$i/file", NULL, 200, "right"});
    free(name);
    steps_end();
}

static void touch(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", http_folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
}

TEST("the sweep removes files that no image has, when they are old enough, and nothing else")
{
    steps_begin();
    STEPS({A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "active"},
          {A, "PUT", V "/images/$active/file", "hello", 204, NULL, NULL, NULL, BYTES},
          {A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "queued"},
          {A, "POST", V "/images", "{" RAW "}", 201, NULL, NULL, "staged"},
          {A, "PUT", V "/images/$staged/stage", "hello", 204, NULL, NULL, NULL, BYTES});
    char *queued = steps_expand("$queued"), *stale = steps_expand("$active.stage"), *half = steps_expand("$staged");
    touch(queued);
    touch(stale);
    touch(half);
    touch("0b0b0b0b-0000-4000-8000-00000000000b");
    touch("notes.txt");
    CHECK_INT(files_kept(), 7);
    image_service_sweep(&api, 3600);
    CHECK_INT(files_kept(), 7);
    image_service_sweep(&api, 0);
    CHECK_INT(files_kept(), 3);
    STEPS({A, "GET", V "/images/$active/file", NULL, 200, "hello"},
          {A, "POST", V "/images/$staged/import", "{\"method\":{\"name\":\"glance-direct\"}}", 202},
          {A, "GET", V "/images/$staged/file", NULL, 200, "hello"});
    free(queued);
    free(stale);
    free(half);
    steps_end();
}

/* ---- formats ---- */

static unsigned char head[IMAGE_FORMAT_HEAD];

static void put(size_t at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        head[at + i] = (unsigned char)(value >> (8 * (bytes - 1 - i)) & 255);
}

/* A sound version 3 header of a disk of 1 GiB. */
static void qcow2(void)
{
    memset(head, 0, sizeof head);
    memcpy(head, "QFI\xfb", 4);
    put(4, 3, 4);
    put(20, 16, 4);
    put(24, (uint64_t)1 << 30, 8);
    put(100, 104, 4);
}

static int check(const char *format, size_t have, int64_t *ret_virtual, struct error *e)
{
    error_clear(e);
    return image_format_check_header(head, have, 5000, format, ret_virtual, e);
}

TEST("qcow2 headers are read, and whatever points elsewhere is refused")
{
    struct error e = {0};
    int64_t virtual = 0;
    qcow2();
    CHECK_OK(check("qcow2", sizeof head, &virtual, &e), &e);
    CHECK_INT(virtual, (int64_t)1 << 30);
    CHECK_INT(check("raw", sizeof head, &virtual, &e), ERR_INVALID);
    put(8, 512, 8);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "backing file");
    qcow2();
    put(72, 4, 8);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "another file");
    qcow2();
    put(104, 0x44415441, 4);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "another file");
    qcow2();
    put(72, 1 << 20, 8);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    qcow2();
    put(32, 1, 4);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    qcow2();
    put(4, 9, 4);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
    qcow2();
    put(24, UINT64_MAX, 8);
    CHECK_INT(check("qcow2", sizeof head, &virtual, &e), ERR_INVALID);
}

TEST("a header that is cut anywhere is refused, and never read past its end")
{
    struct error e = {0};
    int64_t virtual = 0;
    qcow2();
    put(104, 0x6803f857, 4);
    put(108, UINT32_MAX, 4); /* an extension longer than the file */
    for (size_t have = 0; have <= 200; have++) {
        unsigned char *copy = malloc(have + 1);
        memcpy(copy, head, have);
        int rc = image_format_check_header(copy, have, (int64_t)have, "qcow2", &virtual, &e);
        CHECK_INT(rc, have >= 104 ? 0 : ERR_INVALID);
        error_clear(&e);
        free(copy);
    }
}

TEST("other formats are known by their magic")
{
    struct error e = {0};
    int64_t virtual = 0;
    memset(head, 0, sizeof head);
    CHECK_OK(check("raw", 512, &virtual, &e), &e);
    CHECK_INT(virtual, 5000);
    static const char *const formats[] = {"vmdk", "vhdx", "vhd", "vdi", "iso", "qcow2"};
    for (size_t i = 0; i < 6; i++)
        CHECK_INT(check(formats[i], sizeof head, &virtual, &e), ERR_INVALID);
    memcpy(head + 32769, "CD001", 5);
    CHECK_OK(check("iso", sizeof head, &virtual, &e), &e);
    CHECK_OK(check("raw", sizeof head, &virtual, &e), &e); /* a hybrid image is both */
    memcpy(head, "vhdxfile", 8);
    CHECK_OK(check("vhdx", sizeof head, &virtual, &e), &e);
    CHECK_INT(virtual, -1);
    CHECK_OK(check("ami", sizeof head, &virtual, &e), &e);
}
