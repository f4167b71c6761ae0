-- Hosts, servers and what ties them. Times are microseconds since 1970 UTC; flags are 0 or 1; JSON columns hold compact JSON text.

CREATE TABLE host (
    id TEXT PRIMARY KEY,                            -- UUID that the agent keeps in a file; never the host's name
    name TEXT NOT NULL,                             -- shown to people; may change
    zone TEXT NOT NULL,                             -- availability zone
    enabled BIGINT NOT NULL,                        -- an operator lets new servers come
    disabled_reason TEXT,                           -- why not
    hypervisor TEXT NOT NULL,                       -- "QEMU", "KVM", "fake": what placement matches images against
    hypervisor_version BIGINT NOT NULL,             -- libvirt's number: major * 1000000 + minor * 1000 + release
    agent_version TEXT NOT NULL,                    -- of the program that last reported
    architecture TEXT NOT NULL,                     -- "x86_64"
    address TEXT NOT NULL,                          -- the host's own address, for people and consoles
    vcpus BIGINT NOT NULL,                          -- threads of the machine
    memory_mib BIGINT NOT NULL,                     -- of the machine
    disk_gib BIGINT NOT NULL,                       -- of the instance store
    reserved_vcpus BIGINT NOT NULL,                 -- kept from servers
    reserved_memory_mib BIGINT NOT NULL,            -- kept from servers
    reserved_disk_gib BIGINT NOT NULL,              -- kept from servers
    ratio_vcpus BIGINT NOT NULL,                    -- overcommit in permille
    ratio_memory BIGINT NOT NULL,                   -- overcommit in permille
    ratio_disk BIGINT NOT NULL,                     -- overcommit in permille
    used_vcpus BIGINT NOT NULL,                     -- sum over this host's allocations, changed in the same transaction
    used_memory_mib BIGINT NOT NULL,                -- likewise
    used_disk_gib BIGINT NOT NULL,                  -- likewise
    server_count BIGINT NOT NULL,                   -- likewise, count
    traits TEXT NOT NULL,                           -- JSON array of trait names
    cpu TEXT NOT NULL,                              -- JSON object: model, vendor, topology, features
    certificate TEXT,                               -- SHA-256 of the agent's present certificate, hex
    certificate_previous TEXT,                      -- of the one before, valid while a renewal is under way
    enrolled_us BIGINT NOT NULL,                    -- when it joined
    seen_us BIGINT NOT NULL,                        -- last report, by the controller's clock
    boot_id TEXT,                                   -- of the agent's machine at the last report
    desired_revision BIGINT NOT NULL,               -- grows with every change to what this host should do
    allocation_revision BIGINT NOT NULL,            -- compared and set by whoever changes its allocations
    feed BIGINT NOT NULL,                           -- from counter 'host_feed': the scheduler reads rows above the last it saw
    event_seq BIGINT NOT NULL                       -- highest journal sequence number taken from its agent
);
CREATE UNIQUE INDEX host_name ON host (name);
CREATE INDEX host_by_feed ON host (feed);
CREATE INDEX host_by_certificate ON host (certificate);

CREATE TABLE host_token (
    token_hash TEXT PRIMARY KEY,                    -- SHA-256 of the one-time token's secret, hex
    name TEXT NOT NULL,                             -- the host's name when it joins
    zone TEXT NOT NULL,                             -- its availability zone
    created_us BIGINT NOT NULL,                     -- when it was issued
    expires_us BIGINT NOT NULL,                     -- after which it is refused
    used_us BIGINT,                                 -- when it was used, once
    host_id TEXT                                    -- by whom
);

