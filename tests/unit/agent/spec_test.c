/* spec: what is taken from the API's answer, and what is refused by name. */
#include "tests/unit/agent/samples.h"

TEST("a whole specification is read, unknown members are ignored")
{
    struct spec *s = sample_read(SAMPLE(""));
    const struct spec_nic *nic = s->nics.items;
    const struct spec_subnet *subnet = nic->network.subnets.items;
    CHECK_TEXT(s->id, SAMPLE_ID);
    CHECK_INT(s->revision, 12);
    CHECK_INT(s->power, SERVER_POWER_RUNNING);
    CHECK_TEXT(s->name, "web <1> & \"co\"");
    CHECK_INT(s->memory_mib, 512);
    CHECK_TEXT(s->image->sha512, SAMPLE_SHA);
    CHECK_TEXT(s->key->public, "ssh-ed25519 AAAA me");
    CHECK_INT(s->operation.action, SPEC_NO_ACTION);
    CHECK_TEXT(nic->mac, "fa:16:3e:00:00:01");
    CHECK_INT(nic->addresses.count, 2);
    CHECK_TEXT(subnet->gateway, "10.0.0.1");
    CHECK_INT(subnet->dns.count, 2);
    CHECK_TEXT(s->metadata.pairs[0].value, "web");
    spec_free(&s);
}

TEST("what may be null is null")
{
    struct spec *s =
        sample_read(SAMPLE("\"image\":null,\"key\":null,\"user_data\":null,\"nics\":null,\"metadata\":null,"));
    CHECK(!s->image);
    CHECK(!s->key);
    CHECK(!s->user_data);
    CHECK_INT(s->nics.count, 0);
    spec_free(&s);
}

TEST("a server that is to go needs nothing but its id and revision")
{
    struct spec *s = sample_read("{\"id\":\"" SAMPLE_ID "\",\"revision\":3,\"exists\":false}");
    CHECK(!s->exists);
    CHECK_INT(s->revision, 3);
    spec_free(&s);
}

TEST("an operation is read")
{
    struct spec *s = sample_read(SAMPLE("\"operation\":{\"id\":\"" SAMPLE_NETWORK "\",\"action\":\"reboot-hard\"},"));
    CHECK_INT(s->operation.action, SPEC_REBOOT_HARD);
    CHECK_TEXT(s->operation.id, SAMPLE_NETWORK);
    spec_free(&s);
}

static const struct {
    const char *text, *named;
} refused[] = {
    {SAMPLE("\"id\":\"../../etc/passwd\","), "id"},
    {SAMPLE("\"id\":\"01890000-1111-7222-8333-0123456789AB\","), "id"},
    {SAMPLE("\"id\":\"018900001111722283330123456789ab\","), "id"},
    {SAMPLE("\"revision\":0,"), "revision"},
    {SAMPLE("\"revision\":\"x\","), "revision"},
    {SAMPLE("\"power\":\"dancing\","), "power"},
    {SAMPLE("\"power\":null,"), "power"},
    {SAMPLE("\"vcpus\":0,"), "vcpus"},
    {SAMPLE("\"vcpus\":5000,"), "vcpus"},
    {SAMPLE("\"memory_mib\":-1,"), "memory_mib"},
    {SAMPLE("\"memory_mib\":0,"), "memory_mib"},
    {SAMPLE("\"hostname\":\"a b\","), "hostname"},
    {SAMPLE("\"hostname\":\"\","), "hostname"},
    {SAMPLE("\"hostname\":\"-x\","), "hostname"},
    {SAMPLE("\"nics\":{},"), "nics"},
    {SAMPLE("\"nics\":[{\"port_id\":\"x\",\"mac\":\"fa:16:3e:00:00:01\",\"network\":{\"id\":\"y\"}}],"), "port_id"},
    {SAMPLE("\"image\":{\"id\":\"../x\",\"disk_format\":\"qcow2\",\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA "\"},"),
     "image.id"},
    {SAMPLE("\"image\":{\"id\":\"" SAMPLE_ID "\",\"disk_format\":\"vmdk\",\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA
            "\"},"),
     "image.disk_format"},
    {SAMPLE("\"image\":{\"id\":\"" SAMPLE_ID "\",\"disk_format\":\"raw\",\"size_bytes\":1,\"sha512\":\"/../..\"},"),
     "image.sha512"},
    {SAMPLE("\"operation\":{\"id\":\"" SAMPLE_ID "\",\"action\":\"explode\"},"), "operation.action"},
    {SAMPLE("\"operation\":{\"id\":\"1\",\"action\":\"reboot-soft\"},"), "operation.id"},
    {"[]", ""},
    {"{\"id\":\"" SAMPLE_ID "\",\"exists\":false}", "revision"},
};

