-- Spot servers: they go, with notice, when another server needs the room.

CREATE TABLE spot_server (
    server_id TEXT PRIMARY KEY                      -- of a server that may be preempted
);

CREATE TABLE preemption (
    server_id TEXT PRIMARY KEY,                     -- has to go
    host_id TEXT NOT NULL,                          -- from there
    for_server_id TEXT NOT NULL,                    -- for this one, which waits
    noticed_us BIGINT NOT NULL,                     -- since when it is known
    due_us BIGINT NOT NULL,                         -- deleted then, if it is still needed
    told BIGINT NOT NULL                            -- its metadata says so
);
CREATE INDEX preemption_by_due ON preemption (due_us);
CREATE INDEX preemption_by_waiting ON preemption (for_server_id);

ALTER TABLE placement_queue ADD COLUMN preempts BIGINT NOT NULL DEFAULT 0; -- parked until those that go for it are gone
