/* Resources, quotas and operations: the arithmetic and the tables. */
#include "common/model/operation.h"
#include "common/model/quota.h"
#include "common/model/resources.h"
#include "tests/unit/check.h"

TEST("capacity counts reserve and overcommit")
{
    static const struct {
        struct resource_inventory i;
        int64_t capacity;
    } rows[] = {
        {{8, 0, 1000}, 8}, {{8, 1, 16000}, 112},        {{3, 0, 1500}, 4},
        {{1, 0, 999}, 0},  {{4, 8, 1000}, 0},           {{0, 0, 16000}, 0},
        {{8, 0, 0}, 0},    {{64000, 512, 1000}, 63488}, {{INT64_MAX, 0, 16000}, INT64_MAX / 1000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(resource_capacity(&rows[i].i), rows[i].capacity);
    CHECK_TEXT(resource_name(RESOURCE_VCPU), "VCPU");
    CHECK_TEXT(resource_name(RESOURCE_MEMORY_MIB), "MEMORY_MB");
    CHECK_TEXT(resource_name(RESOURCE_DISK_GIB), "DISK_GB");
}

TEST("what fits is each amount")
{
    struct resources capacity = {{4, 4096, 40}}, used = {{0}}, need = {{2, 2048, 20}};
    CHECK(resources_fit(&need, &capacity, &used));
    resources_add(&used, &need);
    CHECK(resources_fit(&need, &capacity, &used));
    resources_add(&used, &need);
    CHECK(!resources_fit(&need, &capacity, &used));
    resources_subtract(&used, &need);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        struct resources more = need;
        more.amount[r]++;
        CHECK(!resources_fit(&more, &capacity, &used));
    }
}

TEST("quotas say what Nova says")
{
    struct arena a;
    struct quota_set limit, used = {{0}}, requested = {{0}};
    const char *text = NULL;
    arena_init(&a);
    quota_defaults(&limit);
    CHECK_INT(limit.amount[QUOTA_INSTANCES], 10);
    CHECK_INT(limit.amount[QUOTA_RAM], 51200);
    used.amount[QUOTA_INSTANCES] = 10;
    used.amount[QUOTA_CORES] = 5;
    requested.amount[QUOTA_INSTANCES] = 1;
    requested.amount[QUOTA_CORES] = 1;
    CHECK(!quota_allows(&limit, &used, &requested, &a, &text));
    CHECK_TEXT(text, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances");
    used.amount[QUOTA_CORES] = 20;
    CHECK(!quota_allows(&limit, &used, &requested, &a, &text));
    CHECK_TEXT(
        text,
        "Quota exceeded for cores, instances: Requested 1, 1, but already used 20, 10 of 20, 10 cores, instances");
    CHECK(!quota_allows(&limit, &used, &requested, NULL, NULL));
    limit.amount[QUOTA_CORES] = limit.amount[QUOTA_INSTANCES] = QUOTA_UNLIMITED;
    CHECK(quota_allows(&limit, &used, &requested, &a, &text));
    limit.amount[QUOTA_INSTANCES] = INT64_MAX;
    requested.amount[QUOTA_INSTANCES] = INT64_MAX;
    CHECK(!quota_allows(&limit, &used, &requested, &a, &text));
    /* Being over a limit that was lowered does not matter for what is not requested. */
    limit.amount[QUOTA_INSTANCES] = 1;
    requested = (struct quota_set){{0}};
    CHECK(quota_allows(&limit, &used, &requested, &a, &text));
    arena_done(&a);
}

TEST("quota names are in the order of the alphabet")
{
    for (int q = 0; q < QUOTA_KINDS; q++) {
        CHECK_INT(quota_parse(quota_name((enum quota)q)), q);
        if (q > 0)
            CHECK(strcmp(quota_name((enum quota)(q - 1)), quota_name((enum quota)q)) < 0);
    }
    CHECK_INT(quota_parse("disk"), -1);
}

TEST("operations that take time have a deadline and an event")
{
    for (int k = 0; k < OPERATION_COUNT; k++) {
        CHECK_INT(operation_parse(operation_name((enum operation_kind)k)), k);
        bool timed = operation_deadline_us((enum operation_kind)k) > 0 || operation_moves((enum operation_kind)k) ||
                     k == OPERATION_SHELVE_OFFLOAD; /* its host may be away */
        CHECK_INT(timed, operation_event((enum operation_kind)k) != NULL);
    }
    for (int a = 0; a < SERVER_ACTION_COUNT; a++)
        CHECK_TEXT(operation_name(operation_of_action((enum server_action)a)),
                   server_action_name((enum server_action)a));
    CHECK_INT(operation_parse("juggle"), -1);
}

TEST("an operation ends once")
{
    CHECK_INT(fsm_next(&operation_fsm, OPERATION_RUNNING, OPERATION_FINISH), OPERATION_DONE);
    CHECK_INT(fsm_next(&operation_fsm, OPERATION_RUNNING, OPERATION_FAIL), OPERATION_FAILED);
    for (int s = OPERATION_DONE; s < OPERATION_STATE_COUNT; s++) {
        for (int e = 0; e < OPERATION_STEP_COUNT; e++)
            CHECK_INT(fsm_next(&operation_fsm, s, e), -1);
    }
}
