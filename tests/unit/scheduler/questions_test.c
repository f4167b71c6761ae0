/* Dry runs as the scheduler answers them: by batch, with refusals, and without a trace but the answer. */
#include "common/json_in.h"
#include "db/store_placement_question.h"
#include "scheduler/questions.h"
#include "tests/unit/db/compute_fixture.h"

static struct db *db;
static struct dispatch dispatch;

static void begin(void)
{
    struct error e = {0};
    db = compute_begin();
    dispatch = (struct dispatch){.db = db, .batch = 10};
    snprintf(dispatch.holder, sizeof(dispatch.holder), "me");
    dispatch.feed.placement = placement_new(NULL);
    dispatch.feed.alive_limit_us = 20 * SECOND;
    CHECK_OK(db_conn_open(db, &dispatch.conn, &e), &e);
    compute_add_host(dispatch.conn, "host-a");
    compute_add_host(dispatch.conn, "host-b");
}

static void end(void)
{
    placement_free(&dispatch.feed.placement);
    db_conn_close(&dispatch.conn);
    compute_end(&db);
}

static int ask_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_placement_question_insert(c, "q", arg, clock_now_us(), clock_now_us() + 30 * SECOND, e);
}

/* The answer to the question, NULL when there is none. */
static const char *ask(const char *question)
{
    struct error e = {0};
    const char *answer = NULL;
    compute_transact(dispatch.conn, ask_run, (void *)(uintptr_t)question);
    CHECK_OK(questions_answer(&dispatch, &e), &e);
    CHECK_OK(store_placement_question_get(dispatch.conn, "q", &compute_arena, &answer, &e), &e);
    clock_advance(31 * SECOND);
    CHECK_OK(store_placement_question_purge(dispatch.conn, clock_now_us(), &e), &e);
    clock_advance(-31 * SECOND);
    return answer;
}

static void lead(void)
{
    struct error e = {0};
    CHECK_OK(dispatch_lead(&dispatch, 3600 * SECOND, &e), &e);
    CHECK(dispatch.leader);
}

TEST("who does not lead does not answer")
{
    begin();
    CHECK(ask("{\"project_id\":\"p\",\"vcpus\":1}") == NULL);
    lead();
    CHECK(ask("{\"project_id\":\"p\",\"vcpus\":1}") != NULL);
    end();
}

TEST("an answer names hosts and refusals, and gives the room back")
{
    begin();
    lead();
    const char *first =
        ask("{\"project_id\":\"p\",\"vcpus\":1,\"memory_mib\":60000,\"least\":3,\"most\":3,\"by_host\":true}");
    CHECK(strstr(first, "\"placed\":[\"host-a\",\"host-b\"]") != NULL);
    CHECK(strstr(first, "{\"host_id\":\"host-b\",\"reason\":\"full (MEMORY_MB)\"") != NULL);
    CHECK_TEXT(ask("{\"project_id\":\"p\",\"vcpus\":1,\"memory_mib\":60000,\"least\":3,\"most\":3,\"by_host\":true}"),
               first);
    for (int32_t slot = 0; slot < 2; slot++)
        CHECK_INT(placement_host_used(dispatch.feed.placement, slot)->amount[RESOURCE_MEMORY_MIB], 0);
    CHECK(strstr(ask("{\"project_id\":\"p\",\"vcpus\":1,\"zone\":\"elsewhere\"}"), "\"placed\":[]") != NULL);
    end();
}

static void check_placed(const char *wishes, const char *placed)
{
    const char *answer = ask(arena_printf(
        &compute_arena,
        "{\"project_id\":\"p\",\"vcpus\":1,\"memory_mib\":60000,\"least\":3,\"most\":3,\"by_host\":true%s}", wishes));
    if (!strstr(answer, arena_printf(&compute_arena, "\"placed\":[%s]", placed)))
        check_fail(__FILE__, __LINE__, "%s: %s", wishes, answer);
}

