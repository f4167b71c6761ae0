-- Servers on their way between hosts. Times are microseconds since 1970 UTC. While a migration is open its target holds an allocation whose
-- allocation.server_id is the migration's uuid; the switch exchanges it with the server's own, so that then the source's room is held by it.

CREATE TABLE migration (
    id BIGINT PRIMARY KEY,                          -- from counter 'migration': Nova's number
    uuid TEXT NOT NULL,                             -- UUID; consumer of the other host's allocation
    server_id TEXT NOT NULL,                        -- of a hot or deleted server
    operation_id TEXT NOT NULL,                     -- its row in operation
    project_id TEXT NOT NULL,                       -- the caller's
    user_id TEXT NOT NULL,                          -- the caller
    kind TEXT NOT NULL,                             -- migration_kind_name
    step TEXT NOT NULL,                             -- migration_step_name
    outcome TEXT NOT NULL,                          -- migration_outcome_name
    request TEXT NOT NULL,                          -- migration_request_name
    source_host TEXT NOT NULL,                      -- host id
    target_host TEXT,                               -- host id, once it is placed
    wanted_host TEXT,                               -- host id that an administrator asked for
    drain_host TEXT,                                -- host id whose drain made it
    power TEXT NOT NULL,                            -- server_power_name: what the tenant wanted when it began
    old_flavor TEXT NOT NULL,                       -- JSON object: id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, extra
    new_flavor TEXT NOT NULL,                       -- likewise; the same unless it is a resize
    options TEXT NOT NULL,                          -- JSON object for the hosts: bandwidth_mibps, auto_converge, post_copy, force_complete
    progress TEXT NOT NULL,                         -- JSON object as the source last said it: memory_total_bytes ...
    message TEXT,                                   -- why it failed, or what went wrong on the way
    created_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL,                     -- last step
    deadline_us BIGINT,                             -- of the step; NULL for none
    ended BIGINT NOT NULL                           -- 1 at step done
);
CREATE UNIQUE INDEX migration_uuid ON migration (uuid);
CREATE INDEX migration_by_server ON migration (server_id, id);
CREATE INDEX migration_open ON migration (id) WHERE ended = 0;
CREATE INDEX migration_by_drain ON migration (drain_host) WHERE drain_host IS NOT NULL;

-- What a host is asked to do once for a server. The row goes when the migration takes its next step.
CREATE TABLE host_task (
    id TEXT PRIMARY KEY,                            -- UUID
    migration_id BIGINT NOT NULL,                   -- whose
    host_id TEXT NOT NULL,                          -- who does it
    server_id TEXT NOT NULL,                        -- about
    kind TEXT NOT NULL,                             -- release, serve, receive, ready, send, arrive, discard
    args TEXT NOT NULL,                             -- JSON object
    revision BIGINT NOT NULL,                       -- the host's desired_revision when it was last changed
    state TEXT NOT NULL,                            -- open, cancelled (the host is to give it up), done, failed
    result TEXT,                                    -- JSON object that came with done
    message TEXT                                    -- why it failed
);
CREATE INDEX host_task_by_host ON host_task (host_id, revision);
CREATE INDEX host_task_by_migration ON host_task (migration_id);
