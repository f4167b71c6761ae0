/* JSON in and out. */
#include "common/error.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/utf8.h"
#include "tests/unit/check.h"
#include <math.h>

/* ---- out ---- */

static const char *out_text(struct strbuf *s, const char *text, size_t size)
{
    struct json_out o;
    strbuf_reset(s);
    json_out_init(&o, s);
    json_out_text_n(&o, NULL, text, size);
    CHECK_INT(json_out_error(&o), 0);
    return s->data;
}

TEST("objects, arrays and every kind of value come out as JSON")
{
    struct strbuf s;
    struct json_out o;
    strbuf_init(&s, 0);
    json_out_init(&o, &s);
    json_out_object(&o, NULL);
    json_out_text(&o, "text", "a\"b");
    json_out_text(&o, "none", NULL);
    json_out_textf(&o, "made", "%d/%s", 5, "x");
    json_out_int(&o, "least", INT64_MIN);
    json_out_int(&o, "zero", 0);
    json_out_uint(&o, "most", UINT64_MAX);
    json_out_bool(&o, "yes", true);
    json_out_number(&o, "tenth", 0.1);
    json_out_raw(&o, "raw", "{\"x\":[]}");
    json_out_raw(&o, "raw_none", "");
    json_out_array(&o, "list");
    json_out_array(&o, NULL);
    json_out_array_end(&o);
    json_out_object(&o, NULL);
    json_out_object_end(&o);
    json_out_bool(&o, NULL, false);
    json_out_null(&o, NULL);
    json_out_array_end(&o);
    json_out_object_end(&o);
    CHECK_INT(json_out_error(&o), 0);
    CHECK_TEXT(s.data, "{\"text\":\"a\\\"b\",\"none\":null,\"made\":\"5/x\",\"least\":-9223372036854775808,\"zero\":0,"
                       "\"most\":18446744073709551615,\"yes\":true,\"tenth\":0.1,\"raw\":{\"x\":[]},\"raw_none\":null,"
                       "\"list\":[[],{},false,null]}");
    strbuf_done(&s);
}

TEST("every byte below 128 comes back from JSON as it went in")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    for (int c = 1; c < 128; c++) {
        char text[3] = {'x', (char)c, 0};
        struct json_doc doc = {0};
        struct error e = {0};
        out_text(&s, text, 2);
        CHECK_OK(json_in_parse(s.data, s.size, &doc, &e), &e);
        CHECK_TEXT(json_in_text(doc.root), text);
        json_in_done(&doc);
    }
    CHECK_TEXT(out_text(&s, "\0\x1f\n\t\r\b\f\x7f/", 9), "\"\\u0000\\u001f\\n\\t\\r\\b\\f\x7f/\"");
    strbuf_done(&s);
}

TEST("an expected key is written as any other, once, and one that is not used does no harm")
{
    static const struct json_out_key first = JSON_OUT_KEY("first"), second = JSON_OUT_KEY("second");
    struct strbuf s;
    struct json_out o;
    strbuf_init(&s, 0);
    json_out_init(&o, &s);
    json_out_object(&o, NULL);
    json_out_expect(&o, &first);
    json_out_text(&o, first.name, "a");
    json_out_expect(&o, &second);
    json_out_object(&o, second.name);
    json_out_expect(&o, &first);
    json_out_int(&o, "other", 1);
    json_out_int(&o, first.name, 2);
    json_out_object_end(&o);
    json_out_null(&o, second.name);
    json_out_object_end(&o);
    CHECK_INT(json_out_error(&o), 0);
    CHECK_TEXT(s.data, "{\"first\":\"a\",\"second\":{\"other\":1,\"first\":2},\"second\":null}");
    strbuf_done(&s);
}

