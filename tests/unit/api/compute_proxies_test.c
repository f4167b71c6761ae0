/* What the compute service shows of the network and image services, as Nova's proxies do, and the groups and ports of
 * servers. */
#include "api/compute/compute.h"
#include "api/image/image_service.h"
#include "api/network/network_service.h"
#include "api/network/relabel.h"
#include "db/store_relabel.h"
#include "tests/unit/api/api_steps.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&compute_service, &network_service, &image_service, NULL};

#define C     "/compute/v2.1"
#define V     "/network/v2.0"
#define IMAGE "bbbbbbbb-0000-4000-8000-000000000001"
#define NONE  "0f0f0f0f-0000-4000-8000-000000000000"
#define AT(n) "OpenStack-API-Version: compute 2." #n "\r\n" JSON_TYPE

static void begin(void)
{
    steps_begin();
    fixture_script(
        api.db,
        "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille, "
        "is_public, disabled, created_us) VALUES ('1', 'small', 1, 64, 1, 0, 0, 1000, 1, 0, 1);"
        "INSERT INTO image (id, project_id, name, status, visibility, disk_format, container_format, size_bytes, "
        "hash_algo, hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, "
        "updated_us, revision) VALUES ('" IMAGE "', '" PROJECT_A "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, "
        "'sha512', 'ab', 0, 0, 0, 0, '{\"os_distro\":\"debian\"}', '[]', 1000000, 2000000, 1);");
}

/* A network $n with a subnet, and on it the server $s of project A. */
static void begin_server(void)
{
    begin();
    STEPS({A, "POST", V "/networks", "{\"network\":{\"name\":\"lan\"}}", 201, NULL, NULL, "n"},
          {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.0.0.0/24\"}}",
           201},
          {A, "POST", C "/servers",
           "{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
           "\",\"networks\":[{\"uuid\":\"$n\"}]}}",
           202, NULL, NULL, "s"});
}

DB_STATEMENT(proxies_traits, "UPDATE host SET traits = $2 WHERE id = $1");
DB_STATEMENT(proxies_place, "UPDATE server SET host_id = $1");

static void place_with(const char *host, const char *traits)
{
    struct db_conn *c = NULL;
    struct error e = {0};
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    CHECK_OK(db_exec(c, &proxies_traits, NULL, &e, DB_ARGS(db_text(host), db_text(traits))), &e);
    CHECK_OK(db_exec(c, &proxies_place, NULL, &e, DB_ARGS(db_text(host))), &e);
    db_conn_close(&c);
}

TEST("the binding of a server's port says whether its host filters")
{
    static const char host[] = "cccccccc-0000-4000-8000-000000000001";
    struct db_conn *c = NULL;
    struct error e = {0};
    begin_server();
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    compute_add_host(c, host);
    db_conn_close(&c);
    STEPS({ADMIN, "GET", V "/ports?device_id=$s", NULL, 200, "\"binding:vif_details\":{}"});
    place_with(host, "[]");
    STEPS({ADMIN, "GET", V "/ports?device_id=$s", NULL, 200, "\"port_filter\":false"});
    place_with(host, "[\"CUSTOM_PORT_SECURITY\"]");
    STEPS({ADMIN, "GET", V "/ports?device_id=$s", NULL, 200, "\"port_filter\":true"});
    steps_end();
}

