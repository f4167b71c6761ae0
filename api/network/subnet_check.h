/* What a subnet must be, in Neutron's words. */
#pragma once
#include "api/network/entity.h"
#include "db/store_ipam.h"

/* `set` functions of the attributes: judge one value and give its canonical text. */
int subnet_check_cidr(struct request *request, json_value *value, const char **ret);
int subnet_check_gateway(struct request *request, json_value *value, const char **ret);
int subnet_check_pools(struct request *request, json_value *value, const char **ret);
int subnet_check_routes(struct request *request, json_value *value, const char **ret);
int subnet_check_nameservers(struct request *request, json_value *value, const char **ret);
int subnet_check_service_types(struct request *request, json_value *value, const char **ret);
int subnet_check_ra_mode(struct request *request, json_value *value, const char **ret);
int subnet_check_address_mode(struct request *request, json_value *value, const char **ret);
/* There are no subnet pools: only null is accepted. */
int subnet_check_no_pool(struct request *request, json_value *value, const char **ret);
/* An address in any of Neutron's lists: ERR_INVALID naming the attribute. Gives its canonical text. */
int subnet_check_address(struct request *request, const char *attribute, json_value *value, const char **ret);

/* The attributes together, beside the network's other subnets; fills in gateway (unless it was given, `has_gateway`)
 * and pools. */
int subnet_check_new(struct request *request, struct subnet_row *row, bool has_gateway);
/* `row` is what becomes of `old`. */
int subnet_check_change(struct request *request, const struct subnet_row *old, struct subnet_row *row, bool has_dhcp);