/* Texts are copied in blocks whose last one overlaps the one before. */
TEST("a text of any length has its special characters escaped wherever they stand, also when it comes in two parts")
{
    struct strbuf got, wanted;
    struct json_out o;
    char text[81] = {0}, copy[81];
    strbuf_init(&got, 0);
    strbuf_init(&wanted, 0);
    for (size_t size = 0; size < sizeof(text) - 1; size++)
        for (size_t at = 0; at <= size; at++) { /* at == size: none */
            memset(text, 'a', size);
            text[size] = 0;
            if (at < size)
                text[at] = "\"\\\n\x1f"[(size + at) % 4];
            memcpy(copy, text, sizeof(copy));
            copy[at] = 0;
            static const char *const escaped[] = {"\\\"", "\\\\", "\\n", "\\u001f"};
            strbuf_reset(&wanted);
            strbuf_appendf(&wanted, "\"%s%s%s\"", copy, at < size ? escaped[(size + at) % 4] : "",
                           at < size ? text + at + 1 : "");
            strbuf_reset(&got);
            json_out_init(&o, &got);
            json_out_text(&o, NULL, text);
            CHECK_TEXT(got.data, wanted.data);
            strbuf_reset(&got);
            json_out_init(&o, &got);
            json_out_text2(&o, NULL, copy, text + at);
            CHECK_TEXT(got.data, wanted.data);
        }
    strbuf_done(&got);
    strbuf_done(&wanted);
}

