/* What is read from request lines and headers, byte by byte. */
#include "api/http/header.h"
#include "api/http/metrics.h"
#include "api/http/uri.h"
#include "tests/unit/check.h"

static struct arena arena;
static struct uri uri;

static int parse(const char *raw)
{
    struct error e = {0};
    return uri_parse(raw, &arena, &uri, &e);
}

TEST("a path is cut into decoded segments")
{
    CHECK_INT(parse("/a/b%2Fc/d%20e/"), 0);
    CHECK_INT(uri.count, 3);
    CHECK_TEXT(uri.segments[1], "b/c");
    CHECK_TEXT(uri.segments[2], "d e");
    CHECK_TEXT(uri.path, "/a/b/c/d e");
    CHECK_TEXT(uri.path + uri.offsets[1], "b/c/d e");
    CHECK_INT(parse("/"), 0);
    CHECK_INT(uri.count, 0);
    CHECK_TEXT(uri.path, "/");
    CHECK_INT(parse("/+"), 0);
    CHECK_TEXT(uri.segments[0], "+");
    arena_done(&arena);
}

TEST("a query is cut into decoded arguments, in order, with repeats")
{
    CHECK_INT(parse("/a?x=1&y=b%20c+d&x=%26&&flag&=v&z=a=b"), 0);
    static const char *const wanted[][2] = {{"x", "1"},   {"y", "b c d"}, {"x", "&"},
                                            {"flag", ""}, {"", "v"},      {"z", "a=b"}};
    CHECK_INT(uri.argument_count, 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK_TEXT(uri.arguments[i].name, wanted[i][0]);
        CHECK_TEXT(uri.arguments[i].value, wanted[i][1]);
    }
    CHECK_TEXT(uri.query, "x=1&y=b%20c+d&x=%26&&flag&=v&z=a=b");
    CHECK_INT(parse("/a?"), 0);
    CHECK_INT(uri.argument_count, 0);
    CHECK_TEXT(uri.query, "");
    arena_done(&arena);
}

TEST("the absolute form is the path behind its authority")
{
    CHECK_INT(parse("http://cloud.example:8774/a?b=c"), 0);
    CHECK_TEXT(uri.path, "/a");
    CHECK_INT(parse("HTTPS://cloud.example"), 0);
    CHECK_TEXT(uri.path, "/");
    arena_done(&arena);
}

