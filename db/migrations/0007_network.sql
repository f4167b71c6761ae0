-- Networks, subnets, ports and the addresses that they hold. Flags are 0 or 1; JSON columns hold compact JSON text.

CREATE TABLE network (
    id TEXT PRIMARY KEY,                            -- UUID, ordered by time
    project_id TEXT NOT NULL,                       -- owner
    name TEXT NOT NULL,                             -- as given
    description TEXT NOT NULL,                      -- as given
    admin_state_up BIGINT NOT NULL,                 -- wanted up
    shared BIGINT NOT NULL,                         -- every project may use it
    external BIGINT NOT NULL,                       -- router:external
    is_default BIGINT NOT NULL,                     -- the default external network
    mtu BIGINT NOT NULL,                            -- bytes
    port_security BIGINT NOT NULL,                  -- default of its ports
    provider_type TEXT NOT NULL,                    -- provider:network_type
    provider_physical TEXT,                         -- provider:physical_network
    provider_segment BIGINT,                        -- provider:segmentation_id
    zone_hints TEXT NOT NULL,                       -- JSON array of availability zones
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL,                     -- last change
    revision BIGINT NOT NULL                        -- revision_number
);
CREATE INDEX network_by_project ON network (project_id, id);
CREATE INDEX network_by_shared ON network (id) WHERE shared = 1;
CREATE INDEX network_by_external ON network (id) WHERE external = 1;

CREATE TABLE subnet (
    id TEXT PRIMARY KEY,                            -- UUID, ordered by time
    network_id TEXT NOT NULL,                       -- its network
    project_id TEXT NOT NULL,                       -- owner
    name TEXT NOT NULL,                             -- as given
    description TEXT NOT NULL,                      -- as given
    ip_version BIGINT NOT NULL,                     -- 4 or 6
    cidr TEXT NOT NULL,                             -- canonical text
    gateway_ip TEXT,                                -- canonical text, NULL for none
    enable_dhcp BIGINT NOT NULL,                    -- addresses are offered by DHCP
    ipv6_ra_mode TEXT,                              -- NULL, slaac, dhcpv6-stateful, dhcpv6-stateless
    ipv6_address_mode TEXT,                         -- likewise
    pools TEXT NOT NULL,                            -- JSON array of {"start","end"}: what IPAM gives out by itself
    dns_nameservers TEXT NOT NULL,                  -- JSON array of addresses
    host_routes TEXT NOT NULL,                      -- JSON array of {"destination","nexthop"}
    service_types TEXT NOT NULL,                    -- JSON array of device owners; empty: any
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL,                     -- last change
    revision BIGINT NOT NULL                        -- revision_number
);
CREATE INDEX subnet_by_network ON subnet (network_id, id);
CREATE INDEX subnet_by_project ON subnet (project_id, id);

-- What IPAM may still give out, as ranges that do not overlap. Never-used ranges come first, then what was released longest ago, so that
-- an address rests before it is used again. Taking the next one is a search in this index.
CREATE TABLE subnet_free (
    subnet_id TEXT NOT NULL,                        -- subnet
    first_key TEXT NOT NULL,                        -- ip_key of the first address
    last_key TEXT NOT NULL,                         -- ip_key of the last address
    released_us BIGINT NOT NULL,                    -- 0: never used
    PRIMARY KEY (subnet_id, first_key)
);
CREATE INDEX subnet_free_next ON subnet_free (subnet_id, released_us, first_key);