TEST("text that is not UTF-8 is repaired, byte by byte")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    CHECK_TEXT(out_text(&s, "h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10), "\"h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    CHECK_TEXT(out_text(&s,
                        "a\xff"
                        "b",
                        3),
               "\"a\xef\xbf\xbd"
               "b\"");
    CHECK_TEXT(out_text(&s, "\xc0\x80", 2), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_TEXT(out_text(&s, "\xe2\x82", 2), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_TEXT(out_text(&s, "\xed\xa0\x80", 3), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    for (int c = 128; c < 256; c++) {
        char text[2] = {(char)c, 'x'};
        CHECK(utf8_valid(out_text(&s, text, 2), s.size));
    }
    strbuf_done(&s);
}

TEST("numbers take as few digits as read back")
{
    static const double numbers[] = {0, 1, -1.5, 0.1, 1.0 / 3, 1e300, 5e-324, 123456789.125, 0.1 + 0.2, 1e15, 2.5e-7};
    struct strbuf s;
    struct json_out o;
    strbuf_init(&s, 0);
    for (size_t i = 0; i < JSON_COUNT(numbers); i++) {
        strbuf_reset(&s);
        json_out_init(&o, &s);
        json_out_number(&o, NULL, numbers[i]);
        CHECK(strtod(s.data, NULL) == numbers[i]);
    }
    strbuf_reset(&s);
    json_out_init(&o, &s);
    json_out_array(&o, NULL);
    json_out_number(&o, NULL, 0.3);
    json_out_number(&o, NULL, NAN);
    json_out_number(&o, NULL, INFINITY);
    json_out_array_end(&o);
    CHECK_TEXT(s.data, "[0.3,null,null]");
    strbuf_done(&s);
}

TEST("a full buffer is told once, at the end")
{
    struct strbuf s;
    struct json_out o;
    strbuf_init(&s, 20);
    json_out_init(&o, &s);
    json_out_array(&o, NULL);
    for (int i = 0; i < 100; i++)
        json_out_int(&o, NULL, i);
    json_out_textf(&o, NULL, "%s", "longer than twenty bytes");
    json_out_array_end(&o);
    CHECK_INT(json_out_error(&o), ERR_TOO_LARGE);
    strbuf_done(&s);
}

static struct strbuf misuse_buffer;
static struct json_out misuse_out(void)
{
    struct json_out o;
    strbuf_init(&misuse_buffer, 0);
    json_out_init(&o, &misuse_buffer);
    return o;
}
static void misuse_key_in_array(void)
{
    struct json_out o = misuse_out();
    json_out_array(&o, NULL);
    json_out_int(&o, "key", 1);
}
static void misuse_no_key_in_object(void)
{
    struct json_out o = misuse_out();
    json_out_object(&o, NULL);
    json_out_int(&o, NULL, 1);
}
static void misuse_unclosed(void)
{
    struct json_out o = misuse_out();
    json_out_object(&o, NULL);
    json_out_error(&o);
}
static void misuse_wrong_end(void)
{
    struct json_out o = misuse_out();
    json_out_object(&o, NULL);
    json_out_array_end(&o);
}
static void misuse_end_of_nothing(void)
{
    struct json_out o = misuse_out();
    json_out_object_end(&o);
}
static void misuse_two_values(void)
{
    struct json_out o = misuse_out();
    json_out_int(&o, NULL, 1);
    json_out_int(&o, NULL, 2);
}
static void misuse_depth(void)
{
    struct json_out o = misuse_out();
    for (int i = 0; i <= JSON_OUT_DEPTH; i++)
        json_out_array(&o, NULL);
}
TEST("misuse of the writer aborts")
{
    CHECK(check_aborts(misuse_key_in_array));
    CHECK(check_aborts(misuse_no_key_in_object));
    CHECK(check_aborts(misuse_unclosed));
    CHECK(check_aborts(misuse_wrong_end));
    CHECK(check_aborts(misuse_end_of_nothing));
    CHECK(check_aborts(misuse_two_values));
    CHECK(check_aborts(misuse_depth));
}

TEST("the deepest nesting that may be read may also be written")
{
    struct strbuf s;
    struct json_out o;
    struct json_doc doc = {0};
    struct error e = {0};
    strbuf_init(&s, 0);
    json_out_init(&o, &s);
    for (int i = 0; i < JSON_OUT_DEPTH - 1; i++)
        json_out_array(&o, NULL);
    for (int i = 0; i < JSON_OUT_DEPTH - 1; i++)
        json_out_array_end(&o);
    CHECK_OK(json_in_parse(s.data, s.size, &doc, &e), &e);
    json_in_done(&doc);
    strbuf_done(&s);
}

/* ---- parsing ---- */

TEST("valid JSON is read, and printed again means the same")
{
    static const char *const texts[][2] = {
        {"{}", "{}"},
        {" { \"a\" : [ 1 , true , null , \"x\" ] } \r\n\t", "{\"a\":[1,true,null,\"x\"]}"},
        {"1", "1"},
        {"-0", "0"},
        {"null", "null"},
        {"\"\"", "\"\""},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"\"\\u00e4\\n\\/\\\\\"", "\"\xc3\xa4\\n/\\\\\""},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\\\\u0000\"", "\"\\\\u0000\""},
        {"[1e5,0.5,-1.25E-3]", "[1e5,0.5,-1.25E-3]"},
        {"[9223372036854775807,-9223372036854775808,18446744073709551615]",
         "[9223372036854775807,-9223372036854775808,18446744073709551615]"},
    };
    for (size_t i = 0; i < JSON_COUNT(texts); i++) {
        struct json_doc doc = {0};
        struct error e = {0};
        struct arena a;
        arena_init(&a);
        CHECK_OK(json_in_parse(texts[i][0], strlen(texts[i][0]), &doc, &e), &e);
        CHECK_TEXT(json_in_print(doc.root, &a), texts[i][1]);
        json_in_done(&doc);
        arena_done(&a);
    }
}

