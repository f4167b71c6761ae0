/* The catalog is the same for everybody but for the names in its URLs, and hardly ever changes: each HTTP thread keeps
 * its JSON with gaps where the names go, as long as the catalog's epoch stands. A writer may see what is never
 * committed, so it makes its own each time (a login costs more than that anyway). */
#include "api/identity/catalog.h"
#include "common/memory.h"
#include "db/store_catalog.h"
#include "db/store_endpoint.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum name { NAME_BASE, NAME_PROJECT, NAME_TENANT, NAME_USER, NAME_COUNT };
static const char *const names[NAME_COUNT] = {"base", "project_id", "tenant_id", "user_id"};

struct gap {
    size_t at; /* in the JSON */
    enum name name;
};
struct catalog {
    bool built, with_project;
    int64_t epoch;
    struct strbuf json; /* the array */
    struct gap *gaps;
    size_t gap_count;
};

static void init(struct catalog *c, bool with_project)
{
    *c = (struct catalog){.with_project = with_project};
    strbuf_init(&c->json, 0);
}

static void done(struct catalog *c)
{
    strbuf_done(&c->json);
    free(c->gaps);
}

struct builder {
    struct catalog *catalog;
    struct json_out out;
    struct strbuf url, part;
    char service_id[65];
};

static void close_service(struct builder *b)
{
    if (!*b->service_id)
        return;
    json_out_array_end(&b->out);
    json_out_object_end(&b->out);
}

static void open_service(struct builder *b, const char *type, const char *name, const char *id)
{
    if (strcmp(b->service_id, id) == 0)
        return;
    close_service(b);
    memset(b->service_id, 0, sizeof(b->service_id));
    memcpy(b->service_id, id, strnlen(id, sizeof(b->service_id) - 1));
    json_out_object(&b->out, NULL);
    json_out_text(&b->out, "id", id);
    json_out_text(&b->out, "type", type);
    json_out_text(&b->out, "name", name ? name : "");
    json_out_array(&b->out, "endpoints");
}

/* $(name)s or %(name)s at the start of `url`: its length and which; 0 for anything else. */
static size_t find_name(const char *url, enum name *ret)
{
    if ((url[0] != '$' && url[0] != '%') || url[1] != '(')
        return 0;
    for (enum name name = 0; name < NAME_COUNT; name++) {
        size_t size = strlen(names[name]);
        if (strncmp(url + 2, names[name], size) == 0 && strncmp(url + 2 + size, ")s", 2) == 0) {
            *ret = name;
            return size + 4;
        }
    }
    return 0;
}

/* Whether the URL wants a project. */
static bool wants_project(const char *url)
{
    enum name name;
    for (; *url; url++)
        if (find_name(url, &name) && (name == NAME_PROJECT || name == NAME_TENANT))
            return true;
    return false;
}

/* As json_out_text, without the quotes. */
static void add_escaped(struct strbuf *to, struct strbuf *part, const char *text, size_t size)
{
    struct json_out out;
    strbuf_reset(part);
    json_out_init(&out, part);
    json_out_text_n(&out, NULL, text, size);
    strbuf_append(to, part->data + 1, part->size - 2);
}

/* The URL as JSON into b->url; its gaps, counted from there, at the end of the catalog's. */
static void make_url(struct builder *b, const char *url)
{
    struct catalog *c = b->catalog;
    const char *plain = url;
    enum name name;
    strbuf_reset(&b->url);
    strbuf_append_char(&b->url, '"');
    while (*url) {
        size_t size = find_name(url, &name);
        if (!size) {
            url++;
            continue;
        }
        add_escaped(&b->url, &b->part, plain, (size_t)(url - plain));
        c->gaps = memory_resize(c->gaps, (c->gap_count + 1) * sizeof(*c->gaps));
        c->gaps[c->gap_count++] = (struct gap){b->url.size, name};
        plain = url += size;
    }
    add_escaped(&b->url, &b->part, plain, (size_t)(url - plain));
    strbuf_append_char(&b->url, '"');
}

