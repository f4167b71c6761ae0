-- What hosts really do, and what is moved because of it. Times are microseconds since 1970 UTC.

-- What the servers of a host use, smoothed: a row per host, rewritten with its samples.
CREATE TABLE host_load (
    host_id TEXT PRIMARY KEY,                       -- whose servers
    body TEXT NOT NULL,                             -- a line per server: id, time of the last sample, its processor nanoseconds, milli-processors in use (-1: not known yet), MiB in use
    updated_us BIGINT NOT NULL                      -- last samples, by the controller's clock
);

-- A plan of moves, and how far it is.
CREATE TABLE rebalance (
    id BIGINT PRIMARY KEY,                          -- from counter 'rebalance'
    goal TEXT NOT NULL,                             -- relieve, consolidate
    state TEXT NOT NULL,                            -- asked, planned, applying, done, cancelled
    automatic BIGINT NOT NULL,                      -- the scheduler made it by itself
    user_id TEXT NOT NULL,                          -- who asked; '' for the operator's command and the scheduler
    project_id TEXT NOT NULL,                       -- likewise
    emptied BIGINT NOT NULL,                        -- hosts that it empties
    message TEXT,                                   -- what it comes to, a sentence; NULL until it is planned
    created_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL                      -- last change
);
CREATE TABLE rebalance_move (
    rebalance_id BIGINT NOT NULL,                   -- whose
    number BIGINT NOT NULL,                         -- order, from 1
    server_id TEXT NOT NULL,                        -- who moves
    source_host TEXT NOT NULL,                      -- host id
    target_host TEXT NOT NULL,                      -- host id
    before_permille BIGINT NOT NULL,                -- load of the source before the move
    after_permille BIGINT NOT NULL,                 -- and after it; 0 where the plan empties it
    target_permille BIGINT NOT NULL,                -- load of the target after the move
    state TEXT NOT NULL,                            -- planned, moving, moved, failed, left (it was not as planned any more)
    migration_id BIGINT,                            -- once it moves
    message TEXT,                                   -- why it failed or was left
    updated_us BIGINT NOT NULL,                     -- last change
    PRIMARY KEY (rebalance_id, number)
);
CREATE INDEX rebalance_move_by_server ON rebalance_move (server_id, updated_us);
