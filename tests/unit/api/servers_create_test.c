/* Which bodies of POST /servers are refused and how a create is answered; flavors and keypairs. */
#include "tests/unit/api/servers_fixture.h"

TEST("bodies of POST /servers are refused with the field that is wrong, and leave nothing")
{
    begin();
    static const struct {
        const char *server; /* beside name, flavorRef, imageRef; or the whole document when it begins with a brace */
        int version, status;
        const char *text;
    } rows[] = {
        {"{}", 0, 400, "server"},
        {"[]", 0, 400, ""},
        {"{\"server\":7}", 0, 400, "server"},
        {"{\"server\":{}}", 0, 400, "name"},
        {"{\"server\":{\"name\":\"x\"}}", 0, 400, "flavorRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\"}}", 0, 400, "imageRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"nonsense\"}}", 0, 400, "imageRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"9\",\"imageRef\":\"" IMAGE "\"}}", 0, 400,
         "Flavor 9 could not be found."},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"2\",\"imageRef\":\"" IMAGE "\"}}", 0, 400,
         "Flavor 2 could not be found."},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"3\",\"imageRef\":\"" IMAGE "\"}}", 0, 403, "zero disk"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"cccccccc-0000-4000-8000-000000000001\"}}", 0,
         400, "Can not find requested image"},
        {",\"name\":\"\"", 0, 400, "name"},
        {",\"name\":\" x\"", 0, 400, "name"},
        {",\"name\":\"a\\u0007b\"", 0, 400, "name"},
        {",\"key_name\":\"none\"", 0, 400, "Invalid key_name provided."},
        {",\"networks\":[{\"uuid\":\"x\"}]", 0, 400, "Bad networks format"},
        {",\"networks\":[{\"uuid\":\"cccccccc-0000-4000-8000-000000000001\"}]", 0, 400, "could not be found"},
        {",\"networks\":[{\"colour\":\"red\"}]", 0, 400, "colour"},
        {",\"networks\":\"auto\"", 0, 400, "networks"},
        {",\"networks\":\"auto\"", 37, 400, "Unable to automatically allocate a network"},
        {"", 37, 400, "'networks' is a required property"},
        {",\"description\":\"x\"", 18, 400, "description"},
        {",\"tags\":[\"a\"],\"networks\":\"none\"", 51, 400, "tags"},
        {",\"tags\":[\"a,b\"],\"networks\":\"none\"", 52, 400, "a,b"},
        {",\"hostname\":\"x1\",\"networks\":\"none\"", 89, 400, "hostname"},
        {",\"hostname\":\"-x\",\"networks\":\"none\"", 90, 400, "hostname"},
        {",\"hostname\":\"a.b\",\"networks\":\"none\"", 93, 400, "hostname"},
        {",\"metadata\":{\"a/b\":\"c\"}", 0, 400, "a/b"},
        {",\"metadata\":{\"a\":7}", 0, 400, "metadata"},
        {",\"user_data\":\"!\"", 0, 400, "base 64"},
        {",\"config_drive\":\"perhaps\"", 0, 400, "config_drive"},
        {",\"min_count\":0", 0, 400, "min_count"},
        {",\"min_count\":3,\"max_count\":2", 0, 400, "min_count must be <= max_count"},
        {",\"min_count\":11", 0, 403, "Quota exceeded for instances: Requested 11, but already used 0 of 10 instances"},
        {",\"accessIPv4\":\"::1\"", 0, 400, "accessIPv4"},
        {",\"OS-DCF:diskConfig\":\"SOMETIMES\"", 0, 400, "diskConfig"},
        {",\"availability_zone\":\"mars\"", 0, 400, "availability zone is not available"},
        {",\"security_groups\":[{\"name\":\"walls\"}]", 0, 400, "Security group walls not found"},
        {",\"security_groups\":\"default\"", 0, 400, "security_groups"},
        {",\"personality\":[{\"path\":\"/x\",\"contents\":\"\"}]", 0, 400, "ersonality"},
        {",\"block_device_mapping_v2\":[{\"source_type\":\"blank\",\"destination_type\":\"volume\"}]", 0, 400,
         "Block Device"},
        {",\"colour\":\"red\"", 0, 400, "colour"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *body = rows[i].server;
        if (*body != '{' && *body != '[')
            body =
                at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"%s}}", rows[i].server);
        CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, rows[i].version, body, rows[i].status), rows[i].text);
    }
    ask("POST", BASE "/servers", http_token, 0,
        "{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
        "\"},\"os:scheduler_hints\":{\"group\":\"x\"}}",
        400);
    static const char *const hints[][2] = {
        {"\"same_host\":\"x\"", "same_host. It is not the id of a server"},
        {"\"different_host\":[\"x\"]", "different_host. It is not the id of a server"},
        {"\"query\":\"x\"", "query. It is no condition"},
        {"\"query\":{\"a\":1}", "query. It is not a text"},
        {"\"query\":\"[\\\"~\\\", 1, 2]\"", "is none of ="},
        {"\"query\":\"[\\\">\\\", \\\"$free_rma_mb\\\", 2]\"", "hosts have no $free_rma_mb"},
        {"\"build_near_host_ip\":\"10.0.0.300\"", "build_near_host_ip. It is not an address"},
        {"\"build_near_host_ip\":\"10.0.0.1\",\"cidr\":\"/33\"", "cidr. It is not the length"},
        {"\"cidr\":\"24\"", "cidr. It is not the length"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0,
                           at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
                              "\"},\"os:scheduler_hints\":{%s}}",
                              hints[i][0]),
                           400),
                       hints[i][1]);
    ask("POST", BASE "/servers", http_token, 0, "{\"server\":", 400);
    CHECK_TEXT(ask("GET", BASE "/servers", http_token, 0, NULL, 200), "{\"servers\":[]}");
    end();
}