TEST("security groups of a server come and go with its ports")
{
    begin_server();
    STEPS({A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"web\"}}", 201, NULL, NULL, "g"},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\"web\"}}", 202},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\"$g\"}}", 202},
          {A, "GET", C "/servers/$s", NULL, 200, "\"security_groups\":[{\"name\":\"default\"},{\"name\":\"web\"}]"},
          {A, "GET", V "/ports?device_id=$s", NULL, 200, "$g"},
          {A, "GET", C "/servers/$s/os-security-groups", NULL, 200, "\"id\":\"$g\",\"name\":\"web\""},
          {B, "GET", C "/servers/$s/os-security-groups", NULL, 404},
          {B, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\"default\"}}", 404},
          {A, "PUT", V "/security-groups/$g", "{\"security_group\":{\"name\":\"www\"}}", 200},
          {A, "GET", C "/servers/$s", NULL, 200, "{\"name\":\"www\"}", "\"web\""},
          {A, "POST", C "/servers/$s/action", "{\"removeSecurityGroup\":{\"name\":\"web\"}}", 404,
           "Security group web is not found for project " PROJECT_A},
          {A, "POST", C "/servers/$s/action", "{\"removeSecurityGroup\":{\"name\":\"www\"}}", 202},
          {A, "POST", C "/servers/$s/action", "{\"removeSecurityGroup\":{\"name\":\"www\"}}", 404,
           "Security group www not associated with the instance $s"},
          {A, "GET", C "/servers/$s", NULL, 200, "\"security_groups\":[{\"name\":\"default\"}]", "www"},
          {A, "POST", C "/servers/$s/action", "{\"removeSecurityGroup\":{\"name\":\"default\"}}", 202},
          {A, "GET", C "/servers/$s", NULL, 200, "\"accessIPv4\"", "security_groups"},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\" \"}}", 400, "cannot be empty"},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{}}", 400, "not specified"},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":3}", 400, "Missing parameter dict"},
          {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"www\"}}", 201},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\"www\"}}", 409, "use an ID"});
    steps_end();
}

TEST("a server without ports has no group to be given")
{
    begin();
    STEPS({A, "POST", C "/servers", "{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}",
           202, NULL, NULL, "s"},
          {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"web\"}}", 201},
          {A, "POST", C "/servers/$s/action", "{\"addSecurityGroup\":{\"name\":\"web\"}}", 404,
           "could not be found as device id on any ports"},
          {A, "GET", C "/servers/$s/os-security-groups", NULL, 200, "{\"security_groups\":[]}"});
    steps_end();
}

TEST("a server shows its ports")
{
    begin_server();
    STEPS({A, "GET", C "/servers/$s/os-interface", NULL, 200, "\"net_id\":\"$n\",\"port_id\"", "\"tag\""},
          {A, "GET", C "/servers/$s/os-interface", NULL, 200, "\"tag\":null", NULL, NULL, AT(70)},
          {A, "GET", V "/ports?device_id=$s&fields=id", NULL, 200, NULL, NULL, "p"},
          {A, "GET", C "/servers/$s/os-interface/$p", NULL, 200, "{\"interfaceAttachment\":{\"net_id\":\"$n\""},
          {A, "GET", C "/servers/$s/os-interface/" NONE, NULL, 404, "Port id " NONE " could not be found."},
          {B, "GET", C "/servers/$s/os-interface", NULL, 404}, {A, "GET", C "/servers/$s/topology", NULL, 404},
          {A, "GET", C "/servers/$s/topology", NULL, 200, "{\"nodes\":[],\"pagesize_kb\":null}", NULL, NULL, AT(78)},
          {B, "GET", C "/servers/$s/topology", NULL, 404, "Instance", NULL, NULL, AT(78)},
          {A, "POST", C "/servers/$s/os-interface", "{\"interfaceAttachment\":{}}", 409,
           "Cannot 'attach_interface' instance $s while it is in vm_state building"},
          {A, "DELETE", C "/servers/$s/os-interface/$p", NULL, 409, "Cannot 'detach_interface' instance"},
          {A, "DELETE", C "/servers/$s/os-interface/" NONE, NULL, 404});
    steps_end();
}

DB_STATEMENT(proxies_run, "UPDATE server SET observed_state = $1, placement = 'placed', launched_us = 1, "
                          "desired_power = CASE WHEN $1 = 'stopped' THEN 'stopped' ELSE 'running' END");
DB_STATEMENT(proxies_revision, "SELECT desired_revision FROM host");

static void set_state(const char *state)
{
    struct db_conn *c = NULL;
    struct error e = {0};
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    CHECK_OK(db_exec(c, &proxies_run, NULL, &e, DB_ARGS(db_text(state))), &e);
    db_conn_close(&c);
}

static int64_t host_revision(void)
{
    struct db_conn *c = NULL;
    struct db_rows rows;
    struct error e = {0};
    int64_t revision = -1;
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    CHECK_OK(db_query(c, &proxies_revision, &rows, &e, DB_NO_ARGS), &e);
    while (db_next(&rows))
        revision = db_get_int(&rows, 0);
    CHECK_OK(db_rows_done(&rows, &e), &e);
    db_conn_close(&c);
    return revision;
}

