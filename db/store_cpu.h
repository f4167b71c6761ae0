/* Processors of hosts, and the baselines of pools: what the guests of all hosts of an aggregate (or of the whole pool)
 * can have. Hosts are only compared with those of their kind ("x86_64 kvm"). */
#pragma once
#include "common/json_in.h"
#include "db/db.h"

struct host_cpu_row {
    const char *host_id, *host_name; /* name: ignored on write */
    const char *kind, *mode, *model, *description;
    const char *features; /* JSON array */
    int64_t baseline_id;  /* that its guests get; 0: none */
    bool alive;           /* ignored on write */
};
/* What a host tells with its inventory; nothing happens when that is what is known. Wakes "host:<id>". */
int store_cpu_tell(struct db_conn *c, const struct host_cpu_row *row, struct error *e);
/* The host tells nothing of processors (any more), or it is removed. */
int store_cpu_forget(struct db_conn *c, const char *host_id, struct error *e);
/* What the host has told, in the arena; ret->kind is NULL when it tells nothing. */
int store_cpu_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_cpu_row *ret, struct error *e);
/* Hosts by name, of that aggregate (0: all), of that kind (NULL: any); texts are in the arena. */
int store_cpu_hosts(struct db_conn *c, int64_t aggregate_id, const char *kind, int64_t now_us, struct arena *a,
                    struct host_cpu_row **ret, size_t *ret_count, struct error *e);
/* Hosts of that aggregate (0: all) that tell nothing of processors: their names, in the arena. */
int store_cpu_mute_hosts(struct db_conn *c, int64_t aggregate_id, struct arena *a, const char ***ret, size_t *ret_count,
                         struct error *e);

struct cpu_baseline_row {
    int64_t id, aggregate_id;
    const char *aggregate; /* its name; NULL: the whole pool; ignored on write */
    const char *kind, *model, *description;
    const char *features, *hosts; /* JSON arrays */
    int64_t made_us;
};
/* All, by aggregate and kind; in the arena. */
int store_cpu_baselines(struct db_conn *c, struct arena *a, struct cpu_baseline_row **ret, size_t *ret_count,
                        struct error *e);
/* What the guests of a host are to have: of its aggregates (the lowest id), else of the pool. ret->id is 0 when there
 * is none. In the arena. */
int store_cpu_baseline_of(struct db_conn *c, const char *host_id, struct arena *a, struct cpu_baseline_row *ret,
                          struct error *e);
/* Puts it in the place of the one before; gives it its id. Wakes its hosts. */
int store_cpu_baseline_set(struct db_conn *c, struct cpu_baseline_row *row, struct error *e);
/* Those of an aggregate (0: of the whole pool), of that kind (NULL: any) go. Wakes its hosts. *ret: how many. */
int store_cpu_baseline_remove(struct db_conn *c, int64_t aggregate_id, const char *kind, int64_t *ret, struct error *e);

/* Asks a host that is up what the processors of all hosts of that kind in the aggregate (0: in the pool) have in
 * common; when it has answered, it is stored if `store`. ERR_INVALID: no kind was named (NULL), and there are several;
 * ERR_NOT_FOUND: no host tells of its processor; ERR_CONFLICT: none of them is up. *ret_query: for
 * store_agent_query_get; *ret_kind: the kind; both in the arena. */
int store_cpu_baseline_ask(struct db_conn *c, int64_t aggregate_id, const char *kind, bool store, int64_t now_us,
                           struct arena *a, const char **ret_query, const char **ret_kind, struct error *e);
/* A host has answered the question: in the same transaction the baseline is stored, if it is to be. An answer that says
 * none stores none. */
int store_cpu_baseline_answered(struct db_conn *c, const char *query_id, json_value *answer, int64_t now_us,
                                struct arena *a, struct error *e);
