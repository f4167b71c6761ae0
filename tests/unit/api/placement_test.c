/* The placement API as a view of hosts: what is shown in which version, filters, candidates, and that nothing can be
 * written. */
#include "api/placement/placement_service.h"
#include "tests/unit/api/api_steps.h"

const struct service *const http_services[] = {&placement_service, NULL};

#define P      "/placement"
#define V(n)   "OpenStack-API-Version: placement 1." n "\r\n"
#define LATEST "OpenStack-API-Version: placement latest\r\n"
#define H1     "01000000-0000-4000-8000-000000000001"
#define H2     "02000000-0000-4000-8000-000000000002"
#define AGG    "0a000000-0000-4000-8000-00000000000a"
#define SERVER "05000000-0000-4000-8000-000000000005"

#define HOST(id, name, enabled, used, traits)                                                                          \
    "INSERT INTO host (id, name, zone, enabled, hypervisor, hypervisor_version, agent_version, architecture, "         \
    "address, "                                                                                                        \
    "vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib, ratio_vcpus, ratio_memory, " \
    "ratio_disk, used_vcpus, used_memory_mib, used_disk_gib, server_count, traits, cpu, enrolled_us, seen_us, "        \
    "desired_revision, allocation_revision, feed, event_seq) VALUES ('" id "', '" name "', 'nova', " enabled           \
    ", 'QEMU', 9000000, '1', 'x86_64', '', 4, 1024, 100, 1, 24, 0, 2000, 1000, 1000, " used ", 0, 0, 1, '" traits      \
    "', '{}', 1, 1, 1, 7, 1, 1);"

static void begin(void)
{
    steps_begin();
    fixture_script(
        api.db,
        HOST(H1, "h1", "1", "4", "[\"HW_CPU_X86_AVX\",\"CUSTOM_FAST\"]") HOST(
            H2, "h2", "0", "0",
            "[]") "INSERT INTO aggregate (id, uuid, name, metadata, created_us) VALUES (1, '" AGG
                  "', 'a', '{}', 1); INSERT INTO aggregate_host (aggregate_id, host_id) VALUES (1, '" H1 "');"
                  "INSERT INTO allocation (server_id, host_id, project_id, vcpus, memory_mib, disk_gib, created_us) "
                  "VALUES ('" SERVER "', '" H1 "', '" PROJECT_B "', 4, 0, 0, 1);");
}