TEST("what is not JSON is refused with a place")
{
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "[",
        "\"",
        "\"abc",
        "[1,",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{,}",
        "[1 2]",
        "[1]]",
        "{}x",
        "{} {}",
        "nul",
        "tru",
        "TRUE",
        "None",
        "NaN",
        "[NaN]",
        "Infinity",
        "-Infinity",
        "+1",
        "-",
        "01",
        "-01",
        "1.",
        "[1.e5]",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1e999",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "18446744073709551616",
        "/*x*/1",
        "//x\n1",
        "\"\t\"",
        "\"\n\"",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u0000\"",
        "{\"\\u0000\":1}",
        "\"\\\\\\u0000\"",
        "\xff",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "[1]\v",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < JSON_COUNT(wrong); i++) {
        struct json_doc doc = {0};
        struct error e = {0};
        if (json_in_parse(wrong[i], strlen(wrong[i]), &doc, &e) != ERR_INVALID)
            check_fail(__FILE__, __LINE__, "was taken: %s", wrong[i]);
        CHECK_CONTAINS(e.text, "malformed JSON");
        CHECK(!doc.root);
    }
    struct json_doc doc = {0};
    CHECK_INT(json_in_parse("[1]\0", 4, &doc, NULL), ERR_INVALID);
    CHECK_INT(json_in_parse("\"a\0b\"", 5, &doc, NULL), ERR_INVALID);
}

TEST("text is read up to its size, not to a terminator")
{
    struct json_doc doc = {0};
    struct error e = {0};
    int64_t number;
    CHECK_OK(json_in_parse("1234", 2, &doc, &e), &e);
    CHECK(json_in_int(doc.root, &number));
    CHECK_INT(number, 12);
    json_in_done(&doc);
}