CREATE TABLE server (
    id TEXT PRIMARY KEY,                            -- time-ordered UUID
    project_id TEXT NOT NULL,                       -- owner
    user_id TEXT NOT NULL,                          -- who made it
    name TEXT NOT NULL,                             -- display name
    hostname TEXT NOT NULL,                         -- the guest's
    description TEXT,                               -- NULL unless given
    flavor_id TEXT NOT NULL,                        -- the flavor's public id when it was made
    flavor_name TEXT NOT NULL,                      -- a snapshot of the flavor from here on
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    root_gib BIGINT NOT NULL,                       -- GiB
    ephemeral_gib BIGINT NOT NULL,                  -- GiB
    swap_mib BIGINT NOT NULL,                       -- MiB
    flavor_extra TEXT NOT NULL,                     -- JSON object of the flavor's extra specs
    image_id TEXT,                                  -- the image it boots from
    key_name TEXT,                                  -- keypair's name
    key_public TEXT,                                -- its public key, as it was
    user_data TEXT,                                 -- base64, as given
    config_drive BIGINT NOT NULL,                   -- the tenant asked for one (it is always there)
    zone TEXT,                                      -- availability zone asked for
    group_id TEXT,                                  -- server group
    hints TEXT NOT NULL,                            -- JSON object of scheduler hints
    metadata TEXT NOT NULL,                         -- JSON object of text
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    security_groups TEXT NOT NULL,                  -- JSON array of names
    addresses TEXT NOT NULL,                        -- JSON object as the API shows it; rewritten whenever its ports change
    access_ipv4 TEXT NOT NULL,                      -- '' unless set
    access_ipv6 TEXT NOT NULL,                      -- '' unless set
    disk_config TEXT NOT NULL,                      -- "MANUAL" or "AUTO"
    reservation_id TEXT NOT NULL,                   -- "r-..." of the request that made it
    launch_index BIGINT NOT NULL,                   -- its place among the servers of that request
    desired_exists BIGINT NOT NULL,                 -- 0 once it is to be deleted
    desired_power TEXT NOT NULL,                    -- server_power_name
    desired_revision BIGINT NOT NULL,               -- its host's desired_revision at the last change that the agent must see
    host_id TEXT,                                   -- where it is placed
    placement TEXT NOT NULL,                        -- server_placement_name
    observed_state TEXT NOT NULL,                   -- server_state_name
    observed_revision BIGINT NOT NULL,              -- the desired_revision that the host has carried out
    operation TEXT,                                 -- the running agent operation: "reboot-soft", "reboot-hard" or NULL
    operation_id TEXT,                              -- its row
    deadline_us BIGINT,                             -- the transition must have ended by then; NULL when at rest
    fault_code BIGINT,                              -- HTTP-like code of the fault, NULL for none
    fault_message TEXT,                             -- a sentence
    fault_details TEXT,                             -- for administrators
    fault_us BIGINT,                                -- when
    locked BIGINT NOT NULL,                         -- 0, 1 by its owner, 2 by an administrator
    locked_reason TEXT,                             -- as given
    created_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL,                     -- last change that a client can see
    launched_us BIGINT,                             -- first time its host reported it running
    revision BIGINT NOT NULL                        -- row version, compared and set
);
CREATE INDEX server_by_project ON server (project_id, created_us, id);
CREATE INDEX server_by_created ON server (created_us, id);
CREATE INDEX server_by_host ON server (host_id, desired_revision);
CREATE INDEX server_by_deadline ON server (deadline_us) WHERE deadline_us IS NOT NULL;
CREATE INDEX server_by_group ON server (group_id) WHERE group_id IS NOT NULL;

-- Deleted servers leave the hot table for this one in the same transaction. The body is what a client or a bill may still ask for.
CREATE TABLE server_history (
    id TEXT PRIMARY KEY,                            -- the server's
    project_id TEXT NOT NULL,                       -- owner when it was deleted
    user_id TEXT NOT NULL,                          -- who made it
    name TEXT NOT NULL,                             -- display name
    hostname TEXT NOT NULL,                         -- the guest's
    flavor_id TEXT NOT NULL,                        -- snapshot
    flavor_name TEXT NOT NULL,                      -- snapshot
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    root_gib BIGINT NOT NULL,                       -- GiB
    ephemeral_gib BIGINT NOT NULL,                  -- GiB
    image_id TEXT,                                  -- booted from
    host_id TEXT,                                   -- last host
    zone TEXT,                                      -- zone asked for
    metadata TEXT NOT NULL,                         -- JSON object
    tags TEXT NOT NULL,                             -- JSON array
    created_us BIGINT NOT NULL,                     -- asked for
    launched_us BIGINT,                             -- first running
    deleted_us BIGINT NOT NULL                      -- gone, by its host's clock where it had one
);
CREATE INDEX server_history_by_project ON server_history (project_id, deleted_us, id);
CREATE INDEX server_history_by_deleted ON server_history (deleted_us, id);

-- Servers that wait for a host, in order.
CREATE TABLE placement_queue (
    server_id TEXT PRIMARY KEY,                     -- waits
    created_us BIGINT NOT NULL,                     -- since
    attempts BIGINT NOT NULL                        -- commits that lost a race
);
CREATE INDEX placement_queue_by_created ON placement_queue (created_us, server_id);

-- What a server holds of a host. Written with the host's used_* and allocation_revision in one transaction.
CREATE TABLE allocation (
    server_id TEXT PRIMARY KEY,                     -- consumer
    host_id TEXT NOT NULL,                          -- provider
    project_id TEXT NOT NULL,                       -- owner
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    disk_gib BIGINT NOT NULL,                       -- GiB
    created_us BIGINT NOT NULL                      -- when
);
CREATE INDEX allocation_by_host ON allocation (host_id);

