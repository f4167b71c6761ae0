/* NUMA cells, pages and pins: what flavors and images may say, and what is given on a host known by heart. */
#include "common/model/numa.h"
#include "tests/unit/model/wish_fixture.h"

/* Two cells of four cores with two threads each; 0 and 4 of each cell's are shared; 4 GiB small, 1 GiB in 2 MiB pages,
 * 2 pages of 1 GiB in the second cell. */
static const char host_json[] =
    "{\"cells\":[{\"id\":0,\"memory_mib\":4096,\"dedicated\":\"1-3,5-7\",\"shared\":\"0,4\",\"cores\":[\"0,4\",\"1,5\","
    "\"2,6\",\"3,7\"],\"pages\":[{\"kib\":2048,\"total\":512}]},{\"id\":1,\"memory_mib\":4096,\"dedicated\":\"9-11,"
    "13-15\",\"shared\":\"8,12\",\"cores\":[\"8,12\",\"9,13\",\"10,14\",\"11,15\"],\"pages\":[{\"kib\":1048576,"
    "\"total\":2},{\"kib\":2048,\"total\":0}]}]}";
static const struct numa_limits limits = {16000, 1500, INT64_MAX};

static struct numa_topology host(void)
{
    struct numa_topology t;
    struct error e = {0};
    CHECK_OK(numa_topology_read(host_json, &t, &e), &e);
    return t;
}

/* Reads a request out of two JSON objects. */
static int wish_full(const char *flavor, const char *image, int64_t vcpus, int64_t memory_mib, struct numa_request *ret,
                     bool *any, struct error *e)
{
    struct json_doc docs[2];
    struct numa_wish w = wish_open(flavor, image, docs);
    w.vcpus = vcpus;
    w.memory_mib = memory_mib;
    int rc = numa_wish_read(&w, ret, any, e);
    wish_close(docs);
    return rc;
}

static struct numa_request wish(const char *flavor, const char *image, int64_t vcpus, int64_t memory_mib)
{
    struct numa_request r = {0};
    struct error e = {0};
    bool any = false;
    CHECK_OK(wish_full(flavor, image, vcpus, memory_mib, &r, &any, &e), &e);
    CHECK(any);
    return r;
}

static void check_refused(const char *flavor, const char *image, const char *sentence)
{
    struct numa_request r;
    struct error e = {0};
    bool any = false;
    CHECK_INT(wish_full(flavor, image, 4, 1024, &r, &any, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), sentence);
}

static const char *given_text(const struct numa_topology *t, const struct numa_use *use, const struct numa_request *r,
                              struct numa_given *g)
{
    static struct strbuf text;
    struct numa_lack lack = {0};
    strbuf_done(&text);
    strbuf_init(&text, 0);
    if (numa_fit(t, use, &limits, r, g, &lack))
        numa_given_print(g, &text);
    else
        strbuf_appendf(&text, "lacks %lld %s", (long long)lack.amount, lack.what);
    return text.data;
}

TEST("sets of processors are read with ranges and exclusions, and printed in order")
{
    struct cpuset s;
    char text[CPUSET_TEXT_SIZE];
    CHECK(cpuset_parse("0-3,^2, 8 ,1023", &s));
    CHECK_TEXT(cpuset_print(&s, text), "0-1,3,8,1023");
    CHECK_INT(cpuset_count(&s), 5);
    CHECK(cpuset_parse("", &s) && cpuset_is_empty(&s));
    CHECK(!cpuset_parse("3-1", &s) && !cpuset_parse("1,", &s) && !cpuset_parse("1024", &s));
    CHECK(!cpuset_parse("x", &s) && !cpuset_parse("1;2", &s) && !cpuset_parse("-1", &s) && !cpuset_parse("1-", &s));
}

TEST("nothing is asked for by flavors that say nothing of it")
{
    struct numa_request r;
    struct error e = {0};
    bool any = true;
    CHECK_OK(wish_full("{\"trait:X\":\"required\"}", "{}", 4, 1024, &r, &any, &e), &e);
    CHECK(!any);
    CHECK_OK(wish_full("{\"hw:cpu_policy\":\"shared\"}", "{\"hw_cpu_policy\":\"shared\"}", 4, 1024, &r, &any, &e), &e);
    CHECK(!any);
}

