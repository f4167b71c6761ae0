/* Flavors: their rows, extra specs and who may use private ones. */
#pragma once
#include "db/db.h"

struct flavor_row {
    const char *id, *name, *description; /* description: NULL unless given */
    int64_t vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille;
    bool is_public, disabled;
    int64_t created_us;
    const char *extra_specs; /* JSON object of text, "{}" when there are none */
};

/* The flavor that `project_id` may use; with `admin` any. Text is in the arena. ERR_NOT_FOUND "Flavor <id> could not be
 * found." */
int store_flavor_get(struct db_conn *c, const char *id, const char *project_id, bool admin, struct arena *a,
                     struct flavor_row *ret, struct error *e);
/* ERR_CONFLICT when the id or the name is taken. extra_specs is ignored. */
int store_flavor_insert(struct db_conn *c, const struct flavor_row *row, struct error *e);

/* ERR_NOT_FOUND. Servers keep their snapshot. */
int store_flavor_delete(struct db_conn *c, const char *id, struct error *e);
int store_flavor_describe(struct db_conn *c, const char *id, const char *description, struct error *e);

/* Extra specs. Setting replaces; ERR_NOT_FOUND when there is none to delete. */
int store_flavor_set_spec(struct db_conn *c, const char *id, const char *name, const char *value, struct error *e);
int store_flavor_delete_spec(struct db_conn *c, const char *id, const char *name, struct error *e);

/* Projects that may use a private flavor. ERR_CONFLICT when it may already, ERR_NOT_FOUND when it may not yet. Texts
 * are borrowed. */
int store_flavor_allow(struct db_conn *c, const char *id, const char *project_id, struct error *e);
int store_flavor_deny(struct db_conn *c, const char *id, const char *project_id, struct error *e);
typedef int (*store_flavor_access_fn)(void *arg, const char *project_id, struct error *e);
int store_flavor_list_access(struct db_conn *c, const char *id, store_flavor_access_fn each, void *arg,
                             struct error *e);

/* Whether a flavor has that id, or that name. */
int store_flavor_taken(struct db_conn *c, const char *id, const char *name, bool *ret_id, bool *ret_name,
                       struct error *e);

/* A page in the order of creation. */
enum flavor_scope { FLAVOR_SCOPE_PUBLIC, FLAVOR_SCOPE_PRIVATE, FLAVOR_SCOPE_ALL };
struct flavor_query {
    const char *project_id; /* public ones and those it may use; NULL: as `scope` says (administrators) */
    enum flavor_scope scope;
    const char *marker; /* id of the last of the page before */
    int64_t limit, min_disk_gib, min_ram_mib;
};
typedef int (*store_flavor_fn)(void *arg, const struct flavor_row *row, struct error *e);
/* Texts are borrowed. ERR_NOT_FOUND when the marker is not there. */
int store_flavor_list(struct db_conn *c, const struct flavor_query *q, struct arena *a, store_flavor_fn each, void *arg,
                      struct error *e);
