/* Identifiers. */
#include "common/clock.h"
#include "common/uuid.h"
#include "tests/unit/check.h"

TEST("ordered identifiers are version 7, carry the time and grow")
{
    char before[UUID_SIZE] = "", id[UUID_SIZE];
    for (int i = 0; i < 20000; i++) {
        uuid_ordered(id);
        CHECK(uuid_valid(id));
        CHECK_INT(id[14], '7');
        CHECK(strchr("89ab", id[19]));
        CHECK(strcmp(before, id) < 0);
        memcpy(before, id, sizeof(id));
    }
}

TEST("they grow while the clock stands still and when it steps back")
{
    char before[UUID_SIZE], id[UUID_SIZE];
    clock_fake(clock_now_us() + 3600 * CLOCK_SECOND_US);
    uuid_ordered(before);
    for (int i = 0; i < 20000; i++) {
        if (i == 10000)
            clock_advance(-60 * CLOCK_SECOND_US);
        CHECK(strcmp(before, uuid_ordered(id)) < 0);
        memcpy(before, id, sizeof(id));
    }
    clock_real();
}

TEST("the first 48 bits are the milliseconds")
{
    char id[UUID_SIZE];
    clock_fake((int64_t)0x7fffffffffff * 1000);
    uuid_ordered(id);
    clock_real();
    id[13] = 0;
    CHECK_TEXT(id, "7fffffff-ffff");
}

#define THREADS 8
#define EACH    5000
struct batch {
    char ids[EACH][UUID_SIZE];
};
static void *make_batch(void *arg)
{
    struct batch *batch = arg;
    for (int i = 0; i < EACH; i++)
        i % 2 ? uuid_ordered(batch->ids[i]) : uuid_random(batch->ids[i]);
    return NULL;
}
static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_SIZE);
}
TEST("no two of forty thousand identifiers made by eight threads are the same")
{
    static struct batch batches[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, make_batch, &batches[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char(*all)[UUID_SIZE] = batches[0].ids;
    qsort(all, (size_t)THREADS * EACH, UUID_SIZE, compare_ids);
    for (size_t i = 1; i < (size_t)THREADS * EACH; i++)
        CHECK(memcmp(all[i - 1], all[i], UUID_SIZE) != 0);
}

TEST("a forked child does not repeat its parent's identifiers")
{
    char mine[UUID_HEX_SIZE], theirs[UUID_HEX_SIZE] = "";
    int ends[2];
    uuid_hex(mine);
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        uuid_hex(mine);
        _exit(write(ends[1], mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
    }
    uuid_hex(mine);
    CHECK_INT(read(ends[0], theirs, sizeof(theirs)), sizeof(theirs));
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    CHECK(strcmp(mine, theirs) != 0);
}

TEST("random identifiers are version 4, identity's are 32 hex digits")
{
    char id[UUID_SIZE], hex[UUID_HEX_SIZE];
    CHECK(uuid_valid(uuid_random(id)));
    CHECK_INT(id[14], '4');
    CHECK(uuid_valid(uuid_hex(hex)));
    CHECK_INT(strlen(hex), 32);
}

TEST("only 36 characters with dashes in their places or 32 hex digits are identifiers")
{
    CHECK(uuid_valid("00000000-0000-0000-0000-000000000000"));
    CHECK(uuid_valid("ABCDEFab-0000-0000-0000-000000000000"));
    CHECK(uuid_valid("0123456789abcdef0123456789ABCDEF"));
    static const char *const wrong[] = {
        "",
        "0",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-0000000000000",
        "00000000-0000-0000-0000-00000000000g",
        "0000000000000-0000-0000-000000000000",
        "00000000-0000-0000-00000-00000000000",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdefg",
        "0123456789abcdef0123456789abcde-",
        "../../../../../../../etc/passwd/0000",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(!uuid_valid(wrong[i]));
    CHECK(!uuid_valid(NULL));
}
