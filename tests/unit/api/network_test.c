/* The network API over HTTP: every collection, good and bad input, other projects, filters, pages. */
#include "api/network/network_service.h"
#include "db/store_secgroup.h"
#include "tests/unit/api/api_steps.h"

const struct service *const http_services[] = {&network_service, NULL};

#define V "/network/v2.0"

TEST("a network goes through its life")
{
    steps_begin();
    STEPS({NOBODY, "GET", "/network/", NULL, 200, "\"id\":\"v2.0\""}, {NOBODY, "GET", V "/networks", NULL, 401},
          {A, "POST", V "/networks", "{\"network\":{\"name\":\"n\",\"admin_state_up\":true}}", 201,
           "\"status\":\"ACTIVE\"", "provider:", "n"},
          {A, "GET", V "/networks/$n", NULL, 200, "\"name\":\"n\""},
          {A, "GET", V "/networks/$n.json", NULL, 200, "\"revision_number\":1"},
          {ADMIN, "GET", V "/networks/$n?fields=id&fields=provider:network_type", NULL, 200,
           "{\"network\":{\"id\":\"$n\",\"provider:network_type\":\"local\"}}"},
          {A, "PUT", V "/networks/$n", "{\"network\":{\"description\":\"z\",\"mtu\":1400}}", 200, "\"mtu\":1400"},
          {A, "GET", V "/networks/$n", NULL, 200, "\"revision_number\":2"},
          {A, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"x\"}}", 412, "RevisionNumberConstraintFailed", NULL,
           NULL, "If-Match: revision_number=1\r\n" JSON_TYPE},
          {A, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"x\"}}", 200, "\"name\":\"x\"", NULL, NULL,
           "If-Match: revision_number=2\r\n" JSON_TYPE},
          {READER, "DELETE", V "/networks/$n", NULL, 403}, {A, "DELETE", V "/networks/$n", NULL, 204},
          {A, "GET", V "/networks/$n", NULL, 404,
           "{\"NeutronError\":{\"type\":\"NetworkNotFound\",\"message\":\"Network $n could not be "
           "found.\",\"detail\":\"\"}}"},
          {A, "DELETE", V "/networks/$n", NULL, 404},
          {A, "GET", V "/routers", NULL, 404, "<title>404 Not Found</title>"}, {A, "PATCH", V "/networks", NULL, 405});
    steps_end();
}

TEST("bad bodies of networks are refused by the name of what is wrong")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "", 400, "Resource body required"},
          {A, "POST", V "/networks", "[]", 400, "Resource body required"},
          {A, "POST", V "/networks", "{\"subnet\":{}}", 400, "Unable to find 'network' in request body"},
          {A, "POST", V "/networks", "{\"network\":3}", 400, "HTTPBadRequest"},
          {A, "POST", V "/networks", "{\"networks\":[]}", 400, "Resources required"},
          {A, "POST", V "/networks", "{\"network\":{\"nonsense\":1}}", 400, "Unrecognized attribute(s) 'nonsense'"},
          {A, "POST", V "/networks", "{\"network\":{\"id\":\"x\"}}", 400, "Attribute 'id' not allowed in POST"},
          {A, "POST", V "/networks", "{\"network\":{\"name\":3}}", 400,
           "Invalid input for name. Reason: '3' is not a valid string."},
          {A, "POST", V "/networks", "{\"network\":{\"admin_state_up\":\"perhaps\"}}", 400,
           "cannot be converted to boolean"},
          {A, "POST", V "/networks", "{\"network\":{\"mtu\":10}}", 400, "is too small"},
          {A, "POST", V "/networks", "{\"network\":{\"mtu\":\"x\"}}", 400, "is not an integer"},
          {A, "POST", V "/networks", "{\"network\":{\"tenant_id\":\"" PROJECT_B "\"}}", 400,
           "other than the authenticated project"},
          {A, "POST", V "/networks", "{\"network\":{\"tenant_id\":\"x\",\"project_id\":\"y\"}}", 400, "do not match"},
          {A, "POST", V "/networks", "{\"network\":{\"shared\":true}}", 403, "PolicyNotAuthorized"},
          {A, "POST", V "/networks", "{\"network\":{\"shared\":false}}", 201, "\"shared\":false", NULL, "n"},
          {A, "POST", V "/networks", "{\"network\":{\"router:external\":true}}", 403, "PolicyNotAuthorized"},
          {A, "POST", V "/networks", "{\"network\":{\"provider:network_type\":\"vlan\"}}", 400, "not supported"},
          {ADMIN, "POST", V "/networks", "{\"network\":{\"provider:network_type\":\"local\"}}", 201, "local"},
          {ADMIN, "POST", V "/networks", "{\"network\":{\"provider:segmentation_id\":7}}", 400, "segmentation_id"},
          {A, "PUT", V "/networks/$n", "{\"network\":{\"shared\":true}}", 403, "PolicyNotAuthorized"},
          {A, "PUT", V "/networks/$n", "{\"network\":{\"status\":\"DOWN\"}}", 400, "Cannot update read-only attribute"},
          {A, "PUT", V "/networks/$n", "{}", 400, "Unable to find 'network'"});
    steps_end();
}