DB_STATEMENT(compute_properties, "SELECT count(*) FROM server WHERE image_properties = '{\"hw_disk_bus\":\"ide\"}'");

TEST("a create answers as Nova does, and quotas count what is there")
{
    begin();
    struct http_answer answer =
        http_ask("POST", BASE "/servers", http_token, JSON_TYPE,
                 "{\"server\":{\"name\":\"one\",\"flavorRef\":1,\"imageRef\":\"" IMAGE "\",\"adminPass\":\"geheim\"}}");
    CHECK_INT(answer.status, 202);
    json_value *server = json_in_member(parse(answer.body), "server");
    CHECK_INT(json_in_count(server), 5);
    CHECK_TEXT(json_in_text(json_in_member(server, "adminPass")), "geheim");
    CHECK_CONTAINS(http_field(&answer, "location"), json_in_text(json_in_member(server, "id")));
    CHECK_CONTAINS(answer.body, "\"security_groups\":[{\"name\":\"default\"}]");
    http_answer_done(&answer);
    int64_t kept = 0;
    struct error e = {0};
    CHECK_OK(db_query_int(conn, &compute_properties, &kept, &e, DB_NO_ARGS), &e);
    CHECK_INT(kept, 1);
    const char *many = ask("POST", BASE "/servers", http_token, 0,
                           "{\"server\":{\"name\":\"many\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
                           "\",\"min_count\":2,\"max_count\":\"99\",\"return_reservation_id\":true}}",
                           202);
    CHECK_CONTAINS(many, "{\"reservation_id\":\"r-");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0,
                       "{\"server\":{\"name\":\"more\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}", 403),
                   "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances");
    CHECK_INT(json_in_count(json_in_member(parse(ask("GET", BASE "/servers", http_token, 0, NULL, 200)), "servers")),
              10);
    CHECK_INT(json_in_count(json_in_member(
                  parse(ask("GET", BASE "/servers?name=many-[1-9]$", http_token, 0, NULL, 200)), "servers")),
              9);
    end();
}

DB_STATEMENT(compute_modes, "SELECT count(*) FROM server WHERE image_properties = "
                            "'{\"hw_disk_bus\":\"ide\",\"vm_mode\":\"exe\"}'");
DB_STATEMENT(compute_says_xen, "SELECT count(*) FROM server WHERE image_properties = '{\"vm_mode\":\"xen\"}'");

TEST("a server of a container's root stays one when its image is deleted: its properties say so, unless they spoke "
     "before")
{
    static const char *const kinds[] = {"disk_format = 'root-tar'", "disk_format = 'squashfs'",
                                        "disk_format = 'raw', container_format = 'docker'"};
    static const char make[] = "{\"server\":{\"name\":\"box\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}";
    int64_t count = 0;
    char sql[160];
    struct error e = {0};
    begin();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(sql, sizeof(sql), "UPDATE image SET %s WHERE id = '" IMAGE "'", kinds[i]);
        fixture_script(api.db, sql);
        ask("POST", BASE "/servers", http_token, 0, make, 202);
        CHECK_OK(db_query_int(conn, &compute_modes, &count, &e, DB_NO_ARGS), &e);
        CHECK_INT(count, (int64_t)i + 1);
    }
    fixture_script(api.db, "UPDATE image SET properties = '{\"vm_mode\":\"xen\"}' WHERE id = '" IMAGE "'");
    ask("POST", BASE "/servers", http_token, 0, make, 202);
    CHECK_OK(db_query_int(conn, &compute_says_xen, &count, &e, DB_NO_ARGS), &e);
    CHECK_INT(count, 1);
    end();
}

TEST("a server for VMware without a template on its datastore is refused by the property's name")
{
    static const char make[] = "{\"server\":{\"name\":\"v\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}";
    begin();
    fixture_script(api.db, "UPDATE image SET properties = '{\"hypervisor_type\":\"VMware\"}' WHERE id = '" IMAGE "'");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0, make, 400), "Image property vmware_template is missing");
    fixture_script(api.db,
                   "UPDATE image SET properties = '{\"vmware_template\":\"/etc/passwd\"}' WHERE id = '" IMAGE "'");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0, make, 400), "vmware_template: \\\"/etc/passwd\\\"");
    fixture_script(api.db,
                   "UPDATE image SET properties = "
                   "'{\"hypervisor_type\":\"vmware\",\"vmware_template\":\"t/x.vmdk\"}' WHERE id = '" IMAGE "'");
    ask("POST", BASE "/servers", http_token, 0, make, 202);
    end();
}