TEST("what is not text or has two meanings is refused")
{
    static const char *const bad[] = {
        "",         "a",           "*",

        "/a//b",    "/.",          "/..",
        "/a/../b",  "/a/%2e%2e/b", "/%",
        "/%4",      "/%4g",        "/%00",
        "/%ff",     "/%c3",        "/a%0d",
        "/\x7f",    "/a?%",        "/a?x=%1",
        "/a?x=%00", "/a?%ff=1",    "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i]) != ERR_INVALID)
            check_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    arena_done(&arena);
}

TEST("Accept is read leniently")
{
    static const struct {
        const char *accept;
        bool json;
    } cases[] = {
        {NULL, true},
        {"", true},
        {"*/*", true},
        {"application/json", true},
        {"APPLICATION/JSON;q=0.5", true},
        {"text/html, application/*;q=0.1", true},
        {"application/vnd.openstack.x+json", true},
        {"text/plain", true},
        {"text/html", false},
        {"text/html, application/xml", false},
        {"application/json;q=0", false},
        {"application/json;q=0.00, text/html", false},
        {" , ,application/json", true},
        {"application/octet-stream", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (header_accepts_json(cases[i].accept) != cases[i].json)
            check_fail(__FILE__, __LINE__, "Accept: %s", cases[i].accept);
}

TEST("gzip is used only when it is wanted")
{
    CHECK(header_accepts_gzip("gzip"));
    CHECK(header_accepts_gzip("deflate, GZIP;q=0.2"));
    CHECK(header_accepts_gzip("*"));
    CHECK(!header_accepts_gzip(NULL));
    CHECK(!header_accepts_gzip(""));
    CHECK(!header_accepts_gzip("deflate, br"));
    CHECK(!header_accepts_gzip("gzip;q=0"));
    CHECK(!header_accepts_gzip("*, gzip;q=0.0"));
}

TEST("kinds of JSON are told apart")
{
    CHECK_INT(header_read_media(NULL), HEADER_MEDIA_NONE);
    CHECK_INT(header_read_media(""), HEADER_MEDIA_NONE);
    CHECK_INT(header_read_media("application/json"), HEADER_MEDIA_JSON);
    CHECK_INT(header_read_media("Application/JSON ; charset=UTF-8"), HEADER_MEDIA_JSON);
    CHECK_INT(header_read_media("application/json; charset=\"utf-8\""), HEADER_MEDIA_JSON);
    CHECK_INT(header_read_media("application/json; charset=latin1"), HEADER_MEDIA_OTHER);
    CHECK_INT(header_read_media("application/openstack-images-v2.1-json-patch"), HEADER_MEDIA_JSONS);
    CHECK_INT(header_read_media("application/merge-patch+json"), HEADER_MEDIA_JSONS);
    CHECK_INT(header_read_media("text/xml"), HEADER_MEDIA_OTHER);
}

TEST("request ids, lengths and keys are checked")
{
    CHECK(header_is_request_id("req-0190a0b1-0000-7000-8000-000000000000"));
    CHECK(!header_is_request_id("req-0190a0b1-0000-7000-8000-00000000000"));
    CHECK(!header_is_request_id("req-0190a0b10000700080000000000000000000"));
    CHECK(!header_is_request_id("0190a0b1-0000-7000-8000-000000000000"));
    CHECK(!header_is_request_id(NULL));
    CHECK_INT(header_read_length("0"), 0);
    CHECK_INT(header_read_length("123456789012345678"), 123456789012345678);
    CHECK_INT(header_read_length("1234567890123456789"), -1);
    CHECK_INT(header_read_length("-1"), -1);
    CHECK_INT(header_read_length("+1"), -1);
    CHECK_INT(header_read_length("1x"), -1);
    CHECK_INT(header_read_length(""), -1);
    CHECK(header_is_key("a key"));
    CHECK(!header_is_key(""));
    CHECK(!header_is_key("tab\t"));
}

static double five(void *arg)
{
    return arg ? *(double *)arg : 5;
}

static void states(struct metrics_out *out, void *arg)
{
    (void)arg;
    char label[40];
    metrics_label("state", "a\"b\\c\nd", label, sizeof(label));
    metrics_sample(out, label, 1);
    metrics_sample(out, "state=\"x\"", 2.5);
}

TEST("a client is believed to be who a trusted proxy says, and nobody else")
{
    static const struct {
        const char *from, *forwarded, *proxies, *client;
    } rows[] = {
        {"192.0.2.1", NULL, "10.0.0.1", "192.0.2.1"},
        {"192.0.2.1", "198.51.100.7", "10.0.0.1", "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7", "10.0.0.1", "198.51.100.7"},
        {"10.0.0.1", NULL, "10.0.0.1", "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.9, 198.51.100.7", "10.0.0.1", "198.51.100.7"},
        {"10.0.0.1", "203.0.113.9, 198.51.100.7 ,10.0.0.2", "10.0.0.1, 10.0.0.2", "198.51.100.7"},
        {"10.0.0.1", "203.0.113.9,10.0.0.2", "10.0.0.0/8", "203.0.113.9"},
        {"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.0/8", "10.0.0.3"},
        {"10.0.0.1", "203.0.113.9, nonsense", "10.0.0.0/8", "10.0.0.1"},
        {"10.0.0.1", "203.0.113.9, nonsense, 10.0.0.2", "10.0.0.0/8", "10.0.0.2"},
        {"10.0.0.1", "2001:DB8::1", "10.0.0.1,fd00::/8", "2001:db8::1"},
        {"fd00::1", "2001:db8::1,", "fd00::/8", "fd00::1"},
        {"", "192.0.2.1", "10.0.0.1", ""},
        {"10.0.0.1", "192.0.2.1", "nonsense,,/", "10.0.0.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char client[IP_TEXT_SIZE];
        header_read_client(rows[i].from, rows[i].forwarded, rows[i].proxies, client);
        CHECK_TEXT(client, rows[i].client);
    }
}

TEST("figures are written as Prometheus reads them, one head for each name")
{
    struct strbuf text;
    double half = 0.5;
    struct metrics *m = metrics_new();
    metrics_gauge(m, "virga_a", "An a.", "port=\"x\"", five, NULL);
    metrics_counter(m, "virga_b_total", "A b.", "", five, &half);
    metrics_gauge(m, "virga_a", "An a.", "port=\"y\"", five, &half);
    metrics_collect(m, "virga_c", "By state.", "gauge", states, NULL);
    size_t route = metrics_route(m, "compute", "GET", "/servers/{id}");
    CHECK_INT(metrics_route(m, "compute", "GET", "/servers/{id}"), route);
    metrics_request(m, route, 200, 700);
    metrics_request(m, route, 404, 20 * 1000000);
    strbuf_init(&text, 0);
    metrics_text(m, &text);
    CHECK_CONTAINS(text.data,
                   "# HELP virga_a An a.\n# TYPE virga_a gauge\nvirga_a{port=\"x\"} 5\nvirga_a{port=\"y\"} 0.5\n");
    CHECK_CONTAINS(text.data, "# TYPE virga_b_total counter\nvirga_b_total 0.5\n");
    CHECK_CONTAINS(text.data, "virga_c{state=\"a\\\"b\\\\c\\nd\"} 1\nvirga_c{state=\"x\"} 2.5\n");
    CHECK_CONTAINS(text.data, "route=\"/servers/{id}\",status=\"2xx\"} 1\n");
    CHECK_CONTAINS(text.data, "route=\"/servers/{id}\",status=\"4xx\"} 1\n");
    CHECK_CONTAINS(text.data, "le=\"0.0005\"} 0\n");
    CHECK_CONTAINS(text.data, "le=\"0.001\"} 1\n");
    CHECK_CONTAINS(text.data, "le=\"10\"} 1\n");
    CHECK_CONTAINS(text.data, "le=\"+Inf\"} 2\n");
    CHECK_CONTAINS(
        text.data,
        "virga_http_request_seconds_sum{service=\"compute\",method=\"GET\",route=\"/servers/{id}\"} 20.000700\n");
    strbuf_done(&text);
    metrics_free(&m);
}