TEST("an external network is seen by everybody, its subnets by its project alone")
{
    steps_begin();
    STEPS({ADMIN, "POST", V "/networks", "{\"network\":{\"router:external\":true}}", 201, NULL, NULL, "n"},
          {ADMIN, "POST", V "/subnets",
           "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"203.0.113.0/24\"}}", 201, NULL, NULL, "s"},
          {B, "GET", V "/networks/$n", NULL, 200, "\"router:external\":true"},
          {B, "GET", V "/subnets", NULL, 200, "{\"subnets\":[]}"}, {B, "GET", V "/subnets/$s", NULL, 404},
          {ADMIN, "GET", V "/subnets/$s", NULL, 200});
    steps_end();
}

TEST("networks of others are seen only when shared, and changed by nobody else")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "{\"network\":{\"name\":\"mine\"}}", 201, NULL, NULL, "n"},
          {B, "GET", V "/networks/$n", NULL, 404}, {B, "PUT", V "/networks/$n", "{\"network\":{}}", 404},
          {B, "DELETE", V "/networks/$n", NULL, 404}, {B, "GET", V "/networks", NULL, 200, "{\"networks\":[]}"},
          {ADMIN, "PUT", V "/networks/$n", "{\"network\":{\"shared\":true}}", 200, "\"shared\":true"},
          {B, "GET", V "/networks/$n", NULL, 200}, {B, "GET", V "/networks?shared=True", NULL, 200, "$n"},
          {B, "PUT", V "/networks/$n", "{\"network\":{\"name\":\"x\"}}", 403, "PolicyNotAuthorized"},
          {B, "DELETE", V "/networks/$n", NULL, 403},
          {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.0.0.0/24\"}}",
           201, NULL, NULL, "s"},
          {B, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.1.0.0/24\"}}",
           403},
          {B, "GET", V "/subnets?shared=true", NULL, 200, "$s"},
          {B, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 201, "10.0.0.2", NULL, "p"},
          {B, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"mac_address\":\"fa:16:3e:00:00:01\"}}", 403},
          {B, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"fixed_ips\":[{\"ip_address\":\"10.0.0.9\"}]}}",
           403},
          {ADMIN, "PUT", V "/networks/$n", "{\"network\":{\"shared\":false}}", 409, "InvalidSharedSetting"},
          {A, "GET", V "/ports/$p", NULL, 404}, {B, "DELETE", V "/ports/$p", NULL, 204},
          {ADMIN, "PUT", V "/networks/$n", "{\"network\":{\"shared\":false}}", 200});
    steps_end();
}

TEST("subnets get gateway and pools as Neutron gives them")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "{\"network\":{}}", 201, NULL, NULL, "n"},
          {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.0.0.77/24\"}}",
           201,
           "\"gateway_ip\":\"10.0.0.1\",\"cidr\":\"10.0.0.0/24\",\"allocation_pools\":[{\"start\":\"10.0.0.2\","
           "\"end\":\"10.0.0.254\"}]"},
          {A, "POST", V "/subnets",
           "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":\"4\",\"cidr\":\"10.1.0.0/"
           "29\",\"gateway_ip\":\"10.1.0.3\"}}",
           201, "[{\"start\":\"10.1.0.1\",\"end\":\"10.1.0.2\"},{\"start\":\"10.1.0.4\",\"end\":\"10.1.0.6\"}]"},
          {A, "POST", V "/subnets",
           "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.2.0.0/29\",\"gateway_ip\":null}}", 201,
           "\"gateway_ip\":null"},
          {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":6,\"cidr\":\"fd00::/64\"}}", 201,
           "\"gateway_ip\":\"fd00::\",\"cidr\":\"fd00::/64\",\"allocation_pools\":[{\"start\":\"fd00::1\","
           "\"end\":\"fd00::ffff:ffff:ffff:ffff\"}]"},
          {A, "GET", V "/networks/$n", NULL, 200, "\"subnets\":[\""});
    steps_end();
}

