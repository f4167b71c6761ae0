/* Host ids. */
#include "api/compute/host_ids.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t host_ids_number(const char *uuid)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a, 64 bits, folded to 31 */
    for (; *uuid; uuid++) {
        hash = (hash ^ (unsigned char)*uuid) * 1099511628211ull;
    }
    return (int64_t)((hash ^ (hash >> 32)) % INT32_MAX) + 1;
}

struct search {
    const char *text;
    char id[40];
};

static int compare(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct search *s = arg;
    char number[24];
    snprintf(number, sizeof(number), "%" PRId64, host_ids_number(row->id));
    if (!s->id[0] && strcmp(number, s->text) == 0) {
        snprintf(s->id, sizeof(s->id), "%s", row->id);
    }
    return 0;
}

int host_ids_find(struct db_conn *c, const char *text, int microversion, struct arena *a, struct host_row *ret,
                  bool *ret_found, struct error *e)
{
    struct search s = {.text = text};
    struct error missing = {0};
    int rc = 0;
    if (microversion < 53) {
        rc = store_host_list(c, compare, &s, e);
        text = s.id;
    }
    rc = rc ? rc : store_host_get(c, text, a, ret, &missing);
    *ret_found = rc == 0;
    if (rc == ERR_NOT_FOUND) {
        return 0;
    }
    return rc ? error_set(e, rc, "%s", error_text(&missing)) : 0;
}
