/* Lists of servers, and their metadata and tags. */
#include "tests/unit/api/servers_fixture.h"

TEST("lists page by links, sort, filter, and refuse what they do not know")
{
    begin();
    for (int i = 0; i < 5; i++)
        create("");
    const char *path = BASE "/servers?limit=2&sort_key=uuid&sort_dir=asc";
    size_t count = 0;
    for (int page = 0; path; page++) {
        json_value *root = parse(ask("GET", path, http_token, 0, NULL, 200));
        json_value *next = json_in_item(json_in_member(root, "servers_links"), 0);
        const char *href = json_in_text(json_in_member(next, "href"));
        count += json_in_count(json_in_member(root, "servers"));
        path = href ? arena_strdup(&compute_arena, strstr(href, BASE)) : NULL;
        CHECK(page < 4);
    }
    CHECK_INT(count, 5);
    static const struct {
        const char *query;
        int version, status;
    } rows[] = {
        {"limit=x", 0, 400},
        {"limit=-1", 0, 400},
        {"limit=0", 0, 200},
        {"marker=nothing", 0, 400},
        {"sort_key=colour", 0, 400},
        {"sort_key=host", 0, 403},
        {"sort_dir=up", 0, 400},
        {"status=foo", 0, 200},
        {"status=foo", 38, 400},
        {"status=deleted", 0, 403},
        {"changes-since=x", 0, 400},
        {"colour=red", 74, 200},
        {"colour=red", 75, 400},
        {"name=(", 0, 400},
        {"name=a{9}", 0, 200},
        {"tags=x", 0, 200},
        {"all_tenants=perhaps", 0, 400},
        {"locked=perhaps", 73, 400},
        {"deleted=1", 0, 200},
        {"ip=10", 0, 200},
        {"sort_key=locked", 72, 200},
        {"sort_key=vcpus", 74, 200},
        {"sort_key=vcpus", 75, 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ask("GET", at(BASE "/servers?%s", rows[i].query), http_token, rows[i].version, NULL, rows[i].status);
    end();
}

TEST("metadata and tags are read, merged, replaced and removed")
{
    begin();
    const char *id = run_server(), *m = at(BASE "/servers/%s/metadata", id), *t = at(BASE "/servers/%s/tags", id);
    CHECK_TEXT(ask("POST", m, http_token, 0, "{\"metadata\":{\"a\":\"1\",\"b\":\"2\"}}", 200),
               "{\"metadata\":{\"a\":\"1\",\"b\":\"2\"}}");
    CHECK_TEXT(ask("PUT", at("%s/b", m), http_token, 0, "{\"meta\":{\"b\":\"3\"}}", 200), "{\"meta\":{\"b\":\"3\"}}");
    ask("PUT", at("%s/c", m), http_token, 0, "{\"meta\":{\"b\":\"3\"}}", 400);
    ask("DELETE", at("%s/a", m), http_token, 0, NULL, 204);
    ask("DELETE", at("%s/a", m), http_token, 0, NULL, 404);
    CHECK_TEXT(ask("GET", m, http_token, 0, NULL, 200), "{\"metadata\":{\"b\":\"3\"}}");
    CHECK_TEXT(ask("PUT", m, http_token, 0, "{\"metadata\":{}}", 200), "{\"metadata\":{}}");
    ask("GET", t, http_token, 25, NULL, 404);
    ask("PUT", at("%s/blue", t), http_token, 26, NULL, 201);
    ask("PUT", at("%s/blue", t), http_token, 26, NULL, 204);
    CHECK_TEXT(ask("PUT", t, http_token, 26, "{\"tags\":[\"z\",\"a\",\"z\"]}", 200), "{\"tags\":[\"a\",\"z\"]}");
    ask("GET", at("%s/a", t), http_token, 26, NULL, 204);
    ask("DELETE", at("%s/a", t), http_token, 26, NULL, 204);
    ask("GET", at("%s/a", t), http_token, 26, NULL, 404);
    ask("DELETE", t, http_token, 26, NULL, 204);
    CHECK_TEXT(ask("GET", t, http_token, 26, NULL, 200), "{\"tags\":[]}");
    const char *building = create("");
    CHECK_CONTAINS(ask("PUT", at(BASE "/servers/%s/metadata", building), http_token, 0, "{\"metadata\":{}}", 409),
                   "Cannot 'update metadata' instance");
    end();
}
