-- Flavors, who may use private ones, and users' keypairs. Servers carry a snapshot of both, so that changes and deletions do not touch them.

CREATE TABLE flavor (
    id TEXT PRIMARY KEY,                            -- the public id, chosen by its maker or a UUID
    name TEXT NOT NULL,                             -- unique
    description TEXT,                               -- NULL unless given
    vcpus BIGINT NOT NULL,                          -- count
    memory_mib BIGINT NOT NULL,                     -- MiB
    root_gib BIGINT NOT NULL,                       -- GiB; 0: as large as the image
    ephemeral_gib BIGINT NOT NULL,                  -- GiB
    swap_mib BIGINT NOT NULL,                       -- MiB
    rxtx_permille BIGINT NOT NULL,                  -- rxtx_factor * 1000
    is_public BIGINT NOT NULL,                      -- every project may use it
    disabled BIGINT NOT NULL,                       -- shown, but not for new servers
    created_us BIGINT NOT NULL                      -- when
);
CREATE UNIQUE INDEX flavor_name ON flavor (name);
CREATE INDEX flavor_by_created ON flavor (created_us, id);

CREATE TABLE flavor_extra_spec (
    flavor_id TEXT NOT NULL,                        -- flavor
    name TEXT NOT NULL,                             -- "hw:cpu_policy" ...
    value TEXT NOT NULL,                            -- as given
    PRIMARY KEY (flavor_id, name)
);

CREATE TABLE flavor_access (
    flavor_id TEXT NOT NULL,                        -- private flavor
    project_id TEXT NOT NULL,                       -- who may use it
    PRIMARY KEY (flavor_id, project_id)
);
CREATE INDEX flavor_access_by_project ON flavor_access (project_id, flavor_id);

CREATE TABLE keypair (
    user_id TEXT NOT NULL,                          -- owner
    name TEXT NOT NULL,                             -- unique for its owner
    type TEXT NOT NULL,                             -- ssh or x509
    public_key TEXT NOT NULL,                       -- as given
    fingerprint TEXT NOT NULL,                      -- MD5 with colons for ssh, SHA-1 for x509, as Nova's
    created_us BIGINT NOT NULL,                     -- when
    PRIMARY KEY (user_id, name)
);
