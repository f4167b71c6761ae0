/* Servers over HTTP: an API with a host, an image, flavors and three callers, and the requests that tests of servers
 * make. Included once by a test. */
#pragma once
#include "api/compute/compute.h"
#include "tests/unit/api/http_fixture.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&compute_service, &compute_root_service, NULL};

#define MINE  "ffffffffffffffffffffffffffffffff" /* http_token's project */
#define HOST  "aaaaaaaa-0000-4000-8000-000000000001"
#define IMAGE "bbbbbbbb-0000-4000-8000-000000000001"
#define BASE  "/compute/v2.1"

static char admin[TOKEN_SIZE], stranger[TOKEN_SIZE];
static struct db_conn *conn;

__attribute__((unused)) static void begin(void)
{
    struct error e = {0};
    http_begin();
    arena_init(&compute_arena);
    http_issue("99999999999999999999999999999999", ROLE_READER | ROLE_MEMBER | ROLE_ADMIN, admin);
    http_issue("88888888888888888888888888888888", ROLE_READER | ROLE_MEMBER, stranger);
    CHECK_OK(db_conn_open(api.db, &conn, &e), &e);
    fixture_script(
        api.db,
        "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille, "
        "is_public, disabled, created_us) VALUES ('1', 'small', 1, 64, 1, 0, 0, 1000, 1, 0, 1), "
        "('2', 'secret', 1, 64, 1, 0, 0, 1000, 0, 0, 2), ('3', 'diskless', 1, 64, 0, 0, 0, 1000, 1, 0, 3);"
        "INSERT INTO image (id, name, status, visibility, disk_format, container_format, size_bytes, hash_algo, "
        "hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, updated_us, "
        "revision) VALUES ('" IMAGE "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, 'sha512', 'ab', 0, "
        "0, 0, 0, '{\"hw_disk_bus\":\"ide\"}', '[]', 1, 1, 1);");
    compute_add_host(conn, HOST);
}

__attribute__((unused)) static void end(void)
{
    compute_check_invariants(conn);
    db_conn_close(&conn);
    arena_done(&compute_arena);
    http_end();
}

/* Asks and checks the status; the body is in the arena. */
__attribute__((unused)) static const char *ask(const char *method, const char *path, const char *token, int version,
                                               const char *body, int status)
{
    char headers[200] = JSON_TYPE;
    if (version)
        snprintf(headers, sizeof(headers), JSON_TYPE "OpenStack-API-Version: compute 2.%d\r\n", version);
    struct http_answer answer = http_ask(method, path, token, headers, body);
    const char *text = arena_strdup(&compute_arena, answer.body ? answer.body : "");
    if (answer.status != status)
        check_fail(__FILE__, __LINE__, "%s %s gave %d and not %d: %s", method, path, answer.status, status, text);
    http_answer_done(&answer);
    return text;
}

static const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *at(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(&compute_arena, format, args);
    va_end(args);
    return text;
}

/* The text of a top-level object's member in the answer. */
__attribute__((unused)) static json_value *parse(const char *text)
{
    static struct json_doc doc; /* leaked between asks on purpose: freed at the next */
    struct error e = {0};
    if (doc.root)
        json_in_done(&doc);
    doc = (struct json_doc){0};
    CHECK_OK(json_in_parse(text, strlen(text), &doc, &e), &e);
    return doc.root;
}

__attribute__((unused)) static const char *create(const char *more)
{
    const char *text =
        ask("POST", BASE "/servers", http_token, 0,
            at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"%s}}", more), 202);
    return arena_strdup(&compute_arena, json_in_text(json_in_member(json_in_member(parse(text), "server"), "id")));
}

__attribute__((unused)) static json_value *show(const char *id, int version, const char *token)
{
    return json_in_member(parse(ask("GET", at(BASE "/servers/%s", id), token, version, NULL, 200)), "server");
}

/* Placed and running, as scheduler and agent would do it. */
__attribute__((unused)) static int run_run(struct db_conn *c, void *arg, struct error *e)
{
    struct server_row row;
    int rc = store_server_get(c, arg, &compute_arena, &row, e);
    row.observed_state = SERVER_STATE_RUNNING;
    row.observed_revision = row.desired_revision;
    row.launched_us = clock_now_us();
    row.deadline_us = 0;
    if (!rc)
        rc = store_operation_end_all(c, row.id, OPERATION_FINISH, NULL, clock_now_us(), e);
    return rc ? rc : store_server_move(c, &row, e);
}

__attribute__((unused)) static const char *run_server(void)
{
    const char *id = create("");
    compute_place(conn, id, HOST);
    compute_transact(conn, run_run, (void *)(uintptr_t)id);
    return id;
}

/* The pattern with every parameter replaced. */
__attribute__((unused)) static const char *fill(const char *pattern, const char *value)
{
    struct strbuf to;
    strbuf_init(&to, 0);
    strbuf_append_text(&to, BASE);
    for (const char *p = pattern; *p; p++) {
        if (*p != '{') {
            strbuf_append_char(&to, *p);
            continue;
        }
        strbuf_append_text(&to, value);
        p = strchr(p, '}');
    }
    const char *text = arena_strdup(&compute_arena, to.data);
    strbuf_done(&to);
    return text;
}