static int add_endpoint(void *arg, const char *type, const char *name, const struct endpoint_row *row, struct error *e)
{
    (void)e;
    struct builder *b = arg;
    struct catalog *c = b->catalog;
    open_service(b, type, name, row->service_id);
    if (!c->with_project && wants_project(row->url))
        return 0;
    size_t first = c->gap_count;
    make_url(b, row->url);
    json_out_object(&b->out, NULL);
    json_out_text(&b->out, "id", row->id);
    json_out_text(&b->out, "interface", row->interface);
    json_out_text(&b->out, "region_id", row->region_id);
    json_out_text(&b->out, "region", row->region_id);
    json_out_raw(&b->out, "url", b->url.data);
    for (size_t i = first; i < c->gap_count; i++)
        c->gaps[i].at += c->json.size - b->url.size;
    json_out_object_end(&b->out);
    return 0;
}

static int build(struct db_conn *conn, struct catalog *c, struct error *e)
{
    struct builder b = {.catalog = c};
    strbuf_init(&b.url, 0);
    strbuf_init(&b.part, 0);
    strbuf_reset(&c->json);
    c->gap_count = 0;
    json_out_init(&b.out, &c->json);
    json_out_array(&b.out, NULL);
    int rc = store_endpoint_each_in_catalog(conn, add_endpoint, &b, e);
    close_service(&b);
    json_out_array_end(&b.out);
    if (!rc && json_out_error(&b.out))
        rc = error_set(e, ERR_INTERNAL, "The catalog is too large");
    strbuf_done(&b.url);
    strbuf_done(&b.part);
    return rc;
}

/* The catalog with its gaps filled. */
static void show(const struct catalog *c, struct json_out *out, const char *const values[NAME_COUNT], struct arena *a)
{
    struct strbuf escaped[NAME_COUNT], part;
    size_t size = c->json.size + 1, from = 0;
    strbuf_init(&part, 0);
    for (enum name name = 0; name < NAME_COUNT; name++) {
        strbuf_init(&escaped[name], 0);
        if (values[name])
            add_escaped(&escaped[name], &part, values[name], strlen(values[name]));
    }
    for (size_t i = 0; i < c->gap_count; i++)
        size += escaped[c->gaps[i].name].size;
    char *text = arena_alloc(a, size), *at = text;
    for (size_t i = 0; i < c->gap_count; i++) {
        const struct strbuf *value = &escaped[c->gaps[i].name];
        at = mempcpy(at, c->json.data + from, c->gaps[i].at - from);
        at = mempcpy(at, value->data, value->size);
        from = c->gaps[i].at;
    }
    memcpy(at, c->json.data + from, c->json.size - from);
    json_out_raw(out, "catalog", text);
    for (enum name name = 0; name < NAME_COUNT; name++)
        strbuf_done(&escaped[name]);
    strbuf_done(&part);
}

/* This thread's two, without and with a project; freed when it ends. */
static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void kept_free(void *kept)
{
    struct catalog *catalogs = kept;
    done(&catalogs[0]);
    done(&catalogs[1]);
    free(catalogs);
}

static void kept_start(void)
{
    pthread_key_create(&kept_key, kept_free);
}

static struct catalog *kept_find(bool with_project)
{
    pthread_once(&kept_once, kept_start);
    struct catalog *kept = pthread_getspecific(kept_key);
    if (!kept) {
        kept = memory_array(2, sizeof(*kept));
        init(&kept[0], false);
        init(&kept[1], true);
        pthread_setspecific(kept_key, kept);
    }
    return &kept[with_project];
}

/* Builds it anew unless the epoch still stands. The epoch is read first: what is built may be newer, never older. */
static int refresh(struct db_conn *conn, struct catalog *c, struct error *e)
{
    int64_t epoch = 0;
    int rc = store_catalog_epoch(conn, &epoch, e);
    if (rc || (c->built && c->epoch == epoch))
        return rc;
    rc = build(conn, c, e);
    c->built = !rc;
    c->epoch = epoch;
    return rc;
}

int catalog_write(struct request *request, struct json_out *out, const char *project_id, const char *user_id)
{
    const char *const values[NAME_COUNT] = {[NAME_BASE] = request_base_url(request),
                                            [NAME_PROJECT] = project_id,
                                            [NAME_TENANT] = project_id,
                                            [NAME_USER] = user_id};
    struct catalog own, *c = &own;
    int rc;
    init(&own, project_id != NULL);
    if (request->route->kind == ROUTE_READ) {
        c = kept_find(project_id != NULL);
        rc = refresh(request->conn, c, &request->error);
    } else {
        rc = build(request->conn, c, &request->error);
    }
    if (!rc)
        show(c, out, values, &request->arena);
    done(&own);
    return rc;
}