TEST("containers and machines find their own hosts, by the image's kind and properties")
{
    begin();
    compute_add_host(dispatch.conn, "lxc-1");
    lead();
    check_placed("", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"hw_vm_mode\":\"hvm\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"vm_mode\":\"exe\"}", "\"lxc-1\"");
    check_placed(",\"image_properties\":{\"vm_mode\":\"EXE\"}", "\"lxc-1\"");
    check_placed(",\"image_kind\":\"root-tar\"", "\"lxc-1\"");
    check_placed(",\"image_properties\":{\"hypervisor_type\":\"LXC\"}", "\"lxc-1\"");
    check_placed(",\"image_properties\":{\"hypervisor_type\":\"fake\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"vm_mode\":\"xen\"}", "");
    check_placed(",\"image_properties\":{\"hw_architecture\":\"aarch64\"}", "");
    check_placed(",\"image_properties\":{\"hw_firmware_type\":\"uefi\"}", "");
    CHECK(strstr(ask("{\"project_id\":\"p\",\"image_properties\":{\"vm_mode\":\"uml\"}}"), "not one of hvm, xen, exe"));
    CHECK(strstr(ask("{\"project_id\":\"p\",\"image_kind\":\"root-tar\",\"image_properties\":{\"vm_mode\":\"hvm\"}}"),
                 "a container's root"));
    end();
}

TEST("images that name a template go where templates are, and others do not")
{
    begin();
    compute_add_host(dispatch.conn, "esx-1");
    lead();
    check_placed("", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"hw_vm_mode\":\"hvm\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"vmware_template\":\"t/debian.vmdk\"}", "\"esx-1\"");
    end();
}

TEST("hosts that read no image take only servers that name their hypervisor")
{
    begin();
    compute_add_host(dispatch.conn, "test-1");
    lead();
    check_placed("", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"vm_mode\":\"hvm\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"image_properties\":{\"vmware_template\":\"t/debian.vmdk\"}", "");
    check_placed(",\"image_properties\":{\"hypervisor_type\":\"test\"}", "\"test-1\"");
    check_placed(",\"flavor_extra\":{\"hypervisor_type\":\"test\"}", "\"test-1\"");
    end();
}

TEST("flavors ask for a kind of host as images do, and may not contradict them")
{
    begin();
    compute_add_host(dispatch.conn, "lxc-1");
    lead();
    check_placed(",\"flavor_extra\":{\"hypervisor_type\":\"lxc\"}", "\"lxc-1\"");
    check_placed(",\"flavor_extra\":{\"capabilities:hypervisor_type\":\"LXC\"}", "\"lxc-1\"");
    check_placed(",\"flavor_extra\":{\"hypervisor_type\":\"<or> fake <or> QEMU\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"flavor_extra\":{\"hypervisor_type\":\"qemu\"}", "");
    check_placed(",\"flavor_extra\":{\"vm_mode\":\"exe\"}", "\"lxc-1\"");
    check_placed(",\"flavor_extra\":{\"hw:vm_mode\":\"hvm\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"flavor_extra\":{\"capabilities:vm_mode\":\"xen\"}", "");
    check_placed(",\"flavor_extra\":{\"hw:architecture\":\"aarch64\"}", "");
    check_placed(",\"flavor_extra\":{\"hw:architecture\":\"ppc64le\"}", "");
    check_placed(",\"flavor_extra\":{\"hw:architecture\":\"x86_64\"}", "\"host-a\",\"host-b\"");
    check_placed(",\"flavor_extra\":{\"hw:firmware_type\":\"uefi\"}", "");
    CHECK(strstr(ask("{\"project_id\":\"p\",\"flavor_extra\":{\"hypervisor_type\":\"lxc\"},"
                     "\"image_properties\":{\"hypervisor_type\":\"fake\"}}"),
                 "the hypervisor is asked for twice"));
    CHECK(strstr(ask("{\"project_id\":\"p\",\"flavor_extra\":{\"vm_mode\":\"hvm\"},\"image_kind\":\"root-tar\"}"),
                 "a container's root"));
    end();
}

TEST("a question that cannot be is answered with its error")
{
    begin();
    lead();
    CHECK(strstr(ask("{\"vcpus\":1}"), "\"error\":\"project_id") != NULL);
    CHECK(strstr(ask("{\"project_id\":\"p\",\"most\":100000}"), "\"error\":\"most") != NULL);
    CHECK(strstr(ask("{\"project_id\":\"p\",\"hints\":{\"same_host\":\"none\"}}"), "could not be found") != NULL);
    end();
}