TEST("a running server gets interfaces and loses them, and its host is told")
{
    static const char host[] = "cccccccc-0000-4000-8000-000000000001";
    struct db_conn *c = NULL;
    struct error e = {0};
    begin_server();
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    compute_add_host(c, host);
    db_conn_close(&c);
    place_with(host, "[]");
    set_state("running");
    int64_t revision = host_revision();
#define I C "/servers/$s/os-interface"
    STEPS({A, "GET", V "/ports?device_id=$s&fields=id", NULL, 200, NULL, NULL, "first"},
          {A, "POST", I, "{\"interfaceAttachment\":{}}", 200, "\"net_id\":\"$n\",\"port_id\""});
    CHECK_INT(host_revision(), revision + 1);
    STEPS({A, "GET", C "/servers/$s", NULL, 200, "\"addr\":\"10.0.0.3\""},
          {A, "POST", I, "{\"interfaceAttachment\":{\"net_id\":\"$n\",\"fixed_ips\":[{\"ip_address\":\"10.0.0.77\"}]}}",
           200, "\"ip_address\":\"10.0.0.77\""},
          {A, "POST", I, "{\"interfaceAttachment\":{\"net_id\":\"$n\",\"fixed_ips\":[{\"ip_address\":\"10.0.0.77\"}]}}",
           409},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 201, NULL, NULL, "own"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"port_id\":\"$own\"}}", 200, "\"port_id\":\"$own\""},
          {A, "POST", I, "{\"interfaceAttachment\":{\"port_id\":\"$own\"}}", 409, "still in use"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"port_id\":\"$own\",\"net_id\":\"$n\"}}", 400,
           "Must not input both"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"fixed_ips\":[{\"ip_address\":\"10.0.0.78\"}]}}", 400,
           "Must input network_id"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"net_id\":\"" NONE "\"}}", 404, "could not be found"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"port_id\":\"" NONE "\"}}", 404, "could not be found"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"net_id\":\"x\"}}", 400, "net_id"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"tag\":\"x\"}}", 400, "tag"},
          {A, "POST", I, "{\"interfaceAttachment\":{\"more\":1}}", 400, "more"},
          {B, "POST", I, "{\"interfaceAttachment\":{}}", 404}, {B, "DELETE", I "/$own", NULL, 404});
    CHECK_INT(host_revision(), revision + 3);
    STEPS(
        {A, "DELETE", I "/$first", NULL, 202}, {A, "GET", V "/ports/$first", NULL, 404},
        {A, "DELETE", I "/$own", NULL, 202}, {A, "DELETE", I "/$own", NULL, 404},
        {A, "GET", V "/ports/$own", NULL, 200, "\"device_id\":\"\""},
        {A, "GET", C "/servers/$s", NULL, 200, "10.0.0.77", "10.0.0.2\""},
        {A, "GET", C "/servers/$s/os-instance-actions", NULL, 200, "\"action\":\"detach_interface\""},
        {A, "POST", C "/servers/$s/action", "{\"addFixedIp\":{\"networkId\":\"$n\"}}", 202},
        {A, "GET", C "/servers/$s", NULL, 200, "10.0.0.5"},
        {A, "POST", C "/servers/$s/action", "{\"removeFixedIp\":{\"address\":\"10.0.0.77\"}}", 202},
        {A, "GET", C "/servers/$s", NULL, 200, "10.0.0.3", "10.0.0.77"},
        {A, "POST", C "/servers/$s/action", "{\"removeFixedIp\":{\"address\":\"10.0.0.77\"}}", 400, "is not attached"},
        {A, "POST", C "/servers/$s/action", "{\"addFixedIp\":{\"networkId\":\"" NONE "\"}}", 400, "not found"},
        {A, "POST", C "/servers/$s/action", "{\"addFixedIp\":{}}", 400, "networkId"});
    set_state("suspended");
    STEPS({A, "POST", I, "{\"interfaceAttachment\":{}}", 409, "while it is in"});
    set_state("running");
    place_with(host, "[\"CUSTOM_LACKS_NIC_PLUG\"]");
    STEPS({A, "POST", I, "{\"interfaceAttachment\":{}}", 501, "cannot do attach_interface"});
    set_state("stopped"); /* it has it with its next start */
    STEPS({A, "POST", I, "{\"interfaceAttachment\":{}}", 200});
    steps_end();
