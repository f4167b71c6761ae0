-- What servers have consumed: the hypervisor's counters as last seen, and totals that survive its restarts.

CREATE TABLE sample (
    server_id TEXT NOT NULL,                        -- whose
    counter TEXT NOT NULL,                          -- cpu_ns, disk_read_bytes, ...: store_sample_counter_name
    host_id TEXT NOT NULL,                          -- whose counter was last seen
    last BIGINT NOT NULL,                           -- the counter then; a lower one, or another host, starts again from 0
    total BIGINT NOT NULL,                          -- sum of all increases ever seen; for memory_rss_kib the last value
    at_us BIGINT NOT NULL,                          -- of the last sample, by the host's clock
    PRIMARY KEY (server_id, counter)
);
