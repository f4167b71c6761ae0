/* reconcile: single decisions as a table, then every situation played to its end against a model of a hypervisor. */
#include "compute-agent/reconcile.h"
#include "tests/unit/check.h"

struct row {
    const char *sentence;
    struct reconcile_situation s;
    enum reconcile_step step;
};
#define ON(power_, domain_)                                                                                            \
    .exists = true, .fresh = true, .power = SERVER_POWER_##power_, .domain = HYPERVISOR_##domain_
static const struct row rows[] = {
    {"a new server is prepared first", {ON(RUNNING, ABSENT)}, RECONCILE_PREPARE},
    {"a prepared server is created", {ON(RUNNING, ABSENT), .prepared = true, .traces = true}, RECONCILE_CREATE},
    {"a server that is to be off is only defined", {ON(STOPPED, ABSENT), .prepared = true}, RECONCILE_DEFINE},
    {"a server that is off is prepared before it starts", {ON(RUNNING, SHUTOFF)}, RECONCILE_PREPARE},
    {"a prepared server that is off starts", {ON(RUNNING, SHUTOFF), .prepared = true}, RECONCILE_START},
    {"a crashed server starts", {ON(RUNNING, CRASHED), .prepared = true}, RECONCILE_START},
    {"a saved server starts from its memory", {ON(RUNNING, SAVED), .prepared = true}, RECONCILE_START},
    {"a paused server resumes", {ON(RUNNING, PAUSED)}, RECONCILE_RESUME},
    {"a running server rests", {ON(RUNNING, RUNNING)}, RECONCILE_REST},
    {"a running server whose devices differ gets the networks for them first",
     {ON(RUNNING, RUNNING), .stale = true},
     RECONCILE_CONNECT},
    {"then the devices are changed", {ON(RUNNING, RUNNING), .stale = true, .connected = true}, RECONCILE_ADJUST},
    {"those of a paused one as well", {ON(PAUSED, PAUSED), .stale = true, .connected = true}, RECONCILE_ADJUST},
    {"what only a restart helps is asked to shut down",
     {ON(RUNNING, RUNNING), .stale = true, .restart = true},
     RECONCILE_ASK_SHUTDOWN},
    {"and starts again when it is off", {ON(RUNNING, SHUTOFF), .prepared = true, .stale = true}, RECONCILE_START},
    {"one that is off learns it with its start", {ON(STOPPED, SHUTOFF), .stale = true}, RECONCILE_REST},
    {"one that is to be off is not told", {ON(STOPPED, RUNNING), .stale = true}, RECONCILE_ASK_SHUTDOWN},
    {"a running server is asked to shut down", {ON(STOPPED, RUNNING)}, RECONCILE_ASK_SHUTDOWN},
    {"a server that was asked is waited for",
     {ON(STOPPED, RUNNING), .asked = RECONCILE_ASKED_SHUTDOWN},
     RECONCILE_WAIT},
    {"a deaf server is switched off",
     {ON(STOPPED, RUNNING), .asked = RECONCILE_ASKED_SHUTDOWN, .patience_over = true},
     RECONCILE_FORCE_OFF},
    {"a paused server is switched off", {ON(STOPPED, PAUSED)}, RECONCILE_FORCE_OFF},
    {"a saved server that is to be off loses its memory", {ON(STOPPED, SAVED)}, RECONCILE_DISCARD},
    {"a running server is paused", {ON(PAUSED, RUNNING)}, RECONCILE_PAUSE},
    {"a server that is off starts before it pauses", {ON(PAUSED, SHUTOFF), .prepared = true}, RECONCILE_START},
    {"a running server is saved", {ON(SUSPENDED, RUNNING)}, RECONCILE_SAVE},
    {"a paused server is saved", {ON(SUSPENDED, PAUSED)}, RECONCILE_SAVE},
    {"a soft reboot asks the guest", {ON(RUNNING, RUNNING), .action = SPEC_REBOOT_SOFT}, RECONCILE_ASK_REBOOT},
    {"a soft reboot waits for the guest",
     {ON(RUNNING, RUNNING), .action = SPEC_REBOOT_SOFT, .asked = RECONCILE_ASKED_REBOOT},
     RECONCILE_WAIT},
    {"a soft reboot of a deaf guest becomes a hard one",
     {ON(RUNNING, RUNNING), .action = SPEC_REBOOT_SOFT, .asked = RECONCILE_ASKED_REBOOT, .patience_over = true},
     RECONCILE_FORCE_REBOOT},
    {"a guest that shut down instead of rebooting is started",
     {ON(RUNNING, SHUTOFF), .action = SPEC_REBOOT_SOFT, .asked = RECONCILE_ASKED_REBOOT, .prepared = true},
     RECONCILE_START},
    {"a hard reboot does not ask", {ON(RUNNING, RUNNING), .action = SPEC_REBOOT_HARD}, RECONCILE_FORCE_REBOOT},
    {"a hard reboot of a server that is off starts it",
     {ON(RUNNING, SHUTOFF), .action = SPEC_REBOOT_HARD, .prepared = true},
     RECONCILE_START},
    {"a request to shut down does not count as one to reboot",
     {ON(RUNNING, RUNNING), .action = SPEC_REBOOT_SOFT, .asked = RECONCILE_ASKED_SHUTDOWN, .patience_over = true},
     RECONCILE_ASK_REBOOT},
    {"what the guest did by itself is left as it is",
     {.exists = true, .fresh = false, .power = SERVER_POWER_RUNNING, .domain = HYPERVISOR_SHUTOFF},
     RECONCILE_REST},
    {"a deleted server is removed", {.domain = HYPERVISOR_RUNNING}, RECONCILE_REMOVE},
    {"a deleted server's files are removed without a domain",
     {.domain = HYPERVISOR_ABSENT, .traces = true},
     RECONCILE_REMOVE},
    {"a deleted server that left nothing rests", {.domain = HYPERVISOR_ABSENT}, RECONCILE_REST},
    {"a delete wins over a shutdown under way",
     {.domain = HYPERVISOR_RUNNING, .asked = RECONCILE_ASKED_SHUTDOWN, .fresh = true},
     RECONCILE_REMOVE},
};

