-- Counters of servers: batches as hosts send them, taken over by the meter into what each server used in each hour.

DROP TABLE sample;
ALTER TABLE lifecycle_event ADD COLUMN place TEXT NOT NULL DEFAULT ''; -- the host that the server is on, also where the controller itself reports

-- Accepted, not yet taken over. A repeat of a batch has its key.
CREATE TABLE counter_batch (
    host_id TEXT NOT NULL,                          -- whose servers
    newest_us BIGINT NOT NULL,                      -- time of its newest sample, by the host's clock
    received_us BIGINT NOT NULL,                    -- by the controller's clock
    body BLOB NOT NULL,                             -- samples as db/store_counter.c packs them
    PRIMARY KEY (host_id, newest_us)
);

-- The hypervisor's cumulative counters as last taken over, of a server on one host. -1: never sampled.
CREATE TABLE counter_stream (
    subject_no BIGINT NOT NULL,                     -- the server
    host_no BIGINT NOT NULL,                        -- where it was counted
    at_us BIGINT NOT NULL,                          -- of the last sample: one that is not newer changes nothing
    cpu_ns BIGINT NOT NULL,                         -- processor time
    disk_read_bytes BIGINT NOT NULL,                -- read from disks
    disk_write_bytes BIGINT NOT NULL,               -- written to disks
    disk_read_ops BIGINT NOT NULL,                  -- read requests
    disk_write_ops BIGINT NOT NULL,                 -- write requests
    net_in_bytes BIGINT NOT NULL,                   -- received
    net_out_bytes BIGINT NOT NULL,                  -- sent
    PRIMARY KEY (subject_no, host_no)
) WITHOUT ROWID;

-- What a server used in an hour: increases of its counters.
CREATE TABLE usage_counter (
    project_no BIGINT NOT NULL,                     -- who pays
    hour_us BIGINT NOT NULL,                        -- begin of the hour in which the sample was taken
    generation BIGINT NOT NULL,                     -- number of the period close before which it was known
    subject_no BIGINT NOT NULL,                     -- the server
    shape_no BIGINT NOT NULL,                       -- how it looked then
    host_no BIGINT NOT NULL,                        -- where it was counted
    cpu_ns BIGINT NOT NULL,                         -- processor time
    disk_read_bytes BIGINT NOT NULL,                -- read from disks
    disk_write_bytes BIGINT NOT NULL,               -- written to disks
    disk_read_ops BIGINT NOT NULL,                  -- read requests
    disk_write_ops BIGINT NOT NULL,                 -- write requests
    net_in_bytes BIGINT NOT NULL,                   -- received
    net_out_bytes BIGINT NOT NULL,                  -- sent
    PRIMARY KEY (project_no, hour_us, generation, subject_no, shape_no, host_no)
) WITHOUT ROWID;
