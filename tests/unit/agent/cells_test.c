/* The host's cells: what libvirt says of machines, what options leave of it for servers, and what becomes of it in
 * domains (golden files as in xml_test.c; GOLDEN_WRITE=1 makes them anew). */
#include "common/child.h"
#include "common/file.h"
#include "compute-agent/cells.h"
#include "compute-agent/xml/domain_move.h"
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/topology_xml.h"
#include "tests/unit/agent/samples.h"

#define GOLDEN "tests/unit/agent/golden/"

/* As virsh capabilities shows a machine with two sockets of two cores with two threads. */
static const char machine[] =
    "<capabilities><host><topology><cells num='2'>"
    "<cell id='0'><memory unit='KiB'>8388608</memory><pages unit='KiB' size='4'>1572864</pages>"
    "<pages unit='KiB' size='2048'>512</pages><pages unit='KiB' size='1048576'>1</pages><cpus num='4'>"
    "<cpu id='0' socket_id='0' die_id='0' core_id='0' siblings='0,4'/><cpu id='1' socket_id='0' die_id='0' "
    "core_id='1' siblings='1,5'/><cpu id='4' socket_id='0' die_id='0' core_id='0' siblings='0,4'/><cpu id='5' "
    "socket_id='0' die_id='0' core_id='1' siblings='1,5'/></cpus></cell>"
    "<cell id='1'><memory unit='KiB'>8388608</memory><pages unit='KiB' size='4'>2097152</pages><pages unit='KiB' "
    "size='2048'>0</pages><pages unit='KiB' size='1048576'>0</pages><cpus num='4'><cpu id='2' siblings='2,6'/><cpu "
    "id='3' siblings='3,7'/><cpu id='6' siblings='2,6'/><cpu id='7' siblings='3,7'/></cpus></cell>"
    "</cells></topology></host></capabilities>";

static void check_topology(struct settings *s, int64_t shared, const char *text)
{
    struct numa_topology t;
    struct cells_sums sums;
    struct strbuf printed;
    struct error e = {0};
    strbuf_init(&printed, 0);
    topology_xml_read(machine, &t);
    CHECK_OK(cells_check(s, &e), &e);
    cells_divide(&t, s, &sums);
    numa_topology_print(&t, &printed);
    CHECK_TEXT(printed.data, text);
    CHECK_INT(sums.shared, shared);
    CHECK_INT(sums.huge_mib, 2048);
    strbuf_done(&printed);
}

TEST("a machine without options has shared processors only, and its huge pages are no plain memory")
{
    struct settings s = {0};
    check_topology(
        &s, 8,
        "{\"cells\":[{\"id\":0,\"memory_mib\":6144,\"dedicated\":\"\",\"shared\":\"0-1,4-5\",\"cores\":[\"0,"
        "4\",\"1,5\"],\"pages\":[{\"kib\":1048576,\"total\":1},{\"kib\":2048,\"total\":512}]},{\"id\":1,"
        "\"memory_mib\":8192,\"dedicated\":\"\",\"shared\":\"2-3,6-7\",\"cores\":[\"2,6\",\"3,7\"],\"pages\":"
        "[{\"kib\":1048576,\"total\":0},{\"kib\":2048,\"total\":0}]}]}");
}

TEST("options divide processors and keep pages back")
{
    struct settings s = {.dedicated_cpus = "1-7,^4", .reserved_huge_pages = "0:2048:100,0:1048576:3"};
    check_topology(
        &s, 2,
        "{\"cells\":[{\"id\":0,\"memory_mib\":6144,\"dedicated\":\"1,5\",\"shared\":\"0,4\",\"cores\":[\"0,"
        "4\",\"1,5\"],\"pages\":[{\"kib\":1048576,\"total\":0},{\"kib\":2048,\"total\":412}]},{\"id\":1,"
        "\"memory_mib\":8192,\"dedicated\":\"2-3,6-7\",\"shared\":\"\",\"cores\":[\"2,6\",\"3,7\"],\"pages\":"
        "[{\"kib\":1048576,\"total\":0},{\"kib\":2048,\"total\":0}]}]}");
    s = (struct settings){.shared_cpus = "0"};
    struct numa_topology t;
    struct cells_sums sums;
    topology_xml_read(machine, &t);
    cells_divide(&t, &s, &sums);
    CHECK_INT(sums.shared, 1);
}