TEST("a dedicated guest is one cell of processors of its own")
{
    struct numa_request r = wish("{\"hw:cpu_policy\":\"dedicated\"}", "{}", 4, 1024);
    CHECK_INT(r.cell_count, 1);
    CHECK_INT(numa_request_dedicated(&r), 4);
    CHECK(!r.explicit_cells);
    r = wish("{}", "{\"hw_cpu_policy\":\"dedicated\",\"hw_cpu_thread_policy\":\"isolate\"}", 2, 1024);
    CHECK_INT(r.threads, NUMA_THREADS_ISOLATE);
}

TEST("cells are even unless they are spelled out")
{
    struct numa_request r = wish("{\"hw:numa_nodes\":\"2\"}", "{}", 4, 1024);
    CHECK_INT(r.cell_count, 2);
    CHECK_INT(r.cells[1].memory_mib, 512);
    CHECK(cpuset_has(&r.cells[1].vcpus, 2) && !cpuset_has(&r.cells[1].vcpus, 1));
    r = wish("{\"hw:numa_nodes\":\"2\",\"hw:numa_cpus.0\":\"0\",\"hw:numa_cpus.1\":\"1-3\",\"hw:numa_mem.0\":\"256\","
             "\"hw:numa_mem.1\":\"768\"}",
             "{}", 4, 1024);
    CHECK_INT(cpuset_count(&r.cells[1].vcpus), 3);
    CHECK_INT(r.cells[0].memory_mib, 256);
}

TEST("sizes of pages are words or amounts")
{
    CHECK_INT(wish("{\"hw:mem_page_size\":\"small\"}", "{}", 1, 1024).page_kib, NUMA_PAGE_SMALL);
    CHECK_INT(wish("{\"hw:mem_page_size\":\"2MB\"}", "{}", 1, 1024).page_kib, 2048);
    CHECK_INT(wish("{\"hw:mem_page_size\":\"2048\"}", "{}", 1, 1024).page_kib, 2048);
    CHECK_INT(wish("{\"hw:mem_page_size\":\"1GiB\"}", "{}", 1, 1024).page_kib, 1048576);
    CHECK_INT(wish("{\"hw:mem_page_size\":\"large\"}", "{\"hw_mem_page_size\":\"2MB\"}", 1, 1024).page_kib, 2048);
}

TEST("bad values and contradictions are refused with Nova's sentences")
{
    check_refused("{\"hw:cpu_policy\":\"often\"}", "{}", "CPU policy requested from 'flavor extra specs' is invalid");
    check_refused("{\"hw:cpu_policy\":\"shared\"}", "{\"hw_cpu_policy\":\"dedicated\"}",
                  "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy");
    check_refused("{\"hw:cpu_policy\":\"dedicated\",\"hw:cpu_thread_policy\":\"require\"}",
                  "{\"hw_cpu_thread_policy\":\"isolate\"}", "'hw_cpu_thread_policy' is not permitted to override");
    check_refused("{\"hw:cpu_thread_policy\":\"prefer\"}", "{}",
                  "Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy");
    check_refused("{\"hw:numa_nodes\":\"0\"}", "{}", "It must be a number greater than 0");
    check_refused("{\"hw:numa_nodes\":\"2\"}", "{\"hw_numa_nodes\":\"2\"}", "'hw_numa_nodes' is not permitted");
    check_refused("{\"hw:numa_nodes\":\"3\"}", "{}", "cannot be evenly distributed across instance NUMA nodes");
    check_refused("{\"hw:numa_nodes\":\"2\",\"hw:numa_cpus.0\":\"0-3\"}", "{}",
                  "CPU and memory allocation must be provided for all NUMA nodes");
    check_refused("{\"hw:numa_nodes\":\"1\",\"hw:numa_cpus.0\":\"0-4\",\"hw:numa_mem.0\":\"1024\"}", "{}",
                  "CPU number 4 is larger than max 3");
    check_refused("{\"hw:numa_nodes\":\"1\",\"hw:numa_cpus.0\":\"0-2\",\"hw:numa_mem.0\":\"1024\"}", "{}",
                  "CPU number 3 is not assigned to any node");
    check_refused("{\"hw:numa_nodes\":\"1\",\"hw:numa_cpus.0\":\"0-3\",\"hw:numa_mem.0\":\"1000\"}", "{}",
                  "1000 MB of memory assigned, but expected 1024 MB");
    check_refused("{\"hw:mem_page_size\":\"huge\"}", "{}", "Invalid memory page size 'huge'");
    check_refused("{\"hw:mem_page_size\":\"1GB\"}", "{\"hw_mem_page_size\":\"2MB\"}", "Page size 2MB forbidden");
    check_refused("{}", "{\"hw_mem_page_size\":\"2MB\"}", "Page size 2MB forbidden against '<empty>'");
    check_refused("{\"hw:mem_page_size\":\"1000\"}", "{}", "is not a multiple of the page size 1000 kB");
    check_refused("{\"hw:cpu_policy\":\"mixed\"}", "{}", "Dedicated CPU set can be specified from either");
    check_refused("{\"hw:cpu_policy\":\"mixed\",\"hw:cpu_dedicated_mask\":\"0-3\"}", "{}",
                  "at least 1 pinned vCPU and 1 unpinned vCPU");
    check_refused("{\"hw:cpu_dedicated_mask\":\"0\"}", "{}", "without the 'mixed' policy");
    check_refused("{\"hw:emulator_threads_policy\":\"isolate\"}", "{}", "requires a dedicated CPU policy");
}

