-- What guests' processors can be on a host, as its agent says, and baselines: what the hosts of a pool have in common.
CREATE TABLE host_cpu (
    host_id TEXT PRIMARY KEY,                       -- the host; one whose agent tells nothing of processors has no row
    kind TEXT NOT NULL,                             -- architecture and domain type, "x86_64 kvm": only hosts of one kind have something in common
    mode TEXT NOT NULL,                             -- the agent's cpu_mode; with another than auto it takes no baseline
    model TEXT NOT NULL,                            -- for people
    description TEXT NOT NULL,                      -- in the words of its hypervisor, which alone reads it
    features TEXT NOT NULL,                         -- JSON array: all that its guests can have
    baseline_id BIGINT NOT NULL                     -- the baseline that its guests get, as it said last; 0: none
);
CREATE TABLE cpu_baseline (
    id BIGINT PRIMARY KEY,                          -- another one each time that it is made
    aggregate_id BIGINT NOT NULL,                   -- whose hosts it is for; 0: all hosts that no other baseline is for
    kind TEXT NOT NULL,                             -- as in host_cpu
    model TEXT NOT NULL,                            -- as in host_cpu
    description TEXT NOT NULL,                      -- as in host_cpu
    features TEXT NOT NULL,                         -- JSON array: all that it has
    hosts TEXT NOT NULL,                            -- JSON array: names of the hosts that it was made of
    made_us BIGINT NOT NULL,                        -- when
    UNIQUE (aggregate_id, kind)
);