#undef I
}

DB_STATEMENT(proxies_image, "UPDATE server SET image_properties = $1");

TEST("a password is set in guests whose image brings an agent, and nowhere else")
{
    static const char host[] = "cccccccc-0000-4000-8000-000000000001";
    static const char set[] = "{\"changePassword\":{\"adminPass\":\"s3cret\"}}";
    struct db_conn *c = NULL;
    struct error e = {0};
    begin_server();
    STEPS({A, "POST", C "/servers/$s/action", set, 409, "while it is in vm_state building"});
    CHECK_OK(db_conn_open(api.db, &c, &e), &e);
    compute_add_host(c, host);
    place_with(host, "[]");
    set_state("running");
    STEPS(
        {A, "POST", C "/servers/$s/action", "{\"changePassword\":{}}", 400, "adminPass"},
        {A, "POST", C "/servers/$s/action", "{\"changePassword\":{\"adminPass\":\"x\",\"more\":1}}", 400, "adminPass"},
        {B, "POST", C "/servers/$s/action", set, 404},
        {A, "POST", C "/servers/$s/action", set, 409, "QEMU guest agent is not enabled"});
    CHECK_OK(db_exec(c, &proxies_image, NULL, &e, DB_ARGS(db_text("{\"hw_qemu_guest_agent\":\"yes\"}"))), &e);
    db_conn_close(&c);
    place_with(host, "[\"CUSTOM_LACKS_GUEST_AGENT\"]");
    STEPS({A, "POST", C "/servers/$s/action", set, 501, "cannot do changePassword"});
    set_state("stopped");
    place_with(host, "[]");
    STEPS({A, "POST", C "/servers/$s/action", set, 409, "vm_state stopped"});
    steps_end();
}

TEST("os-security-groups go through their life until 2.35")
{
    begin();
    STEPS({A, "GET", C "/os-security-groups", NULL, 200, "{\"security_groups\":[]}"},
          {A, "POST", C "/os-security-groups", "{\"security_group\":{\"name\":\"web\",\"description\":\"d\"}}", 200,
           "\"rules\":[]", NULL, "g"},
          {A, "GET", C "/os-security-groups/$g", NULL, 200, "\"name\":\"web\",\"description\":\"d\""},
          {A, "GET", C "/os-security-groups?limit=1&offset=5", NULL, 200, "{\"security_groups\":[]}"},
          {A, "GET", C "/os-security-groups?limit=x", NULL, 400, "limit"},
          {B, "GET", C "/os-security-groups/$g", NULL, 404}, {B, "DELETE", C "/os-security-groups/$g", NULL, 404},
          {B, "GET", C "/os-security-groups?all_tenants=1", NULL, 200, "[]", "$g"},
          {ADMIN, "GET", C "/os-security-groups?all_tenants=1", NULL, 200, "$g"},
          {A, "PUT", C "/os-security-groups/$g", "{\"security_group\":{\"name\":\"w\",\"description\":\"\"}}", 200,
           "\"name\":\"w\""},
          {A, "PUT", C "/os-security-groups/$g", "{\"security_group\":{\"name\":\"w\"}}", 400,
           "description is not a string or unicode"},
          {A, "POST", C "/os-security-groups", "{\"security_group\":{\"name\":\"default\",\"description\":\"\"}}", 403},
          {A, "POST", C "/os-security-groups", "{\"group\":{}}", 400, "Missing parameter security_group"},
          {A, "GET", C "/os-security-groups/x", NULL, 400, "Security group id should be uuid"},
          {A, "GET", C "/os-security-groups", NULL, 404, NULL, NULL, NULL, AT(36)},
          {A, "DELETE", C "/os-security-groups/", NULL, 404}, {A, "DELETE", C "/os-security-groups/$g", NULL, 202},
          {A, "DELETE", C "/os-security-groups/$g", NULL, 404});
    steps_end();
}

