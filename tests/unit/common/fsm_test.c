/* State tables. */
#include "common/fsm.h"
#include "tests/unit/check.h"

enum { LAMP_OFF, LAMP_ON, LAMP_BROKEN };
enum { PRESS, DROP };
static const char *const states[] = {"off", "on", "broken"};
static const char *const events[] = {"press", "drop"};
static const struct fsm_row rows[] = {
    {LAMP_OFF, PRESS, LAMP_ON},
    {LAMP_ON, PRESS, LAMP_OFF},
    {LAMP_OFF, DROP, LAMP_BROKEN},
    {LAMP_ON, DROP, LAMP_BROKEN},
};
static const struct fsm lamp = {"lamp", states, 3, events, 2, rows, 4};

TEST("a state moves along the rows of its table and nowhere else")
{
    CHECK_INT(fsm_next(&lamp, LAMP_OFF, PRESS), LAMP_ON);
    CHECK_INT(fsm_next(&lamp, LAMP_ON, PRESS), LAMP_OFF);
    CHECK_INT(fsm_next(&lamp, LAMP_ON, DROP), LAMP_BROKEN);
    CHECK_INT(fsm_next(&lamp, LAMP_BROKEN, PRESS), -1);
    CHECK_INT(fsm_next(&lamp, 17, PRESS), -1);
    CHECK_INT(fsm_next(&lamp, LAMP_ON, 17), -1);
}

TEST("states are found by name and named by number")
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(fsm_state(&lamp, fsm_state_name(&lamp, i)), i);
    CHECK_INT(fsm_state(&lamp, "dim"), -1);
    CHECK_INT(fsm_state(&lamp, NULL), -1);
    CHECK_TEXT(fsm_state_name(&lamp, -1), "?");
    CHECK_TEXT(fsm_state_name(&lamp, 3), "?");
}

TEST("the drawing shows each row once")
{
    char *text = fsm_draw(&lamp);
    CHECK_TEXT(text, "digraph \"lamp\" {\n"
                     "    \"off\" -> \"on\" [label=\"press\"];\n"
                     "    \"on\" -> \"off\" [label=\"press\"];\n"
                     "    \"off\" -> \"broken\" [label=\"drop\"];\n"
                     "    \"on\" -> \"broken\" [label=\"drop\"];\n"
                     "}\n");
    free(text);
}
