-- What operators do to whole hosts. Times are microseconds since 1970 UTC.

-- Everything is to leave a host: the scheduler moves its servers off, a few at a time.
CREATE TABLE host_drain (
    host_id TEXT PRIMARY KEY,                       -- which
    state TEXT NOT NULL,                            -- running; done: it is empty; stuck: what is left cannot be moved now; cancelled
    parallel BIGINT NOT NULL,                       -- migrations at a time
    user_id TEXT NOT NULL,                          -- who asked; '' for the operator's command
    project_id TEXT NOT NULL,                       -- likewise
    first_migration BIGINT NOT NULL,                -- migrations of this drain have higher numbers
    started_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL                      -- last change
);

ALTER TABLE host ADD COLUMN fenced_us BIGINT NOT NULL DEFAULT 0; -- somebody proved that it was off then; 0: nobody. Void once it is heard later
ALTER TABLE host ADD COLUMN fenced_by TEXT;         -- who proved it
