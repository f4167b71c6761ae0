-- The usage ledger. It is a function of lifecycle_event: whoever doubts it reads the events again from the first. Times are microseconds since
-- 1970 UTC. Words that repeat (projects, hosts, servers) are numbered once in usage_name, what a unit of usage looked like once in usage_shape,
-- so that a row of the ledger is a few dozen bytes.

DROP TABLE usage_interval;
DROP TABLE price_book;
DELETE FROM meter_cursor;

ALTER TABLE lifecycle_event ADD COLUMN zone TEXT NOT NULL DEFAULT '';   -- the host's availability zone at that time
ALTER TABLE lifecycle_event ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'; -- the server's, JSON array of text, sorted
ALTER TABLE lifecycle_event ADD COLUMN extra TEXT NOT NULL DEFAULT '{}'; -- custom resources it holds: JSON object, name to whole number

-- What can be metered. Services register what they sell; a price names a resource.
CREATE TABLE meter_resource (
    name TEXT PRIMARY KEY,                          -- as price books name it
    source TEXT NOT NULL,                           -- what kind of thing uses it: server, image, address, ...
    kind TEXT NOT NULL,                             -- time (units held, by time), counter (an amount that grows), event (something happened)
    unit TEXT NOT NULL,                             -- what people read and prices are for: "GiB*h", "vcpu*h", "GB"
    scale BIGINT NOT NULL,                          -- base units (those of the rows) in one unit, apart from the hour
    about TEXT NOT NULL                             -- a sentence
);
INSERT INTO meter_resource (name, source, kind, unit, scale, about) VALUES
    ('server', 'server', 'time', 'server*h', 1, 'A server that exists, whatever its size'),
    ('vcpu', 'server', 'time', 'vcpu*h', 1, 'Virtual processors of a server'),
    ('memory_mib', 'server', 'time', 'MiB*h', 1, 'Memory of a server'),
    ('disk_gib', 'server', 'time', 'GiB*h', 1, 'Root and ephemeral disk of a server'),
    ('image_gib', 'image', 'time', 'GiB*h', 1048576, 'Stored image data; rows count KiB'),
    ('address', 'address', 'time', 'address*h', 1, 'An address held'),
    ('cpu_seconds', 'server', 'counter', 's', 1000000000, 'Processor time used; rows count nanoseconds'),
    ('disk_read_gb', 'server', 'counter', 'GB', 1000000000, 'Read from disks; rows count bytes'),
    ('disk_write_gb', 'server', 'counter', 'GB', 1000000000, 'Written to disks; rows count bytes'),
    ('disk_read_requests', 'server', 'counter', 'request', 1, 'Read requests to disks'),
    ('disk_write_requests', 'server', 'counter', 'request', 1, 'Write requests to disks'),
    ('net_in_gb', 'server', 'counter', 'GB', 1000000000, 'Received from networks; rows count bytes'),
    ('net_out_gb', 'server', 'counter', 'GB', 1000000000, 'Sent to networks; rows count bytes');

CREATE TABLE usage_name (
    no BIGINT PRIMARY KEY,                          -- from counter 'usage_name'
    kind TEXT NOT NULL,                             -- project, host, or the source of a thing: server, image, address, ...
    text TEXT NOT NULL,                             -- its id
    UNIQUE (kind, text)
);

CREATE TABLE usage_shape (
    no BIGINT PRIMARY KEY,                          -- from counter 'usage_shape'
    source TEXT NOT NULL,                           -- meter_resource.source
    state TEXT NOT NULL,                            -- server_state_name; 'held' for things without states
    flavor_name TEXT NOT NULL,                      -- '' without
    zone TEXT NOT NULL,                             -- availability zone, '' without
    region TEXT NOT NULL,                           -- where this cloud is
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    disk_gib BIGINT NOT NULL,                       -- GiB
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    extra TEXT NOT NULL,                            -- JSON object: other resources, name to base units
    UNIQUE (source, state, flavor_name, zone, region, vcpus, memory_mib, disk_gib, tags, extra)
);

-- The interval that runs now, one per thing that is used.
CREATE TABLE usage_open (
    subject_no BIGINT PRIMARY KEY,                  -- usage_name.no of the thing
    project_no BIGINT NOT NULL,                     -- who pays
    host_no BIGINT NOT NULL,                        -- where it is
    shape_no BIGINT NOT NULL,                       -- what it is
    begin_us BIGINT NOT NULL,                       -- since
    begin_event BIGINT NOT NULL,                    -- lifecycle_event.id (or number of the same counter) that opened it
    run_us BIGINT NOT NULL                          -- since when project, flavor and state are the same: what minimum charges count from
);
CREATE INDEX usage_open_by_project ON usage_open (project_no);
