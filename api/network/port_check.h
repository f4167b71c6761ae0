/* What a port may be asked for, in Neutron's words; and the addresses and groups that follow. */
#pragma once
#include "api/network/entity.h"
#include "db/store_port.h"

/* `set` functions of the attributes. */
int port_check_mac(struct request *request, json_value *value, const char **ret);
int port_check_fixed_ips(struct request *request, json_value *value, const char **ret);
int port_check_groups(struct request *request, json_value *value, const char **ret);
int port_check_pairs(struct request *request, json_value *value, const char **ret);
int port_check_dhcp_opts(struct request *request, json_value *value, const char **ret);
int port_check_vnic_type(struct request *request, json_value *value, const char **ret);
int port_check_profile(struct request *request, json_value *value, const char **ret);

/* A list of ids from a JSON array, in the arena. */
int port_check_ids(struct request *request, const char *json, const char ***ret, size_t *ret_count);
/* The groups must be visible to the port's project. */
int port_check_groups_exist(struct request *request, const char *const *groups, size_t count, const char *project_id);
/* Requests of store_ipam_take from the JSON that port_check_fixed_ips made. */
int port_check_requests(struct request *request, const char *json, struct ip_request **ret, size_t *ret_count);
/* Of `old` addresses those that `wanted` (JSON) still names stay; what is new is taken. The result in the order kept,
 * new; `gone` leaves. */
struct port_change {
    struct ip_assigned *list;
    size_t count;
    struct ip_assigned *fresh; /* of them, to be held */
    size_t fresh_count;
    struct ip_assigned *gone;
    size_t gone_count;
};
int port_check_change(struct request *request, const struct port_row *row, const char *wanted, struct port_change *ret);
