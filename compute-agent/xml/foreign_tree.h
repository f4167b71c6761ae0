/* Containers that somebody else has defined, as far as their definitions tell: whether one can be a server of a cloud
 * beside those of other tenants, and where its files are. Pure. */
#pragma once
#include "common/arena.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>

/* Why not, in the arena: it has no root of its own, devices, network or name spaces that are its host's or another's,
 * or users that the cloud's containers get. NULL: nothing of that. */
const char *foreign_tree_problem(xmlNodePtr domain, struct arena *a);
/* Why its operator has to say that it is to be taken nevertheless: its root is the host's root. NULL: it is not. */
const char *foreign_tree_warning(xmlNodePtr domain);

enum foreign_tree_kind {
    FOREIGN_TREE_FOLDER,
    FOREIGN_TREE_FILE,   /* with a file system on it */
    FOREIGN_TREE_DEVICE, /* the same */
    FOREIGN_TREE_MEMORY, /* nothing is kept */
    FOREIGN_TREE_OTHER,
};
struct foreign_tree {
    enum foreign_tree_kind kind;
    const char *path; /* on the host; NULL: none */
    const char *at;   /* in the container */
    const char *format;
    bool is_root, writes;
};
/* All of its file systems, in the arena; the root, when it has one, comes first. */
struct foreign_tree *foreign_tree_list(xmlNodePtr domain, struct arena *a, size_t *ret_count);
