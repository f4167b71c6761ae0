/* JSON in and out, on bodies of the size that the compute API sees: one line per figure, "name value unit". */
#include "common/arena.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_US (CLOCK_SECOND_US / 2)

static const char body[] =
    "{\"server\": {\"name\": \"web-17\", \"imageRef\": \"70a599e0-31e7-49b7-b260-868f441e862b\", \"flavorRef\": \"1\","
    "\"networks\": [{\"uuid\": \"0190c5f0-31e7-79b7-b260-868f441e862b\"}], \"availability_zone\": \"nova\","
    "\"metadata\": {\"role\": \"web\", \"owner\": \"infra\"}, \"min_count\": 1, \"max_count\": 1,"
    "\"user_data\": \"I2Nsb3VkLWNvbmZpZwpwYWNrYWdlczogW25naW54XQo=\", \"security_groups\": [{\"name\": \"default\"}]}}";

struct create {
    const char *name, *image, *flavor, *zone, *user_data;
    struct json_list networks, groups;
    struct json_map metadata;
    int64_t least, most;
};
static const struct json_field one_field[] = {{.name = "uuid", .kind = JSON_TEXT}};
static const struct json_table one = {one_field, 1, true, JSON_NO_SEEN};
#define FIELD(wire, type, member, ...)                                                                                 \
    {                                                                                                                  \
        .name = wire, .kind = type, .offset = offsetof(struct create, member), __VA_ARGS__                             \
    }
static const struct json_field create_fields[] = {
    FIELD("name", JSON_TEXT, name, .flags = JSON_REQUIRED, .min = 1, .max = 255),
    FIELD("imageRef", JSON_TEXT, image),
    FIELD("flavorRef", JSON_TEXT, flavor, .flags = JSON_REQUIRED),
    FIELD("networks", JSON_LIST, networks, .sub = &one, .item_size = sizeof(char *)),
    FIELD("availability_zone", JSON_TEXT, zone),
    FIELD("metadata", JSON_MAP, metadata),
    FIELD("min_count", JSON_INT, least, .flags = JSON_LENIENT),
    FIELD("max_count", JSON_INT, most, .flags = JSON_LENIENT),
    FIELD("user_data", JSON_TEXT, user_data),
    FIELD("security_groups", JSON_LIST, groups, .sub = &one, .item_size = sizeof(char *)),
};
static const struct json_table create_table = {create_fields, JSON_COUNT(create_fields), false, JSON_NO_SEEN};
static const struct json_field top_fields[] = {{.name = "server", .kind = JSON_OBJECT, .sub = &create_table}};
static const struct json_table top_table = {top_fields, 1, false, JSON_NO_SEEN};

static size_t read_body(struct arena *arena)
{
    struct json_doc doc;
    struct create create = {0};
    struct error e = {0};
    arena_reset(arena);
    if (json_in_parse(body, sizeof(body) - 1, &doc, &e) || json_in_read(doc.root, &top_table, &create, arena, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    json_in_done(&doc);
    return sizeof(body) - 1;
}

static void write_server(struct json_out *o, int i)
{
    char when[CLOCK_TEXT_SIZE];
    json_out_object(o, NULL);
    json_out_text(o, "id", "0190c5f0-31e7-79b7-b260-868f441e862b");
    json_out_textf(o, "name", "web-%d", i);
    json_out_text(o, "status", "ACTIVE");
    json_out_text(o, "tenant_id", "6f70656e20737461636b20342065766572");
    json_out_text(o, "created", clock_text(1700000000 * CLOCK_SECOND_US, CLOCK_ISO_Z, when));
    json_out_text(o, "OS-EXT-STS:task_state", NULL);
    json_out_int(o, "OS-EXT-STS:power_state", 1);
    json_out_bool(o, "locked", false);
    json_out_object(o, "addresses");
    json_out_array(o, "private");
    json_out_object(o, NULL);
    json_out_int(o, "version", 4);
    json_out_text(o, "addr", "192.168.0.3");
    json_out_text(o, "OS-EXT-IPS-MAC:mac_addr", "fa:16:3e:00:00:01");
    json_out_object_end(o);
    json_out_array_end(o);
    json_out_object_end(o);
    json_out_text(o, "description", "a \"quoted\" description, with a few more words than strictly needed");
    json_out_object_end(o);
}

static size_t write_page(struct strbuf *s)
{
    struct json_out o;
    strbuf_reset(s);
    json_out_init(&o, s);
    json_out_array(&o, NULL);
    for (int i = 0; i < 1000; i++)
        write_server(&o, i);
    json_out_array_end(&o);
    return json_out_error(&o) ? 0 : s->size;
}

int main(void)
{
    struct arena arena;
    struct strbuf s;
    arena_init(&arena);
    strbuf_init(&s, 0);
    int64_t start = clock_mono_us(), spent;
    size_t bytes = 0, rounds = 0;
    for (; (spent = clock_mono_us() - start) < BENCH_US; rounds++)
        bytes += read_body(&arena);
    printf("json_in_server_create %.2f us\njson_in_throughput %.0f MB/s\n", (double)spent / (double)rounds,
           (double)bytes / (double)spent);
    bytes = rounds = 0;
    start = clock_mono_us();
    for (; (spent = clock_mono_us() - start) < BENCH_US; rounds++)
        bytes += write_page(&s);
    printf("json_out_page_of_1000_servers %.3f ms\njson_out_throughput %.0f MB/s\n",
           (double)spent / (double)rounds / 1000, (double)bytes / (double)spent);
    strbuf_done(&s);
    arena_done(&arena);
    return 0;
}
