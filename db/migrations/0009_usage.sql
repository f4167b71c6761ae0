-- Metering: what servers used, from their lifecycle. Times are microseconds since 1970 UTC.

CREATE TABLE usage_interval (
    server_id TEXT NOT NULL,                        -- whose
    begin_event BIGINT NOT NULL,                    -- lifecycle_event.id that opened it
    project_id TEXT NOT NULL,                       -- who pays
    host_id TEXT NOT NULL,                          -- where it was
    state TEXT NOT NULL,                            -- server_state_name during the interval
    flavor_name TEXT NOT NULL,                      -- during the interval
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    disk_gib BIGINT NOT NULL,                       -- GiB
    begin_us BIGINT NOT NULL,                       -- half-open: it includes this instant
    end_us BIGINT NOT NULL,                         -- and excludes this one; 9223372036854775807 while it runs
    end_event BIGINT,                               -- lifecycle_event.id that closed it
    PRIMARY KEY (server_id, begin_event)
);
CREATE INDEX usage_interval_by_project ON usage_interval (project_id, end_us, begin_us);
CREATE INDEX usage_interval_by_end ON usage_interval (end_us, begin_us);

-- How far a consumer of lifecycle events has come.
CREATE TABLE meter_cursor (
    name TEXT PRIMARY KEY,                          -- the consumer
    position BIGINT NOT NULL,                       -- lifecycle_event.id it has taken over
    updated_us BIGINT NOT NULL,                     -- when
    clamped BIGINT NOT NULL                         -- events whose time ran backwards and was set to the interval's begin
);

-- Price books as they were loaded; never changed, only followed by newer ones.
CREATE TABLE price_book (
    from_us BIGINT PRIMARY KEY,                     -- takes effect
    currency TEXT NOT NULL,                         -- ISO 4217
    prices TEXT NOT NULL,                           -- JSON array: resource, states, flavor, nano_per_hour
    digest TEXT NOT NULL,                           -- SHA-256 of currency and prices, hex
    loaded_us BIGINT NOT NULL                       -- when
);
