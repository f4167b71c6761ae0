/* The config drive read back, and what it is made of. */
#include "compute-agent/storage/base64.h"
#include "compute-agent/storage/config_drive.h"
#include "tests/unit/agent/files_fixture.h"
#include "tests/unit/agent/samples.h"

TEST("the documents on the config drive are OpenStack's and NoCloud's")
{
    struct spec *spec = sample_read(SAMPLE(""));
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    config_drive_meta_data(spec, &text);
    CHECK_TEXT(text.data,
               "{\"uuid\":\"" SAMPLE_ID
               "\",\"hostname\":\"web-1\",\"name\":\"web <1> & \\\"co\\\"\",\"launch_index\":0,"
               "\"availability_zone\":\"nova\",\"project_id\":\"p1\",\"meta\":{\"role\":\"web\"},"
               "\"public_keys\":{\"me\":\"ssh-ed25519 AAAA me\"},"
               "\"keys\":[{\"name\":\"me\",\"type\":\"ssh\",\"data\":\"ssh-ed25519 AAAA me\"}],\"devices\":[]}");
    strbuf_reset(&text);
    config_drive_network_data(spec, &text);
    CHECK_CONTAINS(
        text.data,
        "\"links\":[{\"id\":\"tap01890000-33\",\"vif_id\":\"01890000-3333-7222-8333-000000000001\",\"type\":\"bridge\","
        "\"mtu\":1450,\"ethernet_mac_address\":\"fa:16:3e:00:00:01\"}]");
    CHECK_CONTAINS(
        text.data,
        "{\"id\":\"network0\",\"type\":\"ipv4_dhcp\",\"link\":\"tap01890000-33\",\"network_id\":\"" SAMPLE_NETWORK
        "\"}");
    CHECK_CONTAINS(text.data, "\"type\":\"ipv6\",\"link\":\"tap01890000-33\",\"ip_address\":\"fd00::5\",\"netmask\":"
                              "\"ffff:ffff:ffff:ffff::\","
                              "\"routes\":[{\"network\":\"::\",\"netmask\":\"::\",\"gateway\":\"fd00::1\"}]");
    CHECK_CONTAINS(
        text.data,
        "\"services\":[{\"type\":\"dns\",\"address\":\"9.9.9.9\"},{\"type\":\"dns\",\"address\":\"1.1.1.1\"}]");
    strbuf_reset(&text);
    config_drive_nocloud_data(spec, &text);
    CHECK_TEXT(text.data, "{\"instance-id\":\"" SAMPLE_ID
                          "\",\"local-hostname\":\"web-1\",\"public-keys\":[\"ssh-ed25519 AAAA me\"]}");
    strbuf_reset(&text);
    CHECK_OK(config_drive_user_data(spec, &text, &e), &e);
    CHECK_TEXT(text.data, "#!/bin/sh\necho hi\n");
    strbuf_done(&text);
    spec_free(&spec);
}

static void check_on_drive(const char *drive, const char *file, const char *part)
{
    struct child child = {.argv = (const char *[]){"isoinfo", "-R", "-i", drive, "-x", file, NULL},
                          .deadline_ms = 60000};
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&child, &text, &e), &e);
    CHECK_CONTAINS(text.data, part);
    strbuf_done(&text);
}

TEST("the config drive is read back as it was meant, and made anew only when it changes")
{
    char *folder = make_folder("drive"), *drive = below(folder, "config.iso");
    struct spec *spec = sample_read(SAMPLE(""));
    struct strbuf text;
    struct stat first, second;
    struct error e = {0};
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    struct child child = {.argv = (const char *[]){"isoinfo", "-d", "-i", drive, NULL}, .deadline_ms = 60000};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&child, &text, &e), &e);
    CHECK_CONTAINS(text.data, "Volume id: config-2");
    strbuf_done(&text);
    check_on_drive(drive, "/openstack/latest/meta_data.json", SAMPLE_ID);
    check_on_drive(drive, "/openstack/latest/network_data.json", "fa:16:3e:00:00:01");
    check_on_drive(drive, "/openstack/latest/user_data", "echo hi");
    check_on_drive(drive, "/openstack/latest/vendor_data.json", "{}");
    check_on_drive(drive, "/openstack/2018-08-27/meta_data.json", SAMPLE_ID);
    check_on_drive(drive, "/ec2/latest/meta-data.json", "local-ipv4\":\"10.0.0.5");
    check_on_drive(drive, "/meta-data", "local-hostname\":\"web-1");
    check_on_drive(drive, "/user-data", "echo hi");
    CHECK_INT(stat(drive, &first), 0);
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    CHECK_INT(stat(drive, &second), 0);
    CHECK_INT(first.st_ino, second.st_ino);
    spec->hostname = "other";
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    check_on_drive(drive, "/meta-data", "other");
    spec_free(&spec);
    free(drive);
    free(folder);
}

TEST("user data that is no base64 fails with a sentence and leaves no drive")
{
    char *folder = make_folder("bad-drive"), *drive = below(folder, "config.iso");
    struct spec *spec = sample_read(SAMPLE("\"user_data\":\"@@@\","));
    struct error e = {0};
    CHECK_INT(config_drive_make(folder, drive, spec, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "base64");
    CHECK(access(drive, F_OK) != 0);
    spec_free(&spec);
    free(drive);
    free(folder);
}

TEST("base64 is read as RFC 4648 says, with line breaks")
{
    static const char *const good[][2] = {{"", ""},        {"Zg==", "f"},      {"Zm8=", "fo"},
                                          {"Zm9v", "foo"}, {"Zm9vYg", "foob"}, {"Zm9v\nYmFy\n", "foobar"}};
    static const char *const bad[] = {"Z", "Zg=", "Zg===", "Zm=9", "Zm9v!", "Zm9vZ"};
    struct strbuf text;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        strbuf_reset(&text);
        CHECK(base64_decode(good[i][0], &text));
        CHECK_TEXT(text.data, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        strbuf_reset(&text);
        if (base64_decode(bad[i], &text))
            check_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
    }
    strbuf_done(&text);
}
