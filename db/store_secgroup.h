/* Security groups and their rules. Every project has one called "default", made when it is first needed. */
#pragma once
#include "db/db.h"

struct secgroup_row {
    const char *id, *project_id, *name, *description;
    bool stateful, is_default;
    const char *tags; /* JSON array */
    int64_t created_us, updated_us, revision;
};
struct secgroup_rule_row {
    const char *id, *group_id, *project_id;
    const char *direction, *ethertype, *protocol; /* protocol: NULL for any */
    bool has_port_min, has_port_max;
    int64_t port_min, port_max;
    const char *remote_prefix, *remote_group_id; /* NULL for none */
    const char *description;
    int64_t created_us, updated_us, revision;
};

/* The id of the project's `default` group, made with Neutron's four rules if it is not there. Inside a write
 * transaction. */
int store_secgroup_default(struct db_conn *c, const char *project_id, int64_t now_us, struct arena *a,
                           const char **ret_id, struct error *e);
/* Whether it is there. */
int store_secgroup_has_default(struct db_conn *c, const char *project_id, bool *ret, struct error *e);
/* The group of this project (NULL: any). ERR_NOT_FOUND. */
int store_secgroup_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                       struct secgroup_row *ret, struct error *e);
/* Up to `limit` groups of this project (NULL: any) and of this name (NULL: any), ordered by id, above `after` (NULL:
 * from the first). */
int store_secgroup_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                        struct arena *a, struct secgroup_row **ret, size_t *ret_count, struct error *e);
/* Writes the group and the two rules that let everything out. */
int store_secgroup_insert(struct db_conn *c, const struct secgroup_row *row, struct error *e);
/* Compares and grows the revision (ERR_CONFLICT). */
int store_secgroup_update(struct db_conn *c, const struct secgroup_row *row, struct error *e);
/* Deletes the group and its rules, and the rules of others that name it. ERR_CONFLICT (SecurityGroupInUse) when a port
 * has it. */
int store_secgroup_delete(struct db_conn *c, const char *id, struct error *e);

int store_secgroup_rule_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                            struct secgroup_rule_row *ret, struct error *e);
int store_secgroup_rule_list(struct db_conn *c, const char *project_id, const char *after, int64_t limit,
                             struct arena *a, struct secgroup_rule_row **ret, size_t *ret_count, struct error *e);
/* All rules of one group, ordered by id. */
int store_secgroup_rules_of(struct db_conn *c, const char *group_id, struct arena *a, struct secgroup_rule_row **ret,
                            size_t *ret_count, struct error *e);
int store_secgroup_rule_insert(struct db_conn *c, const struct secgroup_rule_row *row, struct error *e);
int store_secgroup_rule_delete(struct db_conn *c, const char *id, struct error *e);
/* The group's revision grows with its rules. */
int store_secgroup_touch(struct db_conn *c, const char *id, int64_t now_us, struct error *e);
