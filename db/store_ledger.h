/* The usage ledger: numbered names, shapes, the interval that runs per subject, and the closed ones. Only a project's
 * rows are ever read together. A subject is anything that is used: a server, an image, an address. */
#pragma once
#include "db/db.h"

/* What a unit of usage looks like; equal ones share a number. All texts non-NULL. */
struct ledger_shape {
    int64_t no;
    const char *source, *state, *flavor, *zone, *region;
    int64_t vcpus, memory_mib, disk_gib;
    const char *tags, *extra; /* JSON: sorted array of text; object of whole numbers */
};

struct ledger_open {
    int64_t subject_no, project_no, host_no, shape_no;
    int64_t begin_us, begin_event;
    int64_t run_us; /* since when project, flavor and state are the same */
};

/* The number of a name, made when it is new. kind: "project", "host", or a source. */
int store_ledger_name(struct db_conn *c, const char *kind, const char *text, int64_t *ret_no, struct error *e);
/* Without making it: *ret_no is 0 when there is none. */
int store_ledger_find(struct db_conn *c, const char *kind, const char *text, int64_t *ret_no, struct error *e);
/* The text of a number, in the arena; ERR_NOT_FOUND. */
int store_ledger_text(struct db_conn *c, int64_t no, struct arena *a, const char **ret, struct error *e);
/* The number of a shape (its `no` is ignored), made when it is new. */
int store_ledger_shape(struct db_conn *c, const struct ledger_shape *shape, int64_t *ret_no, struct error *e);
/* Texts in the arena. ERR_NOT_FOUND. */
int store_ledger_shape_get(struct db_conn *c, int64_t no, struct arena *a, struct ledger_shape *ret, struct error *e);

/* The interval of a subject that runs. */
int store_ledger_open_get(struct db_conn *c, int64_t subject_no, struct ledger_open *ret, bool *ret_found,
                          struct error *e);
/* Opens it, or puts another in its place (whose end store_ledger_close has written). */
int store_ledger_open_put(struct db_conn *c, const struct ledger_open *row, struct error *e);
int store_ledger_open_drop(struct db_conn *c, int64_t subject_no, struct error *e);
/* Writes the closed interval. `run_ends`: what follows is no continuation of the same use. */
int store_ledger_close(struct db_conn *c, const struct ledger_open *row, int64_t end_us, int64_t end_event,
                       bool run_ends, struct error *e);

/* Who used a subject at an instant, and how it looked: of the interval that holds it, or of the last one that began
 * before, or of the first. *ret_found false when there is none at all. */
struct ledger_owner {
    int64_t project_no, shape_no;
};
int store_ledger_owner(struct db_conn *c, int64_t subject_no, int64_t at_us, struct ledger_owner *ret, bool *ret_found,
                       struct error *e);

/* Something that is no server is held from `at_us` on, with these facts (`project_id` NULL: no longer; region "": that
 * of the database). What ran ends
 * at the same instant, in the caller's transaction; equal facts change nothing. Numbers come from counter
 * "lifecycle_event". */
int store_ledger_hold(struct db_conn *c, const char *id, const char *project_id, const struct ledger_shape *shape,
                      int64_t at_us, struct error *e);

struct ledger_row {
    int64_t subject_no, shape_no, host_no, begin_us, end_us; /* end_us INT64_MAX: it runs */
    int64_t begin_event, end_event;                          /* end_event INT64_MAX: it runs */
    int64_t run_us;                                          /* begin of the run that ends here, -1: it goes on */
};
typedef int (*ledger_row_fn)(void *arg, const struct ledger_row *row, struct error *e);
/* A project's intervals that overlap [from_us, to_us) or end at from_us, in no order that counts, as they were known
 * when event `position` was the newest: opened by it or before; what was closed later still runs. INT64_MAX: all that
 * is known. */
int store_ledger_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t position,
                      ledger_row_fn fn, void *arg, struct error *e);
/* Whether what is known of the period after `position` differs from what was known then. */
int store_ledger_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t position,
                         bool *ret, struct error *e);
/* Texts and numbers of all projects that have usage. */
typedef int (*ledger_name_fn)(void *arg, int64_t no, const char *text, struct error *e);
int store_ledger_projects(struct db_conn *c, ledger_name_fn fn, void *arg, struct error *e);

struct ledger_resource {
    const char *name, *source, *kind, *unit, *about;
    int64_t scale; /* base units in one unit */
};
/* All that can be metered, by name; in the arena. */
int store_ledger_resources(struct db_conn *c, struct arena *a, struct ledger_resource **ret, size_t *ret_count,
                           struct error *e);
/* Registers a resource or renews its words; unit, scale, source and kind of one that is there never change:
 * ERR_CONFLICT. */
int store_ledger_resource_put(struct db_conn *c, const struct ledger_resource *r, struct error *e);
/* Registers a resource class ("CUSTOM_GPU") that servers hold by their flavor's "resources:NAME", so that it can be
 * priced under its name; those that sizes meter already are left alone. */
int store_ledger_class(struct db_conn *c, const char *name, struct error *e);
