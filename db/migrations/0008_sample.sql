-- What servers have consumed: the hypervisor's counters as last seen, and totals that survive its restarts. -1: never sampled.

CREATE TABLE sample (
    server_id TEXT PRIMARY KEY,                     -- whose
    host_id TEXT NOT NULL,                          -- whose counters were last seen
    at_us BIGINT NOT NULL,                          -- of the last sample, by the host's clock
    last_cpu_ns BIGINT NOT NULL,                    -- the counter then
    last_disk_read_bytes BIGINT NOT NULL,           -- the counter then
    last_disk_write_bytes BIGINT NOT NULL,          -- the counter then
    last_disk_read_ops BIGINT NOT NULL,             -- the counter then
    last_disk_write_ops BIGINT NOT NULL,            -- the counter then
    last_net_in_bytes BIGINT NOT NULL,              -- the counter then
    last_net_out_bytes BIGINT NOT NULL,             -- the counter then
    cpu_ns BIGINT NOT NULL,                         -- total: CPU time
    disk_read_bytes BIGINT NOT NULL,                -- total: read from disks
    disk_write_bytes BIGINT NOT NULL,               -- total: written to disks
    disk_read_ops BIGINT NOT NULL,                  -- total: read requests
    disk_write_ops BIGINT NOT NULL,                 -- total: write requests
    net_in_bytes BIGINT NOT NULL,                   -- total: received
    net_out_bytes BIGINT NOT NULL,                  -- total: sent
    memory_rss_kib BIGINT NOT NULL                  -- in use then
);