TEST("options that cannot be are refused by name")
{
    struct error e = {0};
    struct settings s = {.dedicated_cpus = "1-x"};
    CHECK_INT(cells_check(&s, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "dedicated_cpus: '1-x'");
    e = (struct error){0};
    s = (struct settings){.dedicated_cpus = "1-3", .shared_cpus = "3"};
    CHECK_INT(cells_check(&s, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "a processor is in both");
    e = (struct error){0};
    s = (struct settings){.reserved_huge_pages = "0:2048"};
    CHECK_INT(cells_check(&s, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "CELL:KIB:COUNT");
}

TEST("what libvirt does not tell is no cell")
{
    struct numa_topology t;
    topology_xml_read("<capabilities><host/></capabilities>", &t);
    CHECK_INT(t.cell_count, 0);
    topology_xml_read("no XML", &t);
    CHECK_INT(t.cell_count, 0);
    topology_xml_read("<capabilities><host><topology><cells><cell id='0'><cpus><cpu id='5000' "
                      "siblings='5000'/></cpus></cell></cells></topology></host></capabilities>",
                      &t);
    CHECK_INT(t.cell_count, 0);
}

TEST("a fake host's processors are spread over its cells")
{
    struct settings s = {.fake_cells = 2, .fake_huge_pages = "1048576:2", .dedicated_cpus = "2-3"};
    struct numa_topology t;
    struct cells_sums sums;
    struct strbuf text;
    strbuf_init(&text, 0);
    cells_fake(&s, 8, 8192, &t);
    cells_divide(&t, &s, &sums);
    numa_topology_print(&t, &text);
    CHECK_TEXT(text.data,
               "{\"cells\":[{\"id\":0,\"memory_mib\":2048,\"dedicated\":\"2-3\",\"shared\":\"0-1\",\"cores\":[\"0-1\","
               "\"2-3\"],\"pages\":[{\"kib\":1048576,\"total\":2}]},{\"id\":1,\"memory_mib\":2048,\"dedicated\":\"\","
               "\"shared\":\"4-7\",\"cores\":[\"4-5\",\"6-7\"],\"pages\":[{\"kib\":1048576,\"total\":2}]}]}");
    strbuf_done(&text);
}

/* ---- domains ---- */

static char *make(const char *sample, const char *shared)
{
    struct names names;
    struct spec *spec = sample_read(sample);
    struct domain_xml_host host = {.version = "1.2.3",
                                   .machine = "q35",
                                   .vnc_listen = "127.0.0.1",
                                   .folder = "/var/lib/virga/instances/" SAMPLE_ID,
                                   .shared_cpus = shared};
    names_init(&names, "cloud-1", "01890000-9999-7222-8333-000000000001");
    char *xml = domain_xml_make(spec, &names, &host);
    spec_free(&spec);
    return xml;
}

static void check_golden(const char *file, const char *text)
{
    struct strbuf had;
    strbuf_init(&had, 0);
    if (getenv("GOLDEN_WRITE"))
        CHECK_INT(file_replace(file, text, strlen(text), 0644, NULL), 0);
    CHECK_INT(file_read(file, &had, NULL), 0);
    CHECK_TEXT(text, had.data);
    strbuf_done(&had);
    const char *argv[] = {"virt-xml-validate", file, NULL};
    struct child child = {.argv = argv, .deadline_ms = 60000};
    struct error e = {0};
    int code = child_run(&child, NULL, &e);
    if (code && code != ERR_NOT_FOUND)
        check_fail(__FILE__, __LINE__, "%s: %s", file, e.text);
}

TEST("a pinned guest with cells and huge pages is written as it was placed")
{
    char *xml =
        make(SAMPLE("\"vcpus\":4,\"flavor_extra\":{\"hw:cpu_policy\":\"mixed\",\"hw:cpu_sockets\":\"2\","
                    "\"hw:cpu_threads\":\"2\"},\"topology\":{\"page_kib\":2048,\"explicit\":true,\"cells\":[{"
                    "\"host\":1,\"vcpus\":\"0-1\",\"memory_mib\":256,\"pins\":[9,13]},{\"host\":0,\"vcpus\":\"2-"
                    "3\",\"memory_mib\":256,\"pins\":[1,-1],\"floats\":\"0,4\"}],\"held\":\"1,9,13\","
                    "\"emulator\":\"\"},"),
             NULL);
    check_golden(GOLDEN "domain-pinned.xml", xml);
    free(xml);
}

TEST("a plain guest keeps off dedicated processors")
{
    char *xml = make(SAMPLE(""), "0-1,4");
    CHECK_CONTAINS(xml, "<vcpu placement=\"static\" cpuset=\"0-1,4\">2</vcpu>");
    CHECK(!strstr(xml, "<cputune>") && !strstr(xml, "<numatune>"));
    free(xml);
}

TEST("a topology that is not the server's is refused")
{
    struct spec *spec = NULL;
    struct error e = {0};
    CHECK_INT(sample_try(SAMPLE("\"topology\":{\"page_kib\":0,\"cells\":[{\"host\":0,\"vcpus\":\"0\",\"pins\":[3]}]},"),
                         &spec, &e),
              ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "topology: it is not that of 2 vcpus");
}

TEST("a guest that moves gets the other host's processors and cells")
{
    struct spec *spec = sample_read(SAMPLE("\"topology\":{\"page_kib\":0,\"explicit\":false,\"cells\":[{\"host\":3,"
                                           "\"vcpus\":\"0-1\",\"memory_mib\":512,\"pins\":[6,7]}],\"held\":\"6-7\"},"));
    struct domain_xml_host host = {.shared_cpus = "0"};
    struct domain_move how = {.from_folder = "/a", .to_folder = "/b", .from_name = "x", .to_name = "y", .to_host = "h"};
    char *tuning = domain_xml_tuning(spec, &host);
    how.tuning = tuning;
    char *xml = domain_move_rewrite("<domain><vcpu cpuset='1'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/>"
                                    "</cputune><numatune><memory mode='strict' nodeset='0'/></numatune></domain>",
                                    &how);
    CHECK_CONTAINS(xml, "<vcpu>2</vcpu>");
    CHECK_CONTAINS(xml, "<vcpupin vcpu=\"0\" cpuset=\"6\"/>");
    CHECK_CONTAINS(xml, "<emulatorpin cpuset=\"6-7\"/>");
    CHECK_CONTAINS(xml, "<memory mode=\"strict\" nodeset=\"3\"/>");
    CHECK(!strstr(xml, "cpuset=\"1\"") && !strstr(xml, "nodeset=\"0\""));
    free(xml);
    free(tuning);
    spec->cells = NULL;
    how.tuning = tuning = domain_xml_tuning(spec, &host);
    xml = domain_move_rewrite("<domain><vcpu cpuset='1'>2</vcpu></domain>", &how);
    CHECK_CONTAINS(xml, "<vcpu cpuset=\"0\">2</vcpu>");
    free(xml);
    free(tuning);
    spec_free(&spec);
}