#define RULE(rest) "{\"security_group_rule\":{\"parent_group_id\":\"$g\"" rest "}}"
TEST("os-security-group-rules speak in Nova's old words")
{
    begin();
    STEPS(
        {A, "POST", C "/os-security-groups", "{\"security_group\":{\"name\":\"web\",\"description\":\"d\"}}", 200, NULL,
         NULL, "g"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"TCP\",\"from_port\":\"22\",\"to_port\":22,\"cidr\":\"10.0.0.0/8\""), 200,
         "\"ip_protocol\":\"tcp\",\"from_port\":22,\"to_port\":22,\"group\":{},\"ip_range\":{\"cidr\":\"10.0.0.0/8\"}",
         NULL, "r"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":22,\"to_port\":22,\"cidr\":\"10.0.0.0/8\""), 400,
         "This rule already exists in group $g"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"icmp\",\"from_port\":-1,\"to_port\":-1,\"cidr\":\"::/0\""), 200,
         "\"from_port\":-1,\"to_port\":-1"},
        {A, "POST", C "/os-security-group-rules", RULE(",\"group_id\":\"$g\",\"ip_protocol\":\"udp\""), 200,
         "\"from_port\":1,\"to_port\":65535,\"group\":{\"name\":\"web\",\"tenant_id\":\"" PROJECT_A "\"}"},
        {A, "POST", C "/os-security-group-rules", RULE(",\"group_id\":\"$g\""), 200, "\"ip_protocol\":null"},
        {A, "POST", C "/os-security-group-rules", RULE(",\"cidr\":\"10.0.0.0/8\""), 400, "Not enough parameters"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"gre\",\"from_port\":1,\"to_port\":1,\"cidr\":null"), 400, "Invalid IP protocol gre"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":9,\"to_port\":1,\"cidr\":null"), 400,
         "Former value cannot be greater"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":0,\"to_port\":1,\"cidr\":null"), 400, "between 1-65535"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":\"x\",\"to_port\":1,\"cidr\":null"), 400, "must be integers"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"icmp\",\"from_port\":300,\"to_port\":1,\"cidr\":null"), 400, "For ICMP"},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":1,\"to_port\":1,\"cidr\":\"10.0.0.300/8\""), 400,
         "10.0.0.300/8 is not a valid IP network."},
        {A, "POST", C "/os-security-group-rules",
         RULE(",\"ip_protocol\":\"tcp\",\"from_port\":1,\"to_port\":1,\"cidr\":\"10.0.0.0/0\""), 400, "Bad prefix"},
        {A, "POST", C "/os-security-group-rules", "{\"security_group_rule\":{\"parent_group_id\":\"" NONE "\"}}", 404},
        {A, "POST", C "/os-security-group-rules", "{\"security_group_rule\":{}}", 400, "should be uuid"},
        {B, "DELETE", C "/os-security-group-rules/$r", NULL, 404},
        {A, "DELETE", C "/os-security-group-rules/$r", NULL, 202},
        {A, "DELETE", C "/os-security-group-rules/$r", NULL, 404},
        {A, "DELETE", C "/os-security-group-rules/x", NULL, 400});
    steps_end();
}

TEST("images are seen, filtered and deleted until 2.35")
{
    begin();
    STEPS({A, "GET", C "/images/" IMAGE, NULL, 200,
           "\"status\":\"ACTIVE\",\"progress\":100,\"OS-EXT-IMG-SIZE:size\":1000,"
           "\"metadata\":{\"os_distro\":\"debian\"}"},
          {A, "GET", C "/images/" IMAGE, NULL, 404, NULL, NULL, NULL, AT(36)},
          {A, "GET", C "/images/" NONE, NULL, 404, "Image not found."},
          {A, "GET", C "/images", NULL, 200, "\"rel\":\"alternate\"", "\"minDisk\""},
          {A, "GET", C "/images/detail?name=tiny&status=ACTIVE&minRam=0&property-os_distro=debian", NULL, 200, IMAGE},
          {A, "GET", C "/images?name=large", NULL, 200, "{\"images\":[]}"},
          {A, "GET", C "/images?type=snapshot", NULL, 200, "{\"images\":[]}"},
          {A, "GET", C "/images?server=http://x/" NONE, NULL, 200, "{\"images\":[]}"},
          {A, "GET", C "/images?changes-since=1970-01-01T00:00:03Z", NULL, 200, "{\"images\":[]}"},
          {A, "GET", C "/images?changes-since=1970-01-01T00:00:02Z", NULL, 200, IMAGE},
          {A, "GET", C "/images?changes-since=yesterday", NULL, 400},
          {A, "GET", C "/images?limit=1", NULL, 200, "\"images_links\""},
          {A, "GET", C "/images?limit=1&marker=" IMAGE, NULL, 200, "{\"images\":[]}"},
          {A, "GET", C "/images?limit=x", NULL, 400}, {A, "GET", C "/images?marker=" NONE, NULL, 400},
          {B, "DELETE", C "/images/" IMAGE, NULL, 403, "You are not allowed to delete the image."},
          {A, "DELETE", C "/images/" IMAGE, NULL, 204}, {A, "GET", C "/images/" IMAGE, NULL, 404});
    steps_end();
}

