/* Security groups as the compute API shows them: with the rules for what comes in, in Nova's old words. */
#pragma once
#include "api/http/handler.h"
#include "db/store_secgroup.h"

/* Writes the group with its rules. */
int security_group_view_write(struct request *request, struct json_out *out, const char *key,
                              const struct secgroup_row *group);
int security_group_view_rule(struct request *request, struct json_out *out, const char *key,
                             const struct secgroup_rule_row *rule);
/* What from_port and to_port of a rule say: all ports of TCP and UDP are 1 to 65535, all of others -1. False: null. */
bool security_group_view_ports(const struct secgroup_rule_row *rule, int64_t *ret_from, int64_t *ret_to);
/* Writes "security_groups": [...], ordered by project and name. */
int security_group_view_list(struct request *request, struct json_out *out, struct secgroup_row *groups, size_t count);
