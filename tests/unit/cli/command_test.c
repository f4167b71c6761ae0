/* The words of a command line: how many of them a command takes. */
#include "cli/command.h"
#include "tests/unit/check.h"

static int nothing(struct cli *cli, struct error *e)
{
    (void)cli, (void)e;
    return 0;
}

/* What comes of so many words; the same one each time. */
static int parse(const char *arguments, int count)
{
    const struct command command = {.name = "try", .arguments = arguments, .summary = "", .help = "", .run = nothing};
    struct cli cli = {.command = &command};
    char *argv[] = {"word", "word", "word", "word", "word"};
    struct error e = {0};
    bool help = false;
    arena_init(&cli.arena);
    int rc = command_parse(&cli, count, argv, &help, &e);
    CHECK(rc || cli.argument_count == (size_t)count);
    arena_done(&cli.arena);
    return rc;
}

TEST("a command takes the words that it names, those in brackets or not")
{
    CHECK_INT(parse("", 0), 0);
    CHECK_INT(parse("", 1), ERR_INVALID);
    CHECK_INT(parse("HOST [MACHINE]", 0), ERR_INVALID);
    CHECK_INT(parse("HOST [MACHINE]", 1), 0);
    CHECK_INT(parse("HOST [MACHINE]", 2), 0);
    CHECK_INT(parse("HOST [MACHINE]", 3), ERR_INVALID);
}

TEST("dots stand for as many more words as one likes, also none")
{
    CHECK_INT(parse("HOST [MACHINE] ...", 0), ERR_INVALID);
    for (int count = 1; count <= 5; count++)
        CHECK_INT(parse("HOST [MACHINE] ...", count), 0);
}