DB_STATEMENT(proxies_show, "SELECT count(*) FROM server WHERE addresses LIKE $1 AND security_groups LIKE $2");

/* How many servers show a network and a group of these names. */
static int64_t showing(const char *network, const char *group)
{
    struct error e = {0};
    int64_t count = -1;
    CHECK_OK(db_query_int(db_reader(api.db), &proxies_show, &count, &e, DB_ARGS(db_text(network), db_text(group))), &e);
    return count;
}

TEST("a network's new name is on its servers, however many they are")
{
    struct error e = {0};
    enum { MORE = 2 * STORE_RELABEL_BATCH + 10 };
    begin_server();
    STEPS({A, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"wan\"}}", 200});
    CHECK_INT(showing("{\"wan\":[%", "%"), 1);
    STEPS({ADMIN, "PUT", C "/os-quota-sets/" PROJECT_A,
           "{\"quota_set\":{\"instances\":-1,\"cores\":-1,\"ram\":-1,\"force\":true}}", 200},
          {A, "POST", C "/servers",
           "{\"server\":{\"name\":\"many\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
           "\",\"min_count\":110,\"networks\":[{\"uuid\":\"$n\"}]}}",
           202});
    CHECK_INT(showing("%wan%", "%"), MORE + 1);
    STEPS({A, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"far\"}}", 200});
    CHECK_INT(showing("%far%", "%"), STORE_RELABEL_BATCH);
    CHECK_OK(relabel_run(&api, 0, &e), &e); /* at most a batch or two */
    STEPS({A, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"near\"}}", 200});
    CHECK_OK(relabel_run(&api, 60000, &e), &e);
    CHECK_INT(showing("{\"near\":%", "%"), MORE + 1);
    CHECK_INT(showing("%wan%", "%") + showing("%far%", "%"), 0);
    bool waits = true;
    CHECK_OK(store_relabel_waits(db_reader(api.db), &waits, &e), &e);
    CHECK(!waits);
    steps_end();
}

TEST("a group's new name is on its servers, however many they are and by whichever service it was given")
{
    struct error e = {0};
    begin_server();
    STEPS({ADMIN, "PUT", C "/os-quota-sets/" PROJECT_A,
           "{\"quota_set\":{\"instances\":-1,\"cores\":-1,\"ram\":-1,\"force\":true}}", 200},
          {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"web\"}}", 201, NULL, NULL, "g"},
          {A, "POST", C "/servers",
           "{\"server\":{\"name\":\"many\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
           "\",\"min_count\":110,\"networks\":[{\"uuid\":\"$n\"}],\"security_groups\":[{\"name\":\"web\"}]}}",
           202},
          {A, "PUT", V "/security-groups/$g", "{\"security_group\":{\"name\":\"www\"}}", 200});
    CHECK_INT(showing("%", "%www%"), STORE_RELABEL_BATCH);
    CHECK_OK(relabel_run(&api, 60000, &e), &e);
    CHECK_INT(showing("%", "%www%"), 110);
    STEPS({A, "PUT", C "/os-security-groups/$g", "{\"security_group\":{\"name\":\"old\",\"description\":\"\"}}", 200});
    CHECK_OK(relabel_run(&api, 60000, &e), &e);
    CHECK_INT(showing("%", "%old%"), 110);
    steps_end();
}

