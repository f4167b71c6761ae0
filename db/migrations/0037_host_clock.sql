-- Hosts whose clock differs from the controller's, as their reports say.

CREATE TABLE host_clock (
    host_id TEXT PRIMARY KEY,                       -- whose
    off_us BIGINT NOT NULL,                         -- by how much it was ahead when it reported last; below 0: behind
    since_us BIGINT NOT NULL                        -- when it was seen to be wrong first
);