TEST("each situation of the table leads to its step")
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum reconcile_step step = reconcile_next(&rows[i].s);
        if (step != rows[i].step)
            check_fail(__FILE__, __LINE__, "%s: the step is %s and not %s", rows[i].sentence, reconcile_step_name(step),
                       reconcile_step_name(rows[i].step));
    }
}

/* What a step makes of a situation, with a hypervisor that does as it is told. */
static void play(struct reconcile_situation *s, enum reconcile_step step)
{
    bool starts = step == RECONCILE_CREATE || step == RECONCILE_START || step == RECONCILE_FORCE_REBOOT;
    CHECK(!starts || s->prepared || step == RECONCILE_FORCE_REBOOT);
    switch (step) {
    case RECONCILE_PREPARE:
        s->prepared = s->traces = true;
        break;
    case RECONCILE_DEFINE:
    case RECONCILE_FORCE_OFF:
    case RECONCILE_DISCARD:
        s->domain = HYPERVISOR_SHUTOFF;
        s->prepared = false;
        break;
    case RECONCILE_ASK_SHUTDOWN:
        s->asked = RECONCILE_ASKED_SHUTDOWN;
        s->patience_over = false;
        break;
    case RECONCILE_ASK_REBOOT:
        s->asked = RECONCILE_ASKED_REBOOT;
        s->patience_over = false;
        break;
    case RECONCILE_WAIT:
        s->patience_over = true;
        break;
    case RECONCILE_PAUSE:
        s->domain = HYPERVISOR_PAUSED;
        break;
    case RECONCILE_SAVE:
        s->domain = HYPERVISOR_SAVED;
        s->prepared = false;
        break;
    case RECONCILE_CONNECT:
        CHECK(s->stale);
        s->connected = true;
        break;
    case RECONCILE_ADJUST:
        CHECK(s->connected);
        CHECK(s->domain == HYPERVISOR_RUNNING || s->domain == HYPERVISOR_PAUSED);
        s->stale = false;
        break;
    case RECONCILE_REMOVE:
        s->domain = HYPERVISOR_ABSENT;
        s->traces = false;
        break;
    default:
        s->domain = HYPERVISOR_RUNNING;
        s->asked = RECONCILE_ASKED_NOTHING;
        break;
    }
    if (starts)
        s->action = SPEC_NO_ACTION;
}