TEST("metadata of an image are its properties")
{
    begin();
    STEPS(
        {A, "GET", C "/images/" IMAGE "/metadata", NULL, 200, "{\"metadata\":{\"os_distro\":\"debian\"}}"},
        {A, "GET", C "/images/" IMAGE "/metadata/os_distro", NULL, 200, "{\"meta\":{\"os_distro\":\"debian\"}}"},
        {A, "GET", C "/images/" IMAGE "/metadata/colour", NULL, 404},
        {A, "POST", C "/images/" IMAGE "/metadata", "{\"metadata\":{\"colour\":\"red\"}}", 200,
         "\"os_distro\":\"debian\""},
        {A, "PUT", C "/images/" IMAGE "/metadata/colour", "{\"meta\":{\"colour\":\"blue\"}}", 200, "blue"},
        {A, "PUT", C "/images/" IMAGE "/metadata/colour", "{\"meta\":{\"size\":\"blue\"}}", 400, "URI mismatch"},
        {B, "PUT", C "/images/" IMAGE "/metadata/colour", "{\"meta\":{\"colour\":\"red\"}}", 403, "Not authorized"},
        {A, "DELETE", C "/images/" IMAGE "/metadata/os_distro", NULL, 204},
        {A, "DELETE", C "/images/" IMAGE "/metadata/os_distro", NULL, 404, "Invalid metadata key"},
        {A, "GET", "/image/v2/images/" IMAGE, NULL, 200, "\"colour\":\"blue\"", "os_distro"},
        {A, "PUT", C "/images/" IMAGE "/metadata", "{\"metadata\":{\"a\":\"b\"}}", 200, "{\"metadata\":{\"a\":\"b\"}}"},
        {A, "POST", C "/images/" IMAGE "/metadata", "{\"metadata\":{\"a\":3}}", 400},
        {A, "POST", C "/images/" IMAGE "/metadata", "{\"metadata\":{\"name\":\"x\"}}", 403},
        {A, "POST", C "/images/" NONE "/metadata", "{\"metadata\":{}}", 404},
        {A, "GET", C "/images/" IMAGE "/metadata", NULL, 404, NULL, NULL, NULL, AT(39)});
    steps_end();
}

TEST("networks are seen until 2.35, floating addresses are none, and what is gone says so")
{
    begin_server();
    STEPS({A, "GET", C "/os-networks", NULL, 200, "\"label\":\"lan\"", "\"bridge\""},
          {ADMIN, "GET", C "/os-networks/$n", NULL, 200, "\"bridge\":null"},
          {B, "GET", C "/os-networks/$n", NULL, 404, "Network not found"},
          {A, "GET", C "/os-tenant-networks", NULL, 200, "\"label\":\"lan\",\"cidr\":\"None\""},
          {A, "GET", C "/os-tenant-networks/$n", NULL, 200, "\"id\":\"$n\""},
          {A, "GET", C "/os-networks", NULL, 404, NULL, NULL, NULL, AT(36)},
          {A, "POST", C "/os-networks", "{}", 410, "no longer available"},
          {A, "GET", C "/os-fixed-ips/10.0.0.2", NULL, 410}, {A, "GET", C "/os-agents", NULL, 410},
          {A, "GET", C "/os-floating-ips", NULL, 200, "{\"floating_ips\":[]}"},
          {A, "GET", C "/os-floating-ip-pools", NULL, 200, "{\"floating_ip_pools\":[]}"},
          {A, "GET", C "/os-floating-ips/" NONE, NULL, 404, "Floating IP not found for ID"},
          {A, "POST", C "/os-floating-ips", "{\"pool\":\"x\"}", 404},
          {A, "POST", C "/servers/$s/action", "{\"addFloatingIp\":{\"address\":\"203.0.113.4\"}}", 404,
           "floating IP not found"},
          {A, "POST", C "/servers/$s/action", "{\"addFloatingIp\":{\"address\":\"x\"}}", 400},
          {A, "POST", C "/servers/$s/action", "{\"removeFloatingIp\":{\"address\":\"203.0.113.4\"}}", 404, NULL, NULL,
           NULL, AT(44)});
    steps_end();
}