TEST("bad subnets are refused in Neutron's words")
{
#define SUBNET(rest) "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4," rest "}}"
    steps_begin();
    STEPS(
        {A, "POST", V "/networks", "{\"network\":{}}", 201, NULL, NULL, "n"},
        {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"cidr\":\"10.0.0.0/24\"}}", 400,
         "Required attribute 'ip_version' not specified"},
        {A, "POST", V "/subnets", SUBNET("\"name\":\"x\""), 400, "a subnetpool must be specified"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0\""), 400, "'10.0.0.0/32' is recommended"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"nonsense/24\""), 400, "is not a valid IP subnet"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"fd00::/64\""), 400, "does not match the ip_version '4'"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"0.0.0.0/0\",\"enable_dhcp\":false"), 400,
         "0 is not allowed as CIDR prefix length"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/31\""), 400, "incompatible with DHCP"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"224.0.0.0/24\""), 400, "Multicast IP subnet"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"127.0.0.0/24\""), 400, "Loopback IP subnet"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\",\"gateway_ip\":\"10.0.0.255\""), 400,
         "Gateway is not valid on subnet"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\",\"dns_nameservers\":[\"x\"]"), 400,
         "is not a valid IP address"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\",\"dns_nameservers\":[\"::1\"]"), 400,
         "does not match the ip_version"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\",\"host_routes\":[{\"destination\":\"x\"}]"), 400,
         "Validation of dictionary's keys failed"},
        {A, "POST", V "/subnets",
         SUBNET("\"cidr\":\"10.0.0.0/24\",\"allocation_pools\":[{\"start\":\"10.0.0.9\",\"end\":\"10.0.0.2\"}]"), 400,
         "InvalidAllocationPool"},
        {A, "POST", V "/subnets",
         SUBNET("\"cidr\":\"10.0.0.0/24\",\"allocation_pools\":[{\"start\":\"10.0.0.9\",\"end\":\"10.0.1.2\"}]"), 400,
         "OutOfBoundsAllocationPool"},
        {A, "POST", V "/subnets",
         SUBNET("\"cidr\":\"10.0.0.0/24\",\"allocation_pools\":[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.9\"},"
                "{\"start\":\"10.0.0.9\",\"end\":\"10.0.0.12\"}]"),
         409, "OverlappingAllocationPools"},
        {A, "POST", V "/subnets",
         SUBNET("\"cidr\":\"10.0.0.0/24\",\"allocation_pools\":[{\"start\":\"10.0.0.1\",\"end\":\"10.0.0.9\"}]"), 409,
         "GatewayConflictWithAllocationPools"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\",\"ipv6_ra_mode\":\"slaac\""), 400,
         "ipv6_ra_mode is not valid when ip_version is 4"},
        {A, "POST", V "/subnets",
         "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":6,\"cidr\":\"fd00::/60\",\"ipv6_address_mode\":\"slaac\"}}",
         400, "requires the prefix to be /64"},
        {A, "POST", V "/subnets",
         "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":6,\"cidr\":\"fd00::/64\",\"ipv6_address_mode\":\"slaac\","
         "\"ipv6_ra_mode\":\"dhcpv6-stateful\"}}",
         400, "they must be the same value"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.0/24\""), 201, NULL, NULL, "s"},
        {A, "POST", V "/subnets", SUBNET("\"cidr\":\"10.0.0.128/25\""), 400, "overlaps with another subnet"},
        {B, "POST", V "/subnets", SUBNET("\"cidr\":\"10.9.0.0/24\""), 404, "NetworkNotFound"},
        {A, "PUT", V "/subnets/$s", "{\"subnet\":{\"cidr\":\"10.0.0.0/25\"}}", 400,
         "Cannot update read-only attribute cidr"},
        {A, "PUT", V "/subnets/$s", "{\"subnet\":{\"gateway_ip\":\"10.0.0.77\"}}", 409, "GatewayConflict"},
        {A, "PUT", V "/subnets/$s",
         "{\"subnet\":{\"gateway_ip\":\"10.0.0.77\",\"allocation_pools\":[{\"start\":\"10.0.0.5\",\"end\":\"10.0.0.6\"}"
         "]}}",
         200, "\"gateway_ip\":\"10.0.0.77\""},
        {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 201, "10.0.0.5"},
        {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 201, "10.0.0.6"},
        {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 409,
         "{\"NeutronError\":{\"type\":\"IpAddressGenerationFailure\",\"message\":\"No more IP addresses available on "
         "network $n.\""},
        {A, "DELETE", V "/subnets/$s", NULL, 409, "SubnetInUse"},
        {A, "DELETE", V "/networks/$n", NULL, 409, "NetworkInUse"});
    steps_end();
}

