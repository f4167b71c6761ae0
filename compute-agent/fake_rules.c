/* Reads the file into an array once; choosing walks it. Percentages are spread evenly over the calls, not drawn. */
#include "compute-agent/fake_rules.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MOST 256

struct fake_rule {
    size_t host; /* 0: any */
    char call[32];
    enum fake_fault fault;
    unsigned percent;
};
struct fake_rules {
    size_t count;
    uint32_t draws;
    struct fake_rule rule[RULES_MOST];
};

static bool fake_rules_fault(const char *text, enum fake_fault *ret)
{
    static const char *const names[] = {[FAKE_GOOD] = "good",
                                        [FAKE_PASSING] = "passing",
                                        [FAKE_FINAL] = "final",
                                        [FAKE_NEEDS_RESTART] = "restart",
                                        [FAKE_CLINGS] = "clings",
                                        [FAKE_LACKS] = "lacks",
                                        [FAKE_DONE_BUT_FAILED] = "lost",
                                        [FAKE_HANGS] = "hang"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = (enum fake_fault)i;
            return true;
        }
    }
    return false;
}

static bool fake_rules_line(const char *line, struct fake_rule *ret)
{
    char host[16], fault[16];
    int end = 0;
    ret->percent = 100;
    int count = sscanf(line, "%15s %31s %15s %n%u %n", host, ret->call, fault, &end, &ret->percent, &end);
    if (count < 3 || line[end] != '\0' || ret->percent > 100 || !fake_rules_fault(fault, &ret->fault))
        return false;
    char *rest = host;
    ret->host = strcmp(host, "*") == 0 ? 0 : strtoul(host, &rest, 10);
    return strcmp(host, "*") == 0 || (*rest == '\0' && ret->host > 0);
}

static int fake_rules_read(struct fake_rules *r, const char *path, char *text, struct error *e)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        if (r->count == RULES_MOST || !fake_rules_line(line, &r->rule[r->count]))
            return error_set(e, ERR_INVALID, "%s: \"%s\" is no rule of fake faults", path, line);
        r->count++;
    }
    return 0;
}

int fake_rules_load(const char *path, struct fake_rules **ret, struct error *e)
{
    struct fake_rules *r = memory_new(sizeof(*r));
    struct strbuf text;
    strbuf_init(&text, 0);
    int code = file_read(path, &text, e);
    if (!code && text.size)
        code = fake_rules_read(r, path, text.data, e);
    strbuf_done(&text);
    if (code)
        fake_rules_free(&r);
    else
        *ret = r;
    return code;
}

void fake_rules_free(struct fake_rules **rules)
{
    free(*rules);
    *rules = NULL;
}

enum fake_fault fake_rules_choose(struct fake_rules *rules, size_t host, const char *call)
{
    for (size_t i = 0; rules && i < rules->count; i++) {
        const struct fake_rule *r = &rules->rule[i];
        bool fits = (r->host == 0 || r->host == host) && (strcmp(r->call, "*") == 0 || strcmp(r->call, call) == 0);
        if (fits && (rules->draws++ * 2654435769u >> 16) % 100 < r->percent) /* multiples of the golden ratio */
            return r->fault;
    }
    return FAKE_GOOD;
}
