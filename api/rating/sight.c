/* Who sees which prices: the caller's account, its book and its projects. */
#include "api/rating/sight.h"
#include "api/rating/rated.h"
#include "db/store_billing.h"
#include <string.h>

static void add(struct sight *s, const char *project)
{
    s->projects = arena_more(s->arena, s->projects, s->count, &s->room, sizeof(*s->projects));
    s->projects[s->count++] = arena_strdup(s->arena, project);
}

static int add_member(void *arg, const char *text, struct error *e)
{
    (void)e;
    add(arg, text);
    return 0;
}

int sight_read(struct request *request, struct sight *ret)
{
    const struct credential *c = &request->credential;
    const char *account = NULL;
    *ret = (struct sight){.arena = &request->arena};
    if (c->roles & (ROLE_ADMIN | ROLE_BILLING)) {
        return 0;
    }
    int rc = rated_book(request, request->conn, c->project_id, &ret->book);
    add(ret, c->project_id);
    rc = rc ? rc : store_billing_account_of(request->conn, c->project_id, &request->arena, &account, &request->error);
    return rc || !account ? rc : store_billing_members(request->conn, account, add_member, ret, &request->error);
}

bool sight_allows(const struct sight *s, const char *project)
{
    bool seen = !s->book || !project;
    for (size_t i = 0; i < s->count && !seen; i++) {
        seen = strcmp(s->projects[i], project) == 0;
    }
    return seen;
}
