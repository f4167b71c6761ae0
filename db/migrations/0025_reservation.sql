-- Room held for a project: slots of one flavor's size on hosts, each an allocation under its own id until a server takes it over.

CREATE TABLE reservation (
    id TEXT PRIMARY KEY,                            -- time-ordered UUID
    project_id TEXT NOT NULL,                       -- for whom
    name TEXT NOT NULL,                             -- as given
    flavor_id TEXT NOT NULL,                        -- servers of this flavor take its slots
    flavor_name TEXT NOT NULL,                      -- a snapshot of the flavor from here on
    flavor_extra TEXT NOT NULL,                     -- JSON object of its extra specs
    vcpus BIGINT NOT NULL,                          -- of a slot
    memory_mib BIGINT NOT NULL,                     -- MiB of a slot
    disk_gib BIGINT NOT NULL,                       -- GiB of a slot
    zone TEXT,                                      -- availability zone; NULL: any
    count BIGINT NOT NULL,                          -- slots
    state TEXT NOT NULL,                            -- pending, held, used, ended
    message TEXT,                                   -- why it is still pending
    from_us BIGINT NOT NULL,                        -- held from then on
    until_us BIGINT NOT NULL,                       -- given back then; 9223372036854775807: until it is used
    next_us BIGINT NOT NULL,                        -- when the scheduler looks at it next; 9223372036854775807: never
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE INDEX reservation_by_project ON reservation (project_id, id);
CREATE INDEX reservation_by_next ON reservation (next_us);

CREATE TABLE reservation_slot (
    id TEXT PRIMARY KEY,                            -- the allocation's server_id while it is free
    reservation_id TEXT NOT NULL,                   -- of which
    host_id TEXT NOT NULL,                          -- where
    server_id TEXT                                  -- who took it over; NULL: free
);
CREATE INDEX reservation_slot_by_reservation ON reservation_slot (reservation_id, id);