CREATE TABLE port (
    id TEXT PRIMARY KEY,                            -- UUID, ordered by time
    network_id TEXT NOT NULL,                       -- its network
    project_id TEXT NOT NULL,                       -- owner
    name TEXT NOT NULL,                             -- as given
    description TEXT NOT NULL,                      -- as given
    mac TEXT NOT NULL,                              -- lower case with colons
    admin_state_up BIGINT NOT NULL,                 -- wanted up
    port_security BIGINT NOT NULL,                  -- port_security_enabled
    device_id TEXT NOT NULL,                        -- server (or anything else), '' for none
    device_owner TEXT NOT NULL,                     -- "compute:nova" ..., '' for none
    nic BIGINT NOT NULL,                            -- place among the server's interfaces, from 0
    made_for_server BIGINT NOT NULL,                -- made with the server, goes with it
    fixed_ips TEXT NOT NULL,                        -- JSON array of {"subnet_id","ip_address"}, as in port_address
    security_groups TEXT NOT NULL,                  -- JSON array of ids, as in port_security_group
    address_pairs TEXT NOT NULL,                    -- JSON array of {"ip_address","mac_address"}
    dhcp_opts TEXT NOT NULL,                        -- JSON array of {"opt_name","opt_value","ip_version"}
    vnic_type TEXT NOT NULL,                        -- binding:vnic_type
    binding_profile TEXT NOT NULL,                  -- JSON object
    binding_host TEXT NOT NULL,                     -- as an administrator asked for, '' for none
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL,                     -- last change
    revision BIGINT NOT NULL                        -- revision_number
);
CREATE UNIQUE INDEX port_mac ON port (network_id, mac);
CREATE INDEX port_by_network ON port (network_id, id);
CREATE INDEX port_by_project ON port (project_id, id);
CREATE INDEX port_by_device ON port (device_id, nic, id) WHERE device_id <> '';

-- An address is held once: the primary key says so.
CREATE TABLE port_address (
    subnet_id TEXT NOT NULL,                        -- from this subnet
    ip TEXT NOT NULL,                               -- canonical text
    port_id TEXT NOT NULL,                          -- held by
    network_id TEXT NOT NULL,                       -- of both
    PRIMARY KEY (subnet_id, ip)
);
CREATE INDEX port_address_by_port ON port_address (port_id);

CREATE TABLE security_group (
    id TEXT PRIMARY KEY,                            -- UUID, ordered by time
    project_id TEXT NOT NULL,                       -- owner
    name TEXT NOT NULL,                             -- as given
    description TEXT NOT NULL,                      -- as given
    stateful BIGINT NOT NULL,                       -- connections are tracked
    is_default BIGINT NOT NULL,                     -- the project's own "default"
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL,                     -- last change
    revision BIGINT NOT NULL                        -- revision_number
);
CREATE INDEX security_group_by_project ON security_group (project_id, id);
CREATE UNIQUE INDEX security_group_default ON security_group (project_id) WHERE is_default = 1;

CREATE TABLE security_group_rule (
    id TEXT PRIMARY KEY,                            -- UUID, ordered by time
    group_id TEXT NOT NULL,                         -- its group
    project_id TEXT NOT NULL,                       -- owner
    direction TEXT NOT NULL,                        -- ingress, egress
    ethertype TEXT NOT NULL,                        -- IPv4, IPv6
    protocol TEXT,                                  -- name or number; NULL: any
    port_min BIGINT,                                -- first port or ICMP type; NULL: any
    port_max BIGINT,                                -- last port or ICMP code; NULL: any
    remote_prefix TEXT,                             -- cidr as given; NULL: any
    remote_group_id TEXT,                           -- other end is in this group
    description TEXT NOT NULL,                      -- as given
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL,                     -- last change
    revision BIGINT NOT NULL                        -- revision_number
);
CREATE INDEX security_group_rule_by_group ON security_group_rule (group_id, id);
CREATE INDEX security_group_rule_by_project ON security_group_rule (project_id, id);
CREATE INDEX security_group_rule_by_remote ON security_group_rule (remote_group_id) WHERE remote_group_id IS NOT NULL;

-- Which ports use a group: what refuses its deletion.
CREATE TABLE port_security_group (
    group_id TEXT NOT NULL,                         -- group
    port_id TEXT NOT NULL,                          -- used by
    PRIMARY KEY (group_id, port_id)
);
CREATE INDEX port_security_group_by_port ON port_security_group (port_id);

-- Limits of a project that differ from the defaults.
CREATE TABLE network_quota (
    project_id TEXT NOT NULL,                       -- project
    resource TEXT NOT NULL,                         -- network, subnet, port, security_group, security_group_rule ...
    most BIGINT NOT NULL,                           -- -1: no limit
    PRIMARY KEY (project_id, resource)
);
