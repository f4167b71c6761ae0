/* State machines as tables: the one mover looks the event up; nothing else changes a state. */
#pragma once
#include <stddef.h>

struct fsm_row {
    int from, event, to;
};
struct fsm {
    const char *name;
    const char *const *states; /* by value */
    size_t state_count;
    const char *const *events;
    size_t event_count;
    const struct fsm_row *rows;
    size_t row_count;
};
/* The state after `event` in `state`, or -1 when the table has no such row. */
int fsm_next(const struct fsm *m, int state, int event);
/* By name, -1 when unknown. */
int fsm_state(const struct fsm *m, const char *name);
const char *fsm_state_name(const struct fsm *m, int state);
/* The drawing: Graphviz text of the table, for docs; caller frees. */
char *fsm_draw(const struct fsm *m);