TEST("nesting deeper than the limit is refused, not followed")
{
    char text[200000];
    struct json_doc doc = {0};
    struct error e = {0};
    memset(text, '[', sizeof(text));
    CHECK_INT(json_in_parse(text, sizeof(text), &doc, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "nested deeper");
}

/* ---- tables ---- */

struct network {
    const char *uuid, *fixed_ip;
};
struct inner {
    int64_t depth;
    struct json_seen seen;
};
struct server {
    const char *name, *status;
    int64_t count;
    bool locked;
    double ratio;
    struct inner inner;
    struct json_list networks, tags;
    struct json_map metadata;
    json_value *any;
    struct json_seen seen;
};
enum { F_NAME, F_STATUS, F_COUNT, F_LOCKED, F_RATIO, F_INNER, F_NETWORKS, F_TAGS, F_METADATA, F_ANY };
static const char *const status_choices[] = {"active", "error", NULL};
static const struct json_field network_fields[] = {
    {.name = "uuid", .kind = JSON_TEXT, .offset = offsetof(struct network, uuid), .flags = JSON_REQUIRED},
    {.name = "fixed_ip", .kind = JSON_TEXT, .offset = offsetof(struct network, fixed_ip)},
};
static const struct json_table network_table = {network_fields, 2, false, JSON_NO_SEEN};
static const struct json_field inner_fields[] = {
    {.name = "depth", .kind = JSON_INT, .offset = offsetof(struct inner, depth)},
};
static const struct json_table inner_table = {inner_fields, 1, true, offsetof(struct inner, seen)};
static const struct json_field server_fields[] = {
    [F_NAME] = {.name = "name",
                .kind = JSON_TEXT,
                .offset = offsetof(struct server, name),
                .flags = JSON_REQUIRED,
                .min = 1,
                .max = 5},
    [F_STATUS] = {.name = "status",
                  .kind = JSON_TEXT,
                  .offset = offsetof(struct server, status),
                  .flags = JSON_NULLABLE,
                  .choices = status_choices},
    [F_COUNT] = {.name = "count",
                 .kind = JSON_INT,
                 .offset = offsetof(struct server, count),
                 .flags = JSON_LENIENT,
                 .min = -1,
                 .max = 100},
    [F_LOCKED] = {.name = "locked",
                  .kind = JSON_BOOL,
                  .offset = offsetof(struct server, locked),
                  .flags = JSON_LENIENT},
    [F_RATIO] = {.name = "ratio", .kind = JSON_NUMBER, .offset = offsetof(struct server, ratio), .min = 0, .max = 2},
    [F_INNER] = {.name = "inner", .kind = JSON_OBJECT, .offset = offsetof(struct server, inner), .sub = &inner_table},
    [F_NETWORKS] = {.name = "networks",
                    .kind = JSON_LIST,
                    .offset = offsetof(struct server, networks),
                    .sub = &network_table,
                    .item_size = sizeof(struct network),
                    .max = 2},
    [F_TAGS] =
        {.name = "tags", .kind = JSON_TEXTS, .offset = offsetof(struct server, tags), .min = 1, .max = INT64_MAX},
    [F_METADATA] = {.name = "metadata", .kind = JSON_MAP, .offset = offsetof(struct server, metadata), .max = 2},
    [F_ANY] = {.name = "any", .kind = JSON_ANY, .offset = offsetof(struct server, any)},
};
static const struct json_table server_table = {server_fields, JSON_COUNT(server_fields), false,
                                               offsetof(struct server, seen)};
static const struct json_field body_fields[] = {
    {.name = "server", .kind = JSON_OBJECT, .offset = 0, .flags = JSON_REQUIRED, .sub = &server_table},
};
static const struct json_table body_table = {body_fields, 1, false, JSON_NO_SEEN};

/* Parses and reads; the caller ends with reading_done. */
struct reading {
    struct json_doc doc;
    struct arena arena;
    struct error e;
    struct server server;
    int rc;
};
static void reading_start(struct reading *r, const char *text)
{
    *r = (struct reading){.server = {.count = 42, .status = "before"}};
    arena_init(&r->arena);
    CHECK_OK(json_in_parse(text, strlen(text), &r->doc, &r->e), &r->e);
    r->rc = json_in_read(r->doc.root, &body_table, &r->server, &r->arena, &r->e);
}
static void reading_done(struct reading *r)
{
    json_in_done(&r->doc);
    arena_done(&r->arena);
}

TEST("a table fills a struct with every kind of field")
{
    struct reading r;
    reading_start(&r, "{\"server\":{\"any\":{\"x\":1},\"name\":\"h\xc3\xa4llo\",\"status\":\"error\",\"count\":7,"
                      "\"locked\":true,\"ratio\":1.5,\"inner\":{\"depth\":3,\"unknown\":true},"
                      "\"networks\":[{\"uuid\":\"u1\"},{\"fixed_ip\":\"10.0.0.1\",\"uuid\":\"u2\"}],"
                      "\"tags\":[\"a\",\"b\"],\"metadata\":{\"k\":\"v\",\"l\":\"\"}}}");
    CHECK_OK(r.rc, &r.e);
    CHECK_TEXT(r.server.name, "h\xc3\xa4llo");
    CHECK_TEXT(r.server.status, "error");
    CHECK_INT(r.server.count, 7);
    CHECK(r.server.locked);
    CHECK(r.server.ratio == 1.5);
    CHECK_INT(r.server.inner.depth, 3);
    CHECK_INT(r.server.inner.seen.present, 1);
    const struct network *networks = r.server.networks.items;
    CHECK_INT(r.server.networks.count, 2);
    CHECK_TEXT(networks[0].uuid, "u1");
    CHECK_TEXT(networks[0].fixed_ip, NULL);
    CHECK_TEXT(networks[1].fixed_ip, "10.0.0.1");
    const char *const *tags = r.server.tags.items;
    CHECK_INT(r.server.tags.count, 2);
    CHECK_TEXT(tags[1], "b");
    CHECK_INT(r.server.metadata.count, 2);
    CHECK_TEXT(r.server.metadata.pairs[0].key, "k");
    CHECK_TEXT(r.server.metadata.pairs[1].value, "");
    int64_t x;
    CHECK(json_in_int(json_in_member(r.server.any, "x"), &x));
    CHECK_INT(r.server.seen.present, (1u << JSON_COUNT(server_fields)) - 1);
    CHECK_INT(r.server.seen.null, 0);
    reading_done(&r);
}

TEST("absent and null fields leave their members alone and are told apart")
{
    struct reading r;
    reading_start(&r, "{\"server\":{\"name\":\"a\",\"status\":null}}");
    CHECK_OK(r.rc, &r.e);
    CHECK_TEXT(r.server.status, "before");
    CHECK_INT(r.server.count, 42);
    CHECK_INT(r.server.seen.present, 1 << F_NAME | 1 << F_STATUS);
    CHECK_INT(r.server.seen.null, 1 << F_STATUS);
    reading_done(&r);
}

TEST("lenient fields take the spellings that OpenStack's clients use")
{
    static const char *const yes[] = {"true", "1", "\"true\"", "\"True\"", "\"1\"", "\"yes\"", "\"ON\""};
    static const char *const no[] = {"false", "0", "\"false\"", "\"False\"", "\"0\"", "\"no\"", "\"off\""};
    for (size_t i = 0; i < JSON_COUNT(yes) + JSON_COUNT(no); i++) {
        struct reading r;
        char text[100];
        bool truth = i < JSON_COUNT(yes);
        snprintf(text, sizeof(text), "{\"server\":{\"name\":\"a\",\"count\":\"-1\",\"locked\":%s}}",
                 truth ? yes[i] : no[i - JSON_COUNT(yes)]);
        reading_start(&r, text);
        CHECK_OK(r.rc, &r.e);
        CHECK_INT(r.server.count, -1);
        CHECK_INT(r.server.locked, truth);
        reading_done(&r);
    }
}

TEST("a bad field is refused by its path and what it must be")
{
    static const struct {
        const char *server, *sentence;
    } wrong[] = {
        {"{}", "server.name: is required"},
        {"5", "server: must be an object"},
        {"null", "server: must be an object"},
        {"{\"name\":null}", "server.name: must be text"},
        {"{\"name\":5}", "server.name: must be text"},
        {"{\"name\":\"\"}", "server.name: must be from 1 to 5 characters long"},
        {"{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4x\"}",
         "server.name: must be from 1 to 5 characters long"},
        {"{\"name\":\"a\",\"nam\":1}", "server.nam: is not known here"},
        {"{\"name\":\"a\",\"status\":\"Active\"}", "server.status: must be one of active, error"},
        {"{\"name\":\"a\",\"count\":101}", "server.count: must be from -1 to 100"},
        {"{\"name\":\"a\",\"count\":null}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":1.0}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":true}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":\"5x\"}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":\" 5\"}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":\"\"}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":18446744073709551615}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"count\":\"99999999999999999999\"}", "server.count: must be an integer"},
        {"{\"name\":\"a\",\"locked\":\"perhaps\"}", "server.locked: must be true or false"},
        {"{\"name\":\"a\",\"locked\":2}", "server.locked: must be true or false"},
        {"{\"name\":\"a\",\"ratio\":\"1\"}", "server.ratio: must be a number"},
        {"{\"name\":\"a\",\"ratio\":2.5}", "server.ratio: must be from 0 to 2"},
        {"{\"name\":\"a\",\"inner\":[]}", "server.inner: must be an object"},
        {"{\"name\":\"a\",\"inner\":{\"depth\":\"1\"}}", "server.inner.depth: must be an integer"},
        {"{\"name\":\"a\",\"networks\":{}}", "server.networks: must be a list"},
        {"{\"name\":\"a\",\"networks\":[{},{},{}]}", "server.networks: must be from 0 to 2 items"},
        {"{\"name\":\"a\",\"networks\":[{\"uuid\":\"x\"},{}]}", "server.networks[1].uuid: is required"},
        {"{\"name\":\"a\",\"networks\":[7]}", "server.networks[0]: must be an object"},
        {"{\"name\":\"a\",\"tags\":[]}", "server.tags: must be at least 1 items"},
        {"{\"name\":\"a\",\"tags\":[\"x\",5]}", "server.tags[1]: must be text"},
        {"{\"name\":\"a\",\"metadata\":{\"k\":5}}", "server.metadata.k: must be text"},
        {"{\"name\":\"a\",\"metadata\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}}",
         "server.metadata: must be from 0 to 2 items"},
    };
    for (size_t i = 0; i < JSON_COUNT(wrong); i++) {
        struct reading r;
        char text[300];
        snprintf(text, sizeof(text), "{\"server\":%s}", wrong[i].server);
        reading_start(&r, text);
        CHECK_INT(r.rc, ERR_INVALID);
        CHECK_TEXT(r.e.text, wrong[i].sentence);
        reading_done(&r);
    }
}