TEST("ports hold addresses and groups, and give them back")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "{\"network\":{}}", 201, NULL, NULL, "n"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\"}}", 201, "\"fixed_ips\":[]", NULL, "bare"},
          {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.0.0.0/24\"}}",
           201, NULL, NULL, "s"},
          {A, "GET", V "/security-groups?name=default", NULL, 200, "\"name\":\"default\"", NULL, "sg"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"name\":\"p\"}}", 201,
           "\"fixed_ips\":[{\"subnet_id\":\"$s\",\"ip_address\":\"10.0.0.2\"}]", "binding:host_id", "p"},
          {A, "GET", V "/ports/$p", NULL, 200, "\"security_groups\":[\"$sg\"]"},
          {ADMIN, "GET", V "/ports/$p", NULL, 200, "\"binding:vif_type\":\"unbound\""},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"fixed_ips\":[{\"ip_address\":\"10.0.0.2\"}]}}",
           409, "IpAddressAlreadyAllocated"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"fixed_ips\":[{\"ip_address\":\"10.9.0.2\"}]}}",
           400, "InvalidIpForNetwork"},
          {A, "POST", V "/ports",
           "{\"port\":{\"network_id\":\"$n\",\"fixed_ips\":[{\"subnet_id\":\"$s\",\"ip_address\":\"10.9.0.2\"}]}}", 400,
           "InvalidIpForSubnet"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"fixed_ips\":[{\"subnet_id\":\"$n\"}]}}", 400,
           "included invalid subnet"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"mac_address\":\"nonsense\"}}", 400,
           "is not a valid MAC address"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"mac_address\":\"FA:16:3E:00:00:01\"}}", 201,
           "fa:16:3e:00:00:01"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"mac_address\":\"fa:16:3e:00:00:01\"}}", 409,
           "MacAddressInUse"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"security_groups\":[\"$n\"]}}", 404,
           "SecurityGroupNotFound"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"port_security_enabled\":false}}", 201,
           "\"security_groups\":[]"},
          {A, "POST", V "/ports",
           "{\"port\":{\"network_id\":\"$n\",\"port_security_enabled\":false,\"security_groups\":[\"$sg\"]}}", 409,
           "PortSecurityAndIPRequiredForSecurityGroups"},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"binding:host_id\":\"h\"}}", 403,
           "PolicyNotAuthorized"},
          {A, "POST", V "/ports",
           "{\"port\":{\"network_id\":\"$n\",\"allowed_address_pairs\":[{\"ip_address\":\"10.0.0.0/28\"}]}}", 201,
           "\"ip_address\":\"10.0.0.0/28\""},
          {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"extra_dhcp_opts\":[{\"opt_name\":\"a\"}]}}", 400,
           "No valid key specs matched"},
          {A, "PUT", V "/ports/$p",
           "{\"port\":{\"fixed_ips\":[{\"subnet_id\":\"$s\"},{\"ip_address\":\"10.0.0.200\"}]}}", 200,
           "[{\"subnet_id\":\"$s\",\"ip_address\":\"10.0.0.2\"},{\"subnet_id\":\"$s\",\"ip_address\":\"10.0.0.200\"}]"},
          {A, "GET", V "/ports?fixed_ips=ip_address%3D10.0.0.200", NULL, 200, "$p"},
          {A, "GET", V "/ports?fixed_ips=ip_address_substr%3D10.0.0.20", NULL, 200, "$p"},
          {A, "GET", V "/ports?fixed_ips=ip_address%3D10.0.0.201", NULL, 200, "{\"ports\":[]}"},
          {A, "GET", V "/ports?mac_address=FA-16-3E-00-00-01&fields=mac_address", NULL, 200,
           "{\"ports\":[{\"mac_address\":\"fa:16:3e:00:00:01\"}]}"},
          {A, "DELETE", V "/security-groups/$sg", NULL, 409},
          {A, "PUT", V "/ports/$p", "{\"port\":{\"security_groups\":[]}}", 200, "\"security_groups\":[]"},
          {A, "PUT", V "/ports/$p", "{\"port\":{\"fixed_ips\":[]}}", 200, "\"fixed_ips\":[]"},
          {A, "PUT", V "/ports/$p", "{\"port\":{\"network_id\":\"$n\"}}", 400, "Cannot update read-only attribute"},
          {B, "GET", V "/ports/$p", NULL, 404}, {A, "DELETE", V "/ports/$p", NULL, 204},
          {A, "DELETE", V "/ports/$p", NULL, 404, "PortNotFound"});
    steps_end();
}