TEST("every version shows what belongs to it")
{
    begin();
    STEPS({NOBODY, "GET", P "/", NULL, 200, "\"max_version\":\"1.39\",\"min_version\":\"1.0\""},
          {NOBODY, "GET", P "/", NULL, 406, "\"max_version\":\"1.39\"", NULL, NULL, V("40")},
          {NOBODY, "GET", P "/", NULL, 406, NULL, NULL, NULL, V("x")},
          {NOBODY, "GET", P "/", NULL, 200, NULL, NULL, NULL, "OpenStack-API-Version: compute 2.1, placement 1.3\r\n"},
          {NOBODY, "GET", P "/resource_providers", NULL, 401}, {A, "GET", P "/resource_providers", NULL, 403},
          {ADMIN, "GET", P "/resource_providers", NULL, 200, "\"generation\":7", "root_provider_uuid"},
          {ADMIN, "GET", P "/resource_providers", NULL, 200, "\"rel\":\"usages\"", "\"rel\":\"allocations\""},
          {ADMIN, "GET", P "/resource_providers", NULL, 200, "\"rel\":\"allocations\"", NULL, NULL, V("11")},
          {ADMIN, "GET", P "/resource_providers", NULL, 200, "\"root_provider_uuid\":\"" H1 "\"", NULL, NULL, V("14")},
          {ADMIN, "GET", P "/resource_providers/" H1 "/aggregates", NULL, 404},
          {ADMIN, "GET", P "/resource_providers/" H1 "/aggregates", NULL, 200, "{\"aggregates\":[\"" AGG "\"]}", NULL,
           NULL, V("1")},
          {ADMIN, "GET", P "/resource_providers/" H1 "/aggregates", NULL, 200, "\"resource_provider_generation\":7",
           NULL, NULL, V("19")},
          {ADMIN, "GET", P "/traits", NULL, 404},
          {ADMIN, "GET", P "/traits", NULL, 200, "[\"COMPUTE_STATUS_DISABLED\",\"CUSTOM_FAST\",\"HW_CPU_X86_AVX\"]",
           NULL, NULL, V("6")},
          {ADMIN, "GET", P "/traits?name=in:CUSTOM_FAST,X", NULL, 200, "{\"traits\":[\"CUSTOM_FAST\"]}", NULL, NULL,
           LATEST},
          {ADMIN, "GET", P "/traits?name=startswith:HW", NULL, 200, "{\"traits\":[\"HW_CPU_X86_AVX\"]}", NULL, NULL,
           LATEST},
          {ADMIN, "GET", P "/traits?name=x", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", P "/traits/CUSTOM_FAST", NULL, 204, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", P "/traits/CUSTOM_SLOW", NULL, 404, "No such trait", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_classes", NULL, 200, "VCPU", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_classes/VCPU", NULL, 200, "VCPU", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_classes/PCPU", NULL, 404, NULL, NULL, NULL, LATEST});
    steps_end();
}

TEST("a provider shows what its host has and what servers hold of it")
{
    begin();
    STEPS(
        {ADMIN, "GET", P "/resource_providers/" H1, NULL, 200, "\"name\":\"h1\""},
        {ADMIN, "GET", P "/resource_providers/nonsense", NULL, 404,
         "\"status\":404,\"title\":\"Not Found\",\"detail\":\"No resource provider with uuid nonsense found"},
        {ADMIN, "GET", P "/resource_providers/nonsense", NULL, 404, "\"code\":\"placement.undefined_code\"", NULL, NULL,
         V("23")},
        {ADMIN, "GET", P "/resource_providers/" H1 "/inventories", NULL, 200,
         "\"VCPU\":{\"total\":4,\"reserved\":1,\"min_unit\":1,\"max_unit\":4,\"step_size\":1,\"allocation_ratio\":2}"},
        {ADMIN, "GET", P "/resource_providers/" H1 "/inventories/VCPU", NULL, 200, "\"total\":4"},
        {ADMIN, "GET", P "/resource_providers/" H1 "/inventories/PCPU", NULL, 404},
        {ADMIN, "GET", P "/resource_providers/" H1 "/usages", NULL, 200, "\"usages\":{\"VCPU\":4,"},
        {ADMIN, "GET", P "/resource_providers/" H1 "/traits", NULL, 200, "CUSTOM_FAST", NULL, NULL, LATEST},
        {ADMIN, "GET", P "/resource_providers/" H2 "/traits", NULL, 200, "[\"COMPUTE_STATUS_DISABLED\"]", NULL, NULL,
         LATEST},
        {ADMIN, "GET", P "/resource_providers/" H1 "/allocations", NULL, 200,
         "\"" SERVER "\":{\"resources\":{\"VCPU\":4}}"},
        {ADMIN, "GET", P "/resource_providers/" H1 "/allocations", NULL, 200, "\"consumer_generation\":1", NULL, NULL,
         V("28")},
        {ADMIN, "GET", P "/allocations/" SERVER, NULL, 200, "\"" H1 "\":{\"resources\":{\"VCPU\":4},\"generation\":7}",
         "project_id"},
        {ADMIN, "GET", P "/allocations/" SERVER, NULL, 200, "\"project_id\":\"" PROJECT_B "\"", NULL, NULL, V("12")},
        {ADMIN, "GET", P "/allocations/" SERVER, NULL, 200, "\"consumer_type\":\"INSTANCE\"", NULL, NULL, LATEST},
        {ADMIN, "GET", P "/allocations/nonsense", NULL, 200, "{\"allocations\":{}}"},
        {A, "GET", P "/usages?project_id=" PROJECT_B, NULL, 403, NULL, NULL, NULL, LATEST},
        {B, "GET", P "/usages?project_id=" PROJECT_B, NULL, 200, "usages", NULL, NULL, LATEST},
        {B, "GET", P "/usages", NULL, 400, "project_id", NULL, NULL, LATEST});
    steps_end();
}

TEST("providers are filtered")
{
    begin();
    STEPS({ADMIN, "GET", P "/resource_providers?name=h2", NULL, 200, H2, H1},
          {ADMIN, "GET", P "/resource_providers?uuid=" H1, NULL, 200, H1, H2},
          {ADMIN, "GET", P "/resource_providers?member_of=" AGG, NULL, 400, "was unexpected"},
          {ADMIN, "GET", P "/resource_providers?member_of=" AGG, NULL, 200, H1, H2, NULL, V("3")},
          {ADMIN, "GET", P "/resource_providers?member_of=!" AGG, NULL, 400, NULL, NULL, NULL, V("31")},
          {ADMIN, "GET", P "/resource_providers?member_of=!" AGG, NULL, 200, H2, H1, NULL, V("32")},
          {ADMIN, "GET", P "/resource_providers?member_of=in:" AGG "," H2, NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?member_of=nonsense", NULL, 400, "valid UUID", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=VCPU:3", NULL, 200, H2, H1, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=VCPU:2,MEMORY_MB:1000", NULL, 200, H1, NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=VCPU:0", NULL, 400, ">= 1", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=VCPU", NULL, 400, "Badly formed", NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?resources=PCPU:1", NULL, 400, "No such resource class PCPU", NULL, NULL,
           LATEST},
          {ADMIN, "GET", P "/resource_providers?required=CUSTOM_FAST", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?required=!CUSTOM_FAST", NULL, 200, H2, H1, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?required=!CUSTOM_FAST", NULL, 400, NULL, NULL, NULL, V("21")},
          {ADMIN, "GET", P "/resource_providers?required=in:CUSTOM_FAST,CUSTOM_SLOW", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?required=in:CUSTOM_FAST", NULL, 400, NULL, NULL, NULL, V("38")},
          {ADMIN, "GET", P "/resource_providers?required=small", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", P "/resource_providers?in_tree=" H2, NULL, 200, H2, H1, NULL, LATEST});
    steps_end();
}

TEST("candidates are hosts that can take all that is asked for")
{
#define C P "/allocation_candidates"
    begin();
    STEPS({ADMIN, "GET", C "?resources=VCPU:1", NULL, 404},
          {ADMIN, "GET", C "?resources=VCPU:3", NULL, 200,
           "{\"allocations\":[{\"resource_provider\":{\"uuid\":\"" H2 "\"},\"resources\":{\"VCPU\":3}}]}", H1, NULL,
           V("10")},
          {ADMIN, "GET", C "?resources=VCPU:3", NULL, 200,
           "{\"allocations\":{\"" H2 "\":{\"resources\":{\"VCPU\":3}}}}", H1, NULL, V("12")},
          {ADMIN, "GET", C "?resources=VCPU:3", NULL, 200, "\"resources\":{\"VCPU\":{\"capacity\":6,\"used\":0}}",
           "\"traits\"", NULL, V("16")},
          {ADMIN, "GET", C "?resources=VCPU:3", NULL, 200, "\"MEMORY_MB\":{\"capacity\":1000,\"used\":0}", NULL, NULL,
           V("27")},
          {ADMIN, "GET", C "?resources=VCPU:3", NULL, 200, "\"mappings\":{\"\":[\"" H2 "\"]}", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&limit=1", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&limit=0", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:5", NULL, 200, "\"allocation_requests\":[]", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&required=CUSTOM_FAST", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&required=!COMPUTE_STATUS_DISABLED", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&member_of=" AGG, NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&in_tree=" H2, NULL, 200, H2, H1, NULL, LATEST},
          {ADMIN, "GET", C "?resources1=VCPU:1&resources2=VCPU:2", NULL, 400, "group_policy", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources1=VCPU:1&resources2=VCPU:2&group_policy=none", NULL, 200,
           "\"mappings\":{\"1\":[\"" H2 "\"],\"2\":[\"" H2 "\"]}", H1, NULL, LATEST},
          {ADMIN, "GET", C "?resources1=VCPU:1&resources2=VCPU:1&group_policy=isolate", NULL, 200,
           "\"allocation_requests\":[]", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources1=VCPU:1&group_policy=x", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources_A=VCPU:1", NULL, 400, NULL, NULL, NULL, V("32")},
          {ADMIN, "GET", C "?resources_A=VCPU:1", NULL, 200, "\"_A\":[\"" H1 "\"]", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?resources=VCPU:1&root_required=CUSTOM_FAST", NULL, 200, H1, H2, NULL, LATEST},
          {ADMIN, "GET", C "?required=CUSTOM_FAST", NULL, 400, NULL, NULL, NULL, LATEST},
          {ADMIN, "GET", C, NULL, 400, "At least one request group", NULL, NULL, LATEST},
          {ADMIN, "GET", C "?nonsense=1", NULL, 400, "nonsense", NULL, NULL, LATEST});
    steps_end();
}

TEST("nothing is written through the view")
{
    begin();
    STEPS({ADMIN, "POST", P "/resource_providers", "{}", 405},
          {ADMIN, "DELETE", P "/resource_providers/" H1, NULL, 405},
          {ADMIN, "PUT", P "/allocations/" SERVER, "{}", 405}, {ADMIN, "DELETE", P "/allocations/" SERVER, NULL, 405},
          {ADMIN, "POST", P "/allocations", "{}", 501}, {ADMIN, "POST", P "/reshaper", "{}", 501},
          {ADMIN, "GET", P "/nonsense", NULL, 404, "\"errors\""});
    steps_end();
}