static void play_to_the_end(struct reconcile_situation s)
{
    static const enum hypervisor_domain wanted[SERVER_POWER_COUNT] = {HYPERVISOR_RUNNING, HYPERVISOR_SHUTOFF,
                                                                      HYPERVISOR_PAUSED, HYPERVISOR_SAVED};
    for (int steps = 0; steps < 12; steps++) {
        enum reconcile_step step = reconcile_next(&s);
        if (step != RECONCILE_REST) {
            play(&s, step);
            continue;
        }
        if (!s.exists) {
            CHECK_INT(s.domain, HYPERVISOR_ABSENT);
            CHECK(!s.traces);
        } else if (s.domain != HYPERVISOR_CRASHED || s.power != SERVER_POWER_STOPPED) {
            CHECK_INT(s.domain, wanted[s.power]);
            CHECK_INT(s.action, SPEC_NO_ACTION);
        }
        return;
    }
    check_fail(__FILE__, __LINE__, "no rest after 12 steps: exists=%d power=%d action=%d domain=%d", s.exists,
               (int)s.power, (int)s.action, (int)s.domain);
}

TEST("every situation comes to rest as desired within a few steps")
{
    for (unsigned bits = 0; bits < 32; bits++) {
        for (int power = 0; power < SERVER_POWER_COUNT; power++) {
            for (int action = SPEC_NO_ACTION; action <= SPEC_REBOOT_HARD; action++) {
                for (int domain = 0; domain < HYPERVISOR_DOMAIN_COUNT; domain++) {
                    for (int asked = RECONCILE_ASKED_NOTHING; asked <= RECONCILE_ASKED_REBOOT; asked++) {
                        struct reconcile_situation s = {
                            .exists = bits & 1, .fresh = true, .power = (enum server_power)power};
                        s.action = (enum spec_action)action;
                        s.domain = (enum hypervisor_domain)domain;
                        s.asked = (enum reconcile_asked)asked;
                        s.traces = bits & 2;
                        s.prepared = bits & 4;
                        s.patience_over = bits & 8;
                        s.stale = bits & 16;
                        play_to_the_end(s);
                    }
                }
            }
        }
    }
}

TEST("a revision that was carried out is never acted upon again")
{
    for (int power = 0; power < SERVER_POWER_COUNT; power++) {
        for (int domain = 0; domain < HYPERVISOR_DOMAIN_COUNT; domain++) {
            struct reconcile_situation s = {.exists = true, .fresh = false, .power = (enum server_power)power};
            s.domain = (enum hypervisor_domain)domain;
            s.action = SPEC_REBOOT_HARD;
            CHECK_INT(reconcile_next(&s), RECONCILE_REST);
        }
    }
}

TEST("the word for a report follows from what is there")
{
    CHECK_INT(reconcile_state(HYPERVISOR_RUNNING, true, false), SERVER_STATE_RUNNING);
    CHECK_INT(reconcile_state(HYPERVISOR_SHUTOFF, true, true), SERVER_STATE_STOPPED);
    CHECK_INT(reconcile_state(HYPERVISOR_PAUSED, true, true), SERVER_STATE_PAUSED);
    CHECK_INT(reconcile_state(HYPERVISOR_SAVED, true, true), SERVER_STATE_SUSPENDED);
    CHECK_INT(reconcile_state(HYPERVISOR_CRASHED, true, true), SERVER_STATE_CRASHED);
    CHECK_INT(reconcile_state(HYPERVISOR_ABSENT, true, false), SERVER_STATE_BUILDING);
    CHECK_INT(reconcile_state(HYPERVISOR_ABSENT, true, true), SERVER_STATE_CRASHED);
    CHECK_INT(reconcile_state(HYPERVISOR_ABSENT, false, true), SERVER_STATE_GONE);
}