TEST("a SLAAC subnet takes its addresses along when it goes")
{
    steps_begin();
    STEPS(
        {A, "POST", V "/networks", "{\"network\":{}}", 201, NULL, NULL, "n"},
        {A, "POST", V "/subnets", "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":4,\"cidr\":\"10.0.0.0/24\"}}",
         201},
        {A, "POST", V "/subnets",
         "{\"subnet\":{\"network_id\":\"$n\",\"ip_version\":6,\"cidr\":\"fd00::/64\",\"ipv6_address_mode\":\"slaac\"}}",
         201, "\"ipv6_ra_mode\":null,\"ipv6_address_mode\":\"slaac\"", NULL, "s"},
        {A, "POST", V "/ports", "{\"port\":{\"network_id\":\"$n\",\"mac_address\":\"fa:16:3e:01:02:03\"}}", 201,
         "fd00::f816:3eff:fe01:203", NULL, "p"},
        {A, "DELETE", V "/subnets/$s", NULL, 204}, {A, "GET", V "/ports/$p", NULL, 200, "10.0.0.2", "fd00"});
    steps_end();
}

TEST("several at once are made together or not at all")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "{\"networks\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", 201, "\"name\":\"b\""},
          {A, "POST", V "/networks", "{\"networks\":[{\"name\":\"c\"},{\"nonsense\":1}]}", 400},
          {A, "GET", V "/networks?fields=name", NULL, 200, "{\"networks\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"},
          {ADMIN, "PUT", V "/quotas/" PROJECT_A, "{\"quota\":{\"network\":3}}", 200, "\"network\":3"},
          {A, "POST", V "/networks", "{\"networks\":[{\"name\":\"d\"},{\"name\":\"e\"}]}", 409,
           "Quota exceeded for resources: ['network']."},
          {A, "GET", V "/networks?fields=name", NULL, 200, "{\"networks\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"},
          {A, "GET", V "/quotas/" PROJECT_A "/details.json", NULL, 200, "\"network\":{\"used\":2,\"limit\":3"},
          {A, "PUT", V "/quotas/" PROJECT_A, "{\"quota\":{\"network\":9}}", 403},
          {B, "GET", V "/quotas/" PROJECT_A, NULL, 403},
          {ADMIN, "PUT", V "/quotas/" PROJECT_A, "{\"quota\":{\"network\":-2}}", 400},
          {ADMIN, "PUT", V "/quotas/" PROJECT_A, "{\"quota\":{\"nonsense\":2}}", 400, "Unrecognized attribute"},
          {ADMIN, "GET", V "/quotas", NULL, 200, PROJECT_A}, {ADMIN, "DELETE", V "/quotas/" PROJECT_A, NULL, 204},
          {ADMIN, "DELETE", V "/quotas/" PROJECT_A, NULL, 404, "TenantQuotaNotFound"},
          {A, "GET", V "/quotas/" PROJECT_A, NULL, 200, "\"network\":100"},
          {A, "GET", V "/quotas/" PROJECT_A "/default", NULL, 200, "\"port\":500"});
    steps_end();
}