#define EVENT(server, name, rest) "{\"events\":[{\"server_uuid\":\"" server "\",\"name\":\"" name "\"" rest "}]}"
TEST("external events are judged one by one")
{
    begin_server();
    STEPS({A, "POST", C "/os-server-external-events", EVENT("$s", "network-changed", ""), 403},
          {ADMIN, "POST", C "/os-server-external-events", EVENT("$s", "network-changed", ""), 207, "\"code\":422"},
          {ADMIN, "POST", C "/os-server-external-events", EVENT(NONE, "network-changed", ",\"tag\":\"t\""), 207,
           "\"tag\":\"t\",\"status\":\"failed\",\"code\":404"},
          {ADMIN, "POST", C "/os-server-external-events", EVENT("$s", "volume-extended", ""), 400},
          {ADMIN, "POST", C "/os-server-external-events", EVENT("$s", "volume-extended", ""), 207, "\"code\":400", NULL,
           NULL, AT(51)},
          {ADMIN, "POST", C "/os-server-external-events", EVENT("x", "network-changed", ""), 400, "uuid"},
          {ADMIN, "POST", C "/os-server-external-events", EVENT("$s", "network-changed", ",\"status\":\"odd\""), 400},
          {ADMIN, "POST", C "/os-server-external-events", "{\"events\":[]}", 400});
    steps_end();
}

TEST("the usage audit log says that no host has one")
{
    begin();
    STEPS({A, "GET", C "/os-instance_usage_audit_log", NULL, 403},
          {ADMIN, "GET", C "/os-instance_usage_audit_log", NULL, 200, "\"num_hosts_not_run\":0"},
          {ADMIN, "GET", C "/os-instance_usage_audit_log/2026-03-01%2000:00:00", NULL, 200,
           "\"period_beginning\":\"2026-01-01 00:00:00\",\"period_ending\":\"2026-02-01 00:00:00\""},
          {ADMIN, "GET", C "/os-instance_usage_audit_log/2026-01-01%2000:00:00.000001", NULL, 200,
           "\"period_beginning\":\"2025-12-01 00:00:00\",\"period_ending\":\"2026-01-01 00:00:00\""},
          {ADMIN, "GET", C "/os-instance_usage_audit_log/now", NULL, 400, "Invalid timestamp for date now"});
    steps_end();
}

static void create_named(const char *name)
{
    char body[300];
    snprintf(body, sizeof(body), "{\"server\":{\"name\":\"%.20s\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}",
             name);
    STEPS({A, "POST", C "/servers", body, 202});
}

/* The names of a list in their order, page by page. */
static void check_order(const char *sort, size_t page, const char *wanted)
{
    char path[300], last[80] = "";
    struct strbuf found;
    strbuf_init(&found, 0);
    for (bool more = true; more;) {
        size_t count = 0;
        snprintf(path, sizeof(path), C "/servers?limit=%zu&%s%s%s", page, sort, *last ? "&marker=" : "", last);
        struct http_answer answer = http_ask("GET", path, steps_tokens[A], "", NULL);
        CHECK_INT(answer.status, 200);
        for (const char *at = answer.body; (at = strstr(at, "\"id\":\"")) != NULL; count++) {
            const char *name = strstr(at, "\"name\":\"") + 8;
            snprintf(last, sizeof(last), "%.36s", at + 6);
            strbuf_appendf(&found, "%.*s ", (int)strcspn(name, "\""), name);
            at = name;
        }
        more = strstr(answer.body, "servers_links") != NULL;
        CHECK(count <= page);
        http_answer_done(&answer);
    }
    CHECK_TEXT(found.data, wanted);
    strbuf_done(&found);
}

TEST("every sort key of a list counts")
{
    static const char *const names[] = {"b", "a", "d", "c", "f", "e"};
    begin();
    for (size_t i = 0; i < 6; i++)
        create_named(names[i]);
    fixture_script(api.db, "UPDATE server SET user_id = 'u1' WHERE name IN ('a', 'd', 'e');"
                           "UPDATE server SET user_id = 'u2' WHERE name NOT IN ('a', 'd', 'e');");
    for (size_t page = 1; page <= 7; page++) {
        check_order("sort_key=user_id&sort_dir=asc&sort_key=display_name&sort_dir=desc", page, "e d a f c b ");
        check_order("sort_key=user_id&sort_dir=desc&sort_key=display_name&sort_dir=asc", page, "b c f a d e ");
        check_order("sort_key=vm_state&sort_key=project_id&sort_key=display_name&sort_dir=asc", page, "a b c d e f ");
        check_order("sort_key=user_id&sort_dir=asc&sort_key=created_at", page, "a d e b c f ");
        check_order("sort_key=user_id&sort_dir=asc&sort_key=display_name&name=[abf]", page, "a b f ");
    }
    steps_end();
}