TEST("a mode or a driver that no host can have is refused by the name of what asks for it")
{
    static const char make[] = "{\"server\":{\"name\":\"v\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}";
    begin();
    fixture_script(api.db, "UPDATE image SET properties = '{\"vm_mode\":\"uml\"}' WHERE id = '" IMAGE "'");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0, make, 400),
                   "Invalid value for vm_mode of the image: 'uml' is not one of hvm, xen, exe");
    fixture_script(api.db, "UPDATE image SET properties = '{\"hypervisor_type\":\"vbox\"}' WHERE id = '" IMAGE "'");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0, make, 400),
                   "Invalid value for hypervisor_type of the image: 'vbox' is not one of qemu");
    end();
}

TEST("flavors and keypairs are made, shown, listed and removed")
{
    begin();
    CHECK_CONTAINS(
        ask("POST", BASE "/flavors", admin, 61,
            "{\"flavor\":{\"name\":\"big\",\"ram\":\"512\",\"vcpus\":2,\"disk\":3,\"id\":7,\"rxtx_factor\":1.5}}", 200),
        "\"rxtx_factor\":1.5");
    ask("POST", BASE "/flavors", admin, 0,
        "{\"flavor\":{\"name\":\"other\",\"ram\":1,\"vcpus\":1,\"disk\":1,\"id\":\"7\"}}", 409);
    ask("POST", BASE "/flavors", admin, 0, "{\"flavor\":{\"name\":\"big\",\"ram\":1,\"vcpus\":1,\"disk\":1}}", 409);
    ask("POST", BASE "/flavors", admin, 0, "{\"flavor\":{\"name\":\"bad\",\"ram\":0,\"vcpus\":1,\"disk\":1}}", 400);
    ask("POST", BASE "/flavors/7/os-extra_specs", admin, 0, "{\"extra_specs\":{\"a:b\":\"c\",\"n\":7}}", 200);
    CHECK_TEXT(ask("GET", BASE "/flavors/7/os-extra_specs/n", http_token, 0, NULL, 200), "{\"n\":\"7\"}");
    ask("DELETE", BASE "/flavors/7/os-extra_specs/n", admin, 0, NULL, 200);
    ask("GET", BASE "/flavors/7/os-extra_specs/n", http_token, 0, NULL, 404);
    ask("GET", BASE "/flavors/2", http_token, 0, NULL, 404);
    ask("GET", BASE "/flavors/2", admin, 0, NULL, 200);
    CHECK_INT(json_in_count(json_in_member(parse(ask("GET", BASE "/flavors", http_token, 0, NULL, 200)), "flavors")),
              3);
    CHECK_INT(json_in_count(json_in_member(
                  parse(ask("GET", BASE "/flavors/detail?is_public=none", admin, 0, NULL, 200)), "flavors")),
              4);
    ask("DELETE", BASE "/flavors/7", admin, 0, NULL, 202);
    ask("DELETE", BASE "/flavors/7", admin, 0, NULL, 404);
    CHECK_CONTAINS(ask("POST", BASE "/os-keypairs", http_token, 2,
                       "{\"keypair\":{\"name\":\"mine\",\"public_key\":\"ssh-ed25519 "
                       "AAAAC3NzaC1lZDI1NTE5AAAAIJ7rS5S8XyTpT7Yv7D6cdWvKJvNn7h9GqYUv1rZV7x2A me\"}}",
                       201),
                   "\"fingerprint\":\"");
    ask("POST", BASE "/os-keypairs", http_token, 2,
        "{\"keypair\":{\"name\":\"mine\",\"public_key\":\"ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIJ7rS5S8XyTpT7Yv7D6cdWvKJvNn7h9GqYUv1rZV7x2A me\"}}",
        409);
    ask("POST", BASE "/os-keypairs", http_token, 2, "{\"keypair\":{\"name\":\"bad\",\"public_key\":\"ssh-rsa AAAA\"}}",
        400);
    ask("POST", BASE "/os-keypairs", http_token, 92, "{\"keypair\":{\"name\":\"none\"}}", 400);
    CHECK_CONTAINS(ask("POST", BASE "/os-keypairs", http_token, 0, "{\"keypair\":{\"name\":\"made\"}}", 200),
                   "BEGIN RSA PRIVATE KEY");
    CHECK_CONTAINS(
        ask("POST", BASE "/os-keypairs", http_token, 2, "{\"keypair\":{\"name\":\"win\",\"type\":\"x509\"}}", 201),
        "BEGIN CERTIFICATE");
    create(",\"key_name\":\"made\"");
    ask("DELETE", BASE "/os-keypairs/made", http_token, 0, NULL, 202);
    ask("DELETE", BASE "/os-keypairs/made", http_token, 2, NULL, 404);
    end();
}
