/* Arena and buffer. */
#include "common/arena.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "tests/unit/check.h"

TEST("arena memory is zeroed, aligned and keeps its content while more is allocated")
{
    struct arena a;
    unsigned char *got[300];
    arena_init(&a);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 300; i++) {
            size_t size = i * 7 + 1;
            got[i] = arena_alloc(&a, size);
            CHECK_INT((uintptr_t)got[i] % 16, 0);
            for (size_t j = 0; j < size; j++)
                CHECK_INT(got[i][j], 0);
            memset(got[i], (int)(i & 0xff), size);
        }
        for (size_t i = 0; i < 300; i++)
            for (size_t j = 0; j < i * 7 + 1; j++)
                CHECK_INT(got[i][j], i & 0xff);
        CHECK(a.used > 300);
        arena_reset(&a);
        CHECK_INT(a.used, 0);
    }
    arena_done(&a);
    CHECK(!a.head);
    CHECK(arena_alloc(&a, 1) != NULL);
    arena_done(&a);
}

TEST("an allocation larger than any block gets one of its own")
{
    struct arena a;
    arena_init(&a);
    char *small = arena_strdup(&a, "small"), *large = arena_alloc(&a, 1000000);
    memset(large, 1, 1000000);
    CHECK_TEXT(small, "small");
    CHECK_TEXT(arena_strdup(&a, "after"), "after");
    arena_done(&a);
}

TEST("arena text is copied, cut and formatted; nothing stays nothing")
{
    struct arena a;
    arena_init(&a);
    CHECK_TEXT(arena_strdup(&a, NULL), NULL);
    CHECK_TEXT(arena_strndup(&a, NULL, 3), NULL);
    CHECK_TEXT(arena_strndup(&a, "abcdef", 3), "abc");
    CHECK_TEXT(arena_strndup(&a, "ab", 30), "ab");
    CHECK_TEXT(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
    CHECK_TEXT(arena_printf(&a, "%s", ""), "");
    arena_done(&a);
}

static void array_overflows(void)
{
    struct arena a;
    arena_init(&a);
    arena_array(&a, SIZE_MAX / 2, 3);
}
static void heap_overflows(void)
{
    memory_array(SIZE_MAX / 2, 3);
}
TEST("an array whose size overflows aborts")
{
    CHECK(check_aborts(array_overflows));
    CHECK(check_aborts(heap_overflows));
}

TEST("an empty buffer is terminated text that nobody has to free")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    CHECK_TEXT(s.data, "");
    CHECK_INT(strbuf_append(&s, "", 0), 0);
    CHECK_INT(s.capacity, 0);
    strbuf_done(&s);
}

TEST("a buffer grows and stays terminated")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(strbuf_appendf(&s, "%d,", i), 0);
        CHECK_INT(strbuf_append_char(&s, ' '), 0);
        CHECK_INT(strlen(s.data), s.size);
    }
    CHECK_INT(s.size, 10 * 2 + 90 * 3 + 900 * 4 + 1000);
    CHECK_CONTAINS(s.data, "998, 999, ");
    strbuf_done(&s);
    CHECK_TEXT(s.data, "");
}

TEST("past its ceiling a buffer keeps what it has and fails until it is reset")
{
    struct strbuf s;
    strbuf_init(&s, 10);
    CHECK_INT(strbuf_append_text(&s, "0123456789"), 0);
    CHECK_INT(strbuf_append_char(&s, 'x'), ERR_TOO_LARGE);
    CHECK_INT(strbuf_append(&s, "", 0), ERR_TOO_LARGE);
    CHECK_TEXT(s.data, "0123456789");
    strbuf_reset(&s);
    CHECK_TEXT(s.data, "");
    CHECK_INT(strbuf_appendf(&s, "%s", "01234567"), 0);
    CHECK_INT(strbuf_appendf(&s, "%s", "890"), ERR_TOO_LARGE);
    CHECK_TEXT(s.data, "01234567");
    CHECK(!strbuf_reserve(&s, 1));
    strbuf_done(&s);
}

TEST("room that was reserved can be filled by hand")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_append_text(&s, "ab");
    char *at = strbuf_reserve(&s, 500);
    memcpy(at, "cd", 3);
    s.size += 2;
    CHECK_INT(strbuf_append_text(&s, "ef"), 0);
    CHECK_TEXT(s.data, "abcdef");
    strbuf_done(&s);
}

TEST("taken text belongs to the taker and leaves the buffer empty")
{
    struct strbuf s;
    strbuf_init(&s, 0);
    char *empty = strbuf_take(&s);
    CHECK_TEXT(empty, "");
    strbuf_append_text(&s, "text");
    char *text = strbuf_take(&s);
    CHECK_TEXT(text, "text");
    CHECK_TEXT(s.data, "");
    CHECK_INT(s.size, 0);
    strbuf_append_text(&s, "again");
    CHECK_TEXT(s.data, "again");
    strbuf_done(&s);
    free(empty);
    free(text);
}
