/* The mover and the drawing of a state table. */
#include "common/fsm.h"
#include "common/strbuf.h"
#include <string.h>

int fsm_next(const struct fsm *m, int state, int event)
{
    for (size_t i = 0; i < m->row_count; i++)
        if (m->rows[i].from == state && m->rows[i].event == event)
            return m->rows[i].to;
    return -1;
}

int fsm_state(const struct fsm *m, const char *name)
{
    for (size_t i = 0; name && i < m->state_count; i++)
        if (m->states[i] && strcmp(m->states[i], name) == 0)
            return (int)i;
    return -1;
}

const char *fsm_state_name(const struct fsm *m, int state)
{
    if (state < 0 || (size_t)state >= m->state_count || !m->states[state])
        return "?";
    return m->states[state];
}

static const char *fsm_event_name(const struct fsm *m, int event)
{
    if (event < 0 || (size_t)event >= m->event_count || !m->events[event])
        return "?";
    return m->events[event];
}

char *fsm_draw(const struct fsm *m)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_appendf(&s, "digraph \"%s\" {\n", m->name);
    for (size_t i = 0; i < m->row_count; i++) {
        const struct fsm_row *row = &m->rows[i];
        strbuf_appendf(&s, "    \"%s\" -> \"%s\" [label=\"%s\"];\n", fsm_state_name(m, row->from),
                       fsm_state_name(m, row->to), fsm_event_name(m, row->event));
    }
    strbuf_append_text(&s, "}\n");
    return strbuf_take(&s);
}
