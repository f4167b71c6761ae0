-- What the database layer itself keeps. Times are microseconds since 1970 UTC.

-- Numbers that grow in the order of commits: whoever takes one holds its row until the transaction ends.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,                          -- what is numbered: "host_feed", "lifecycle_event", ...
    value BIGINT NOT NULL                           -- the last number given out
);

-- Who does a job that only one may do at a time. A released lease keeps its row, so that its epoch never goes back.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,                          -- the job: "scheduler:<cell>", "metering:<shard>", ...
    holder TEXT NOT NULL,                           -- who does it, a name that no restart repeats; '' while nobody does
    epoch BIGINT NOT NULL,                          -- grows with every change of holder; writes of a former holder are known by it
    until_us BIGINT NOT NULL                        -- free to be taken over from then on, unless renewed
);