TEST("lists are filtered, sorted and cut into pages")
{
    steps_begin();
    STEPS(
        {A, "POST", V "/networks", "{\"networks\":[{\"name\":\"c\"},{\"name\":\"a\"},{\"name\":\"b\",\"mtu\":1400}]}",
         201},
        {A, "GET", V "/networks?name=a&fields=name", NULL, 200, "{\"networks\":[{\"name\":\"a\"}]}"},
        {A, "GET", V "/networks?name=a&name=b&fields=name", NULL, 200,
         "{\"networks\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"},
        {A, "GET", V "/networks?name=a&mtu=1400", NULL, 200, "{\"networks\":[]}"},
        {A, "GET", V "/networks?admin_state_up=True&fields=name", NULL, 200, "\"c\""},
        {A, "GET", V "/networks?admin_state_up=0", NULL, 200, "{\"networks\":[]}"},
        {A, "GET", V "/networks?sort_key=name&sort_dir=desc&fields=name", NULL, 200,
         "{\"networks\":[{\"name\":\"c\"},{\"name\":\"b\"},{\"name\":\"a\"}]}"},
        {A, "GET", V "/networks?nonsense=1", NULL, 400, "['nonsense'] is invalid attribute for filtering"},
        {A, "GET", V "/networks?sort_key=nonsense&sort_dir=asc", NULL, 400, "is invalid attribute for sort_keys"},
        {A, "GET", V "/networks?sort_key=name&sort_dir=up", NULL, 400, "is invalid value for sort_dirs"},
        {A, "GET", V "/networks?sort_key=name", NULL, 400, "must be same"},
        {A, "GET", V "/networks?limit=x", NULL, 400, "Limit must be an integer"},
        {A, "GET", V "/networks?limit=-1", NULL, 400, "Limit must be an integer"},
        {A, "GET", V "/networks?limit=1&marker=nonsense", NULL, 404},
        {A, "GET", V "/networks?sort_key=name&sort_dir=asc&limit=1", NULL, 200, "\"name\":\"a\"", "\"name\":\"b\"",
         "a"},
        {A, "GET", V "/networks?sort_key=name&sort_dir=asc&limit=1&marker=$a", NULL, 200, "\"name\":\"b\"",
         "\"name\":\"c\"", "b"},
        {A, "GET", V "/networks?sort_key=name&sort_dir=asc&limit=1&marker=$a", NULL, 200,
         "\"networks_links\":[{\"rel\":\"next\",\"href\":\"http://test/network/v2.0/networks?sort_key=name&sort_dir=asc"
         "&limit=1&marker=$b\"}"},
        {A, "GET", V "/networks?sort_key=name&sort_dir=asc&limit=5&marker=$b", NULL, 200, "\"name\":\"c\"",
         "\"rel\":\"next\""},
        {A, "GET", V "/networks?sort_key=name&sort_dir=asc&limit=1&marker=$b&page_reverse=True", NULL, 200,
         "\"name\":\"a\"", "\"name\":\"b\""},
        {A, "GET", V "/networks?limit=2&fields=name", NULL, 200, "[{\"name\":\"c\"},{\"name\":\"a\"}]"},
        {A, "GET", V "/networks?id=$a&id=$b&id=nonsense&fields=name", NULL, 200,
         "[{\"name\":\"a\"},{\"name\":\"b\"}]"});
    steps_end();
}