TEST("a body that is no object is refused as such")
{
    static const char *const bodies[] = {"[]", "5", "null", "\"x\""};
    for (size_t i = 0; i < JSON_COUNT(bodies); i++) {
        struct reading r;
        reading_start(&r, bodies[i]);
        CHECK_INT(r.rc, ERR_INVALID);
        CHECK_TEXT(r.e.text, "the body must be an object");
        reading_done(&r);
    }
}

TEST("fields are found in any order")
{
    struct reading r;
    reading_start(&r, "{\"server\":{\"tags\":[\"x\"],\"count\":1,\"ratio\":1,\"name\":\"z\",\"locked\":false}}");
    CHECK_OK(r.rc, &r.e);
    CHECK_TEXT(r.server.name, "z");
    CHECK_INT(r.server.count, 1);
    reading_done(&r);
}

/* ---- by hand ---- */

static int count_names(void *arg, const char *name, json_value *value)
{
    (void)value;
    strbuf_appendf(arg, "%s ", name);
    return strcmp(name, "stop") == 0 ? 9 : 0;
}

TEST("looking by hand answers nothing for the wrong kind")
{
    static const char text[] = "{\"o\":{},\"a\":[1,\"x\"],\"t\":\"text\",\"n\":null,\"b\":true,\"stop\":1,\"after\":1}";
    struct json_doc doc = {0};
    struct error e = {0};
    int64_t number = 5;
    bool truth = false;
    struct strbuf names;
    CHECK_OK(json_in_parse(text, strlen(text), &doc, &e), &e);
    json_value *list = json_in_member(doc.root, "a");
    CHECK(json_in_is_object(json_in_member(doc.root, "o")));
    CHECK(json_in_is_array(list) && !json_in_is_object(list) && !json_in_is_text(list));
    CHECK_INT(json_in_count(list), 2);
    CHECK_INT(json_in_count(doc.root), 7);
    CHECK_INT(json_in_count(json_in_member(doc.root, "t")), 0);
    CHECK_TEXT(json_in_text(json_in_item(list, 1)), "x");
    CHECK(!json_in_item(list, 2) && !json_in_item(doc.root, 0));
    CHECK(!json_in_text(list) && !json_in_int(list, &number) && !json_in_bool(list, &truth));
    CHECK_INT(number, 5);
    CHECK(json_in_bool(json_in_member(doc.root, "b"), &truth) && truth);
    CHECK(json_in_has(doc.root, "n") && json_in_is_null(json_in_member(doc.root, "n")));
    CHECK(!json_in_has(doc.root, "m") && !json_in_has(list, "n") && !json_in_has(NULL, "n"));
    CHECK(!json_in_member(NULL, "x") && !json_in_item(NULL, 0) && !json_in_text(NULL) && !json_in_count(NULL));
    strbuf_init(&names, 0);
    CHECK_INT(json_in_each(doc.root, count_names, &names), 9);
    CHECK_TEXT(names.data, "o a t n b stop ");
    CHECK_INT(json_in_each(list, count_names, &names), 0);
    strbuf_done(&names);
    json_in_done(&doc);
}

TEST("characters are counted, not bytes")
{
    CHECK_INT(utf8_count("h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
    CHECK(utf8_valid("", 0));
    CHECK(utf8_valid("0123456\xc3\xa4", 9));
    CHECK(!utf8_valid("0123456\xc3\xa4", 8));
    CHECK(!utf8_valid("\xf4\x90\x80\x80", 4));
    CHECK(utf8_valid("\xf4\x8f\xbf\xbf", 4));
}
