-- Hosts that left the pool: what they cost and what was sold of them stays known.
CREATE TABLE host_past (
    id TEXT NOT NULL,                               -- host.id
    name TEXT NOT NULL,                             -- as it was called last
    zone TEXT NOT NULL,                             -- as it was last
    hypervisor TEXT NOT NULL,                       -- likewise
    vcpus BIGINT NOT NULL,                          -- likewise
    reserved_vcpus BIGINT NOT NULL,                 -- likewise
    ratio_vcpus BIGINT NOT NULL,                    -- likewise, permille
    enrolled_us BIGINT NOT NULL,                    -- when it came
    gone_us BIGINT NOT NULL,                        -- when it left
    PRIMARY KEY (id, gone_us)
);