CREATE TABLE server_group (
    id TEXT PRIMARY KEY,                            -- UUID
    project_id TEXT NOT NULL,                       -- owner
    user_id TEXT NOT NULL,                          -- maker
    name TEXT NOT NULL,                             -- as given
    policy TEXT NOT NULL,                           -- affinity, anti-affinity, soft-affinity, soft-anti-affinity
    max_per_host BIGINT NOT NULL,                   -- for anti-affinity, at least 1
    created_us BIGINT NOT NULL                      -- when
);
CREATE INDEX server_group_by_project ON server_group (project_id, created_us, id);

CREATE TABLE aggregate (
    id BIGINT PRIMARY KEY,                          -- from counter 'aggregate'
    uuid TEXT NOT NULL,                             -- UUID
    name TEXT NOT NULL,                             -- unique
    zone TEXT,                                      -- availability zone that its hosts are in
    metadata TEXT NOT NULL,                         -- JSON object of text
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT                               -- last change
);
CREATE UNIQUE INDEX aggregate_name ON aggregate (name);
CREATE TABLE aggregate_host (
    aggregate_id BIGINT NOT NULL,                   -- aggregate
    host_id TEXT NOT NULL,                          -- member
    PRIMARY KEY (aggregate_id, host_id)
);

-- Every action on a server: what os-instance-actions shows, and the operations that agents carry out.
CREATE TABLE operation (
    id TEXT PRIMARY KEY,                            -- UUID
    server_id TEXT NOT NULL,                        -- of a hot or deleted server
    project_id TEXT NOT NULL,                       -- the caller's project
    user_id TEXT NOT NULL,                          -- the caller
    request_id TEXT NOT NULL,                       -- req-...
    action TEXT NOT NULL,                           -- create, start, stop, reboot, delete ...
    state TEXT NOT NULL,                            -- running, done, failed
    message TEXT,                                   -- why it failed
    started_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL,                     -- last change
    finished_us BIGINT                              -- when it ended
);
CREATE INDEX operation_by_server ON operation (server_id, started_us);
CREATE INDEX operation_by_request ON operation (request_id);

-- State changes as agents journalled them, with the host's own clock. Metering reads them in the order of id.
CREATE TABLE lifecycle_event (
    id BIGINT PRIMARY KEY,                          -- from counter 'lifecycle_event': ordered as commits are
    host_id TEXT NOT NULL,                          -- who reports; '' for the controller itself
    host_seq BIGINT NOT NULL,                       -- the agent's journal number; a repeat is dropped
    server_id TEXT NOT NULL,                        -- about
    project_id TEXT NOT NULL,                       -- owner at that time
    state TEXT NOT NULL,                            -- server_state_name
    flavor_name TEXT NOT NULL,                      -- of the server at that time
    vcpus BIGINT NOT NULL,                          -- likewise
    memory_mib BIGINT NOT NULL,                     -- likewise
    disk_gib BIGINT NOT NULL,                       -- root + ephemeral
    at_us BIGINT NOT NULL,                          -- when it happened, by the host's clock
    received_us BIGINT NOT NULL                     -- when it was written here
);
CREATE UNIQUE INDEX lifecycle_event_once ON lifecycle_event (host_id, host_seq, server_id);
CREATE INDEX lifecycle_event_by_server ON lifecycle_event (server_id, id);

-- A question to an agent (console log, diagnostics), answered within seconds or forgotten.
CREATE TABLE agent_query (
    id TEXT PRIMARY KEY,                            -- UUID
    host_id TEXT NOT NULL,                          -- asked
    server_id TEXT NOT NULL,                        -- about
    kind TEXT NOT NULL,                             -- console_log, diagnostics
    args TEXT NOT NULL,                             -- JSON object
    answer TEXT,                                    -- JSON object, once it is there
    created_us BIGINT NOT NULL,                     -- asked
    expires_us BIGINT NOT NULL                      -- forgotten after
);
CREATE INDEX agent_query_by_host ON agent_query (host_id) WHERE answer IS NULL;
CREATE INDEX agent_query_by_expiry ON agent_query (expires_us);

-- What a project's servers hold, changed in the transaction that makes or removes one, so that a quota costs one row. /metrics proves it against the sum.
CREATE TABLE project_usage (
    project_id TEXT PRIMARY KEY,                    -- whose
    instances BIGINT NOT NULL,                      -- servers that are not in history
    cores BIGINT NOT NULL,                          -- their vcpus
    ram BIGINT NOT NULL                             -- their MiB
);

-- Limits that differ from the built-in defaults.
CREATE TABLE quota_limit (
    project_id TEXT NOT NULL,                       -- whose; '' for all projects without their own
    name TEXT NOT NULL,                             -- quota_name
    value BIGINT NOT NULL,                          -- -1 for none
    PRIMARY KEY (project_id, name)
);