static struct numa_shape shape(const char *flavor, const char *image, int64_t vcpus)
{
    struct json_doc docs[2];
    struct error e = {0};
    struct numa_shape ret;
    struct numa_wish w = wish_open(flavor, image, docs);
    w.vcpus = vcpus;
    w.memory_mib = 1024;
    CHECK_OK(numa_wish_shape(&w, &ret, &e), &e);
    wish_close(docs);
    return ret;
}

TEST("a guest's processors are sockets unless something else is wanted")
{
    struct numa_shape s = shape("{}", "{}", 4);
    CHECK(s.sockets == 4 && s.cores == 1 && s.threads == 1);
    s = shape("{\"hw:cpu_sockets\":\"1\",\"hw:cpu_threads\":\"2\"}", "{}", 4);
    CHECK(s.sockets == 1 && s.cores == 2 && s.threads == 2);
    s = shape("{\"hw:cpu_max_sockets\":\"1\"}", "{\"hw_cpu_cores\":\"4\"}", 4);
    CHECK(s.sockets == 1 && s.cores == 4 && s.threads == 1);
}

TEST("a topology comes back from its text")
{
    struct numa_topology t = host();
    struct strbuf text;
    strbuf_init(&text, 0);
    numa_topology_print(&t, &text);
    CHECK_TEXT(text.data, host_json);
    CHECK_INT(t.threads, 2);
    strbuf_done(&text);
}

TEST("pins follow the policy for threads")
{
    struct numa_topology t = host();
    struct numa_given g;
    struct numa_request r = wish("{\"hw:cpu_policy\":\"dedicated\"}", "{}", 3, 1024);
    CHECK_TEXT(
        given_text(&t, NULL, &r, &g),
        "{\"page_kib\":0,\"explicit\":false,\"cells\":[{\"host\":0,\"vcpus\":\"0-2\",\"memory_mib\":1024,\"pins\":[1,"
        "5,2]}],\"held\":\"1-2,5\",\"emulator\":\"\"}");
    r.threads = NUMA_THREADS_ISOLATE;
    CHECK_TEXT(
        given_text(&t, NULL, &r, &g),
        "{\"page_kib\":0,\"explicit\":false,\"cells\":[{\"host\":0,\"vcpus\":\"0-2\",\"memory_mib\":1024,\"pins\":[1,"
        "2,3]}],\"held\":\"1-3,5-7\",\"emulator\":\"\"}");
    CHECK_INT(numa_given_held(&g), 6);
    r = wish("{\"hw:cpu_policy\":\"dedicated\"}", "{}", 7, 1024);
    CHECK_TEXT(given_text(&t, NULL, &r, &g), "lacks 1 dedicated CPUs in one NUMA cell");
    r = wish("{\"hw:cpu_policy\":\"dedicated\",\"hw:cpu_thread_policy\":\"isolate\"}", "{}", 4, 1024);
    CHECK_TEXT(given_text(&t, NULL, &r, &g), "lacks 1 idle cores in one NUMA cell");
    r = wish("{\"hw:cpu_policy\":\"mixed\",\"hw:cpu_dedicated_mask\":\"^0\"}", "{}", 2, 1024);
    CHECK_CONTAINS(given_text(&t, NULL, &r, &g), "\"pins\":[-1,1],\"floats\":\"0,4\"}],\"held\":\"1\"");
}

