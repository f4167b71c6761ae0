/* Which prices a caller may see. Who bills sees all. A tenant sees the book of its own account, and in it what is for
 * everybody or for a project of that account: what others have agreed on is theirs. */
#pragma once
#include "api/http/handler.h"

struct sight {
    const char *book; /* the one book, NULL: all books with everything in them */
    const char **projects;
    size_t count, room;
    struct arena *arena;
};
/* Everything in the request's arena. */
int sight_read(struct request *request, struct sight *ret);
/* Whether what is for that project alone (NULL: for all) may be seen. */
bool sight_allows(const struct sight *s, const char *project);