TEST("tags are kept in order and can be filtered by")
{
    steps_begin();
    STEPS({A, "POST", V "/networks", "{\"network\":{\"name\":\"x\"}}", 201, NULL, NULL, "n"},
          {A, "POST", V "/networks", "{\"network\":{\"name\":\"y\"}}", 201, NULL, NULL, "m"},
          {A, "PUT", V "/networks/$n/tags", "{\"tags\":[\"red\",\"blue\",\"red\"]}", 200,
           "{\"tags\":[\"blue\",\"red\"]}"},
          {A, "PUT", V "/networks/$m/tags/blue", NULL, 201}, {A, "GET", V "/networks/$m/tags/blue", NULL, 204},
          {A, "GET", V "/networks/$m/tags/red", NULL, 404, "TagNotFound"},
          {A, "GET", V "/networks?tags=red,blue&fields=name", NULL, 200, "{\"networks\":[{\"name\":\"x\"}]}"},
          {A, "GET", V "/networks?tags-any=red,blue&fields=name", NULL, 200, "[{\"name\":\"x\"},{\"name\":\"y\"}]"},
          {A, "GET", V "/networks?not-tags=red&fields=name", NULL, 200, "{\"networks\":[{\"name\":\"y\"}]}"},
          {A, "GET", V "/networks?not-tags-any=blue", NULL, 200, "{\"networks\":[]}"},
          {B, "PUT", V "/networks/$n/tags/x", NULL, 404}, {A, "PUT", V "/networks/$n/tags", "{}", 400},
          {A, "PUT", V "/networks/$n/tags", "{\"tags\":[\"a,b\"]}", 400},
          {A, "DELETE", V "/networks/$n/tags/red", NULL, 204}, {A, "DELETE", V "/networks/$n/tags/red", NULL, 404},
          {A, "GET", V "/networks/$n/tags", NULL, 200, "{\"tags\":[\"blue\"]}"},
          {A, "DELETE", V "/networks/$n/tags", NULL, 204},
          {A, "GET", V "/networks/$n/tags", NULL, 200, "{\"tags\":[]}"});
    steps_end();
}

TEST("every project has a default group; others are judged as Neutron does")
{
    steps_begin();
    STEPS({A, "GET", V "/security-groups", NULL, 200, "\"name\":\"default\"", NULL, "d"},
          {A, "GET", V "/security-groups?fields=id", NULL, 200, "{\"security_groups\":[{\"id\":\"$d\"}]}"},
          {A, "GET", V "/security-group-rules?security_group_id=$d&direction=ingress", NULL, 200,
           "\"remote_group_id\":\"$d\""},
          {B, "GET", V "/security-groups/$d", NULL, 404, "Security group $d does not exist"},
          {B, "GET", V "/security-group-rules?security_group_id=$d", NULL, 200, "{\"security_group_rules\":[]}"},
          {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"Default\"}}", 409,
           "SecurityGroupDefaultAlreadyExists"},
          {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"g\"}}", 201, "\"direction\":\"egress\"",
           "ingress", "g"},
          {A, "PUT", V "/security-groups/$g", "{\"security_group\":{\"name\":\"default\"}}", 409},
          {A, "PUT", V "/security-groups/$d", "{\"security_group\":{\"name\":\"other\"}}", 409,
           "SecurityGroupCannotUpdateDefault"},
          {A, "PUT", V "/security-groups/$g", "{\"security_group\":{\"name\":\"h\",\"description\":\"x\"}}", 200,
           "\"name\":\"h\""},
          {A, "DELETE", V "/security-groups/$d", NULL, 409, "SecurityGroupCannotRemoveDefault"},
          {ADMIN, "DELETE", V "/security-groups/$d", NULL, 204}, {A, "DELETE", V "/security-groups/$g", NULL, 204},
          {A, "GET", V "/security-groups/$g", NULL, 404});
    steps_end();
}

