-- How full the pool was, an hour a row, so that its trend can be told. Times are microseconds since 1970 UTC.
CREATE TABLE capacity_past (
    hour_us BIGINT PRIMARY KEY,                     -- begin of the hour
    hosts BIGINT NOT NULL,                          -- enabled hosts that were heard, or asleep, at the last look
    vcpus BIGINT NOT NULL,                          -- their capacity then, with overcommit and without what is reserved
    memory_mib BIGINT NOT NULL,                     -- likewise
    disk_gib BIGINT NOT NULL,                       -- likewise
    used_vcpus BIGINT NOT NULL,                     -- the most that was allocated of it at a look in that hour
    used_memory_mib BIGINT NOT NULL,                -- likewise
    used_disk_gib BIGINT NOT NULL                   -- likewise
);
