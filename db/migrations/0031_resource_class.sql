-- Resources beside processors, memory and disk: what operators say that hosts have, and what servers hold of it.

CREATE TABLE resource_class (
    name TEXT PRIMARY KEY,                          -- "CUSTOM_GPU"
    created_us BIGINT NOT NULL                      -- when it was first named
);

CREATE TABLE host_resource (
    host_id TEXT NOT NULL,                          -- whose
    name TEXT NOT NULL,                             -- resource_class.name
    total BIGINT NOT NULL,                          -- there are so many
    reserved BIGINT NOT NULL,                       -- kept from servers
    ratio_permille BIGINT NOT NULL,                 -- overcommit in permille
    used BIGINT NOT NULL,                           -- sum over this host's allocations, changed in the same transaction
    PRIMARY KEY (host_id, name)
);
CREATE INDEX host_resource_by_name ON host_resource (name);

ALTER TABLE allocation ADD COLUMN resources TEXT;   -- JSON object of amounts by resource_class.name; NULL: none

ALTER TABLE host ADD COLUMN own_traits TEXT NOT NULL DEFAULT '[]';      -- JSON array: what an operator says; `traits` is both
ALTER TABLE host ADD COLUMN reported_traits TEXT NOT NULL DEFAULT '[]'; -- JSON array: what its agent says
ALTER TABLE host ADD COLUMN kept_vcpus BIGINT;      -- reserved by an operator's word; NULL: by the agent's
ALTER TABLE host ADD COLUMN kept_memory_mib BIGINT; -- likewise
ALTER TABLE host ADD COLUMN kept_disk_gib BIGINT;   -- likewise
UPDATE host SET reported_traits = traits;