#define RULE(rest) "{\"security_group_rule\":{\"security_group_id\":\"$g\",\"direction\":\"ingress\"" rest "}}"
TEST("rules of groups are judged as Neutron does")
{
    steps_begin();
    STEPS(
        {A, "POST", V "/security-groups", "{\"security_group\":{\"name\":\"g\"}}", 201, NULL, NULL, "g"},
        {A, "POST", V "/security-group-rules",
         RULE(",\"protocol\":\"TCP\",\"port_range_min\":22,\"port_range_max\":\"22\",\"remote_ip_prefix\":\"10.0.0.1/"
              "24\""),
         201, "\"normalized_cidr\":\"10.0.0.0/24\"", NULL, "r"},
        {A, "POST", V "/security-group-rules",
         RULE(",\"protocol\":\"tcp\",\"port_range_min\":22,\"port_range_max\":22,\"remote_ip_prefix\":\"10.0.0.1/24\""),
         409, "SecurityGroupRuleExists"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"nonsense\""), 400,
         "SecurityGroupRuleInvalidProtocol"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":256"), 400, "SecurityGroupRuleInvalidProtocol"},
        {A, "POST", V "/security-group-rules", RULE(",\"port_range_min\":1"), 400,
         "Must also specify protocol if port range is given."},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"udp\",\"port_range_min\":5,\"port_range_max\":4"),
         400, "SecurityGroupInvalidPortRange"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"udp\",\"port_range_min\":5"), 400,
         "SecurityGroupInvalidPortRange"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"udp\",\"port_range_min\":0,\"port_range_max\":4"),
         400, "Invalid value for port 0"},
        {A, "POST", V "/security-group-rules",
         RULE(",\"protocol\":\"udp\",\"port_range_min\":1,\"port_range_max\":65536"), 400,
         "Invalid value for port 65536"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"icmp\",\"port_range_min\":256"), 400,
         "It must be 0 to 255"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"icmp\",\"port_range_max\":3"), 400,
         "SecurityGroupMissingIcmpType"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"icmp\",\"port_range_min\":8,\"port_range_max\":0"),
         201, "\"port_range_max\":0"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"gre\",\"port_range_min\":5,\"port_range_max\":5"),
         400, "SecurityGroupInvalidProtocolForPort"},
        {A, "POST", V "/security-group-rules",
         RULE(",\"protocol\":\"tcp\",\"port_range_min\":1,\"port_range_max\":65535"), 201, "\"port_range_min\":null"},
        {A, "POST", V "/security-group-rules", RULE(",\"ethertype\":\"IPv5\""), 400,
         "SecurityGroupRuleInvalidEtherType"},
        {A, "POST", V "/security-group-rules", RULE(",\"remote_ip_prefix\":\"fd00::/64\""), 400,
         "SecurityGroupRuleParameterConflict"},
        {A, "POST", V "/security-group-rules", RULE(",\"remote_ip_prefix\":\"nonsense\""), 400, "InvalidCIDR"},
        {A, "POST", V "/security-group-rules", RULE(",\"remote_ip_prefix\":\"10.0.0.0/8\",\"remote_group_id\":\"$g\""),
         400, "SecurityGroupMultipleRemoteEntites"},
        {A, "POST", V "/security-group-rules", RULE(",\"protocol\":\"ipv6-icmp\""), 400,
         "SecurityGroupEthertypeConflictWithProtocol"},
        {A, "POST", V "/security-group-rules", RULE(",\"ethertype\":\"ipv6\",\"protocol\":\"icmp\""), 201, "ipv6-icmp"},
        {A, "POST", V "/security-group-rules", RULE(",\"remote_group_id\":\"$r\""), 404, "SecurityGroupNotFound"},
        {A, "POST", V "/security-group-rules", "{\"security_group_rule\":{\"security_group_id\":\"$g\"}}", 400,
         "Required attribute 'direction' not specified"},
        {B, "POST", V "/security-group-rules", RULE(""), 404, "SecurityGroupNotFound"},
        {A, "PUT", V "/security-group-rules/$r", "{}", 405}, {B, "DELETE", V "/security-group-rules/$r", NULL, 404},
        {A, "DELETE", V "/security-group-rules/$r", NULL, 204}, {A, "GET", V "/security-group-rules/$r", NULL, 404});
    steps_end();
}

TEST("only extensions that exist are listed")
{
    steps_begin();
    STEPS({A, "GET", V "/extensions", NULL, 200, "\"alias\":\"security-group\"", "\"alias\":\"router\""},
          {A, "GET", V "/extensions/quotas.json", NULL, 200, "\"alias\":\"quotas\""},
          {A, "GET", V "/extensions/router", NULL, 404, "ExtensionsNotFound"},
          {A, "GET", V "/agents", NULL, 200, "{\"agents\":[]}"},
          {ADMIN, "GET", V "/agents/nonsense", NULL, 404, "AgentNotFound"},
          {A, "GET", V "/availability_zones", NULL, 200, "{\"availability_zones\":[]}"},
          {A, "GET", V, NULL, 200, "\"collection\":\"networks\""});
    steps_end();
}