TEST("emulator threads get a processor of their own, or the shared ones")
{
    struct numa_topology t = host();
    struct numa_given g;
    struct numa_request r =
        wish("{\"hw:cpu_policy\":\"dedicated\",\"hw:emulator_threads_policy\":\"isolate\"}", "{}", 2, 1024);
    CHECK_CONTAINS(given_text(&t, NULL, &r, &g), "\"held\":\"1-2,5\",\"emulator\":\"2\"");
    r = wish("{\"hw:cpu_policy\":\"dedicated\",\"hw:emulator_threads_policy\":\"share\"}", "{}", 2, 1024);
    CHECK_CONTAINS(given_text(&t, NULL, &r, &g), "\"held\":\"1,5\",\"emulator\":\"0,4,8,12\"");
}

TEST("pages are counted cell by cell, and the largest that are there are taken")
{
    struct numa_topology t = host();
    struct numa_use *use = calloc(1, numa_use_size(&t));
    struct numa_given g;
    struct numa_request r = wish("{\"hw:mem_page_size\":\"large\"}", "{}", 1, 1024);
    CHECK_CONTAINS(given_text(&t, use, &r, &g), "{\"page_kib\":1048576,\"explicit\":true,\"cells\":[{\"host\":1");
    CHECK_INT(numa_given_huge_mib(&g), 1024);
    numa_use_change(&t, use, &g, 1);
    numa_use_change(&t, use, &g, 1);
    CHECK_CONTAINS(given_text(&t, use, &r, &g), "{\"page_kib\":2048,\"explicit\":true,\"cells\":[{\"host\":0");
    numa_use_change(&t, use, &g, 1);
    CHECK_TEXT(given_text(&t, use, &r, &g), "lacks 512 pages of 2 MiB in one NUMA cell");
    r = wish("{\"hw:mem_page_size\":\"1GB\"}", "{}", 1, 1024);
    CHECK_TEXT(given_text(&t, use, &r, &g), "lacks 1 pages of 1 GiB in one NUMA cell");
    r = wish("{\"hw:mem_page_size\":\"any\"}", "{}", 1, 1024);
    CHECK_CONTAINS(given_text(&t, use, &r, &g), "{\"page_kib\":4,");
    free(use);
}

TEST("more cells than the host has fit nowhere")
{
    struct numa_topology t = host();
    struct numa_given g;
    struct numa_request r = wish("{\"hw:numa_nodes\":\"4\"}", "{}", 4, 1024);
    CHECK_TEXT(given_text(&t, NULL, &r, &g), "lacks 2 NUMA cells");
}

TEST("what is given comes back from its text, and its release leaves nothing held")
{
    struct numa_topology t = host();
    struct numa_use *use = calloc(1, numa_use_size(&t)), *none = calloc(1, numa_use_size(&t));
    struct numa_given g, again;
    struct error e = {0};
    struct numa_request r =
        wish("{\"hw:cpu_policy\":\"mixed\",\"hw:cpu_dedicated_mask\":\"0-2\",\"hw:numa_nodes\":\"2\"}", "{}", 4, 1024);
    char *text = strdup(given_text(&t, NULL, &r, &g));
    CHECK_OK(numa_given_read(text, &again, &e), &e);
    struct strbuf printed;
    strbuf_init(&printed, 0);
    numa_given_print(&again, &printed);
    CHECK_TEXT(printed.data, text);
    numa_use_change(&t, use, &g, 1);
    CHECK_INT(cpuset_count(&use->held), 3);
    CHECK_INT(use->cells[1].shared_vcpus + use->cells[0].shared_vcpus, 1);
    numa_use_change(&t, use, &again, -1);
    CHECK(memcmp(use, none, numa_use_size(&t)) == 0);
    strbuf_done(&printed);
    free(text);
    free(use);
    free(none);
}

TEST("processors that no core names are cores of their own")
{
    struct numa_topology t;
    struct error e = {0};
    CHECK_OK(numa_topology_read("{\"cells\":[{\"id\":0,\"memory_mib\":1024,\"dedicated\":\"2-3\",\"shared\":\"0\","
                                "\"cores\":[]}]}",
                                &t, &e),
             &e);
    CHECK_INT(t.core[0], 0);
    CHECK_INT(t.core[1], -1);
    CHECK_INT(t.core[2], 2);
    CHECK_INT(t.core[3], 3);
}