TEST("what cannot be carried out safely is refused by name")
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct spec *s = NULL;
        struct error e = {0};
        int code = sample_try(refused[i].text, &s, &e);
        if (code != ERR_INVALID && code != ERR_NOT_IMPLEMENTED)
            check_fail(__FILE__, __LINE__, "row %zu was taken", i);
        if (!strstr(e.text, refused[i].named))
            check_fail(__FILE__, __LINE__, "row %zu: \"%s\" does not name %s", i, e.text, refused[i].named);
        CHECK(!s);
    }
}

static struct spec *with_nic(const char *mac, const char *ip, const char *cidr, const char *gateway, struct error *e)
{
    static const char shape[] =
        "{\"id\":\"" SAMPLE_ID "\",\"revision\":1,\"exists\":true,\"power\":\"running\",\"vcpus\":1,\"memory_mib\":64,"
        "\"nics\":[{\"port_id\":\"" SAMPLE_ID
        "\",\"mac\":\"%s\",\"addresses\":[{\"ip\":\"%s\",\"prefix\":24}],\"network\":{\"id\":"
        "\"" SAMPLE_NETWORK "\",\"subnets\":[{\"id\":\"" SAMPLE_ID
        "\",\"cidr\":\"%s\",\"gateway\":\"%s\",\"dhcp\":true}]}}]}";
    struct spec *s = NULL;
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, shape, mac, ip, cidr, gateway);
    int code = sample_try(text.data, &s, e);
    strbuf_done(&text);
    CHECK((code == 0) == (s != NULL));
    return s;
}

TEST("addresses are checked before they reach a DHCP server's file")
{
    static const char *const bad[][4] = {
        {"fa:16:3e:00:00", "10.0.0.5", "10.0.0.0/24", "10.0.0.1"},
        {"fa:16:3e:00:00:01", "10.0.0.5,evil", "10.0.0.0/24", "10.0.0.1"},
        {"fa:16:3e:00:00:01", "10.0.0.5", "10.0.0.0/99", "10.0.0.1"},
        {"fa:16:3e:00:00:01", "10.0.0.5", "10.0.0.0/24", "192.168.0.1"},
        {"fa:16:3e:00:00:01", "10.0.0.5", "10.0.0.0/24", "gateway"},
    };
    struct error e = {0};
    struct spec *s = with_nic("fa:16:3e:00:00:01", "10.0.0.5", "10.0.0.0/24", "10.0.0.1", &e);
    CHECK(s);
    spec_free(&s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error_clear(&e);
        s = with_nic(bad[i][0], bad[i][1], bad[i][2], bad[i][3], &e);
        if (s)
            check_fail(__FILE__, __LINE__, "row %zu was taken", i);
        CHECK_CONTAINS(e.text, "nics");
    }
}

TEST("a specification that cannot be read still tells whom it is about")
{
    struct spec *s = NULL;
    struct json_doc doc;
    struct error e = {0};
    char id[UUID_SIZE];
    int64_t revision;
    const char *text = SAMPLE("\"vcpus\":0,");
    CHECK_INT(json_in_parse(text, strlen(text), &doc, &e), 0);
    CHECK_INT(spec_read(doc.root, &s, id, &revision, &e), ERR_INVALID);
    CHECK_TEXT(id, SAMPLE_ID);
    CHECK_INT(revision, 12);
    json_in_done(&doc);
}

TEST("the answer with many servers and questions is read")
{
    const char *text = "{\"revision\":9,\"more\":true,\"queries_us\":77,\"servers\":[{},{}],\"queries\":["
                       "{\"id\":\"q1\",\"kind\":\"console_log\",\"server_id\":\"s\",\"args\":{\"lines\":5}},"
                       "{\"id\":\"q2\",\"kind\":\"diagnostics\",\"server_id\":\"s\",\"args\":null},"
                       "{\"id\":\"q3\",\"kind\":\"tea\",\"server_id\":\"s\",\"args\":{}}],\"later\":1}";
    struct json_doc doc;
    struct arena arena;
    struct spec_desired d;
    struct error e = {0};
    arena_init(&arena);
    CHECK_INT(json_in_parse(text, strlen(text), &doc, &e), 0);
    CHECK_OK(spec_read_desired(doc.root, &arena, &d, &e), &e);
    const struct spec_query *queries = d.queries.items;
    CHECK_INT(d.revision, 9);
    CHECK_INT(d.queries_us, 77);
    CHECK(d.more);
    CHECK_INT(json_in_count(d.servers), 2);
    CHECK_INT(queries[0].kind, SPEC_QUERY_CONSOLE_LOG);
    CHECK_INT(queries[0].lines, 5);
    CHECK_INT(queries[1].kind, SPEC_QUERY_DIAGNOSTICS);
    CHECK_INT(queries[1].lines, -1);
    CHECK_INT(queries[2].kind, SPEC_QUERY_UNKNOWN);
    json_in_done(&doc);
    arena_done(&arena);
}
