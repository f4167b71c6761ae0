-- Images and who may see them. The bytes lie in the image folder under the image's id; a row is `active` only when they are there.

CREATE TABLE image (
    id TEXT PRIMARY KEY,                            -- UUID, also the file's name
    project_id TEXT,                                -- owner; NULL for none
    name TEXT,                                      -- NULL unless given
    status TEXT NOT NULL,                           -- queued, saving, active, deactivated
    visibility TEXT NOT NULL,                       -- private, shared, community, public
    disk_format TEXT,                               -- raw, qcow2 ...; NULL until it is said
    container_format TEXT,                          -- bare ...; NULL until it is said
    size_bytes BIGINT,                              -- of the file; NULL before the upload
    virtual_size_bytes BIGINT,                      -- of the disk in it; NULL when unknown
    checksum TEXT,                                  -- MD5 in hex, as old clients want it
    hash_algo TEXT,                                 -- "sha512"
    hash_value TEXT,                                -- hex
    min_disk_gib BIGINT NOT NULL,                   -- a server needs at least this root disk
    min_ram_mib BIGINT NOT NULL,                    -- and this memory
    protected BIGINT NOT NULL,                      -- may not be deleted
    hidden BIGINT NOT NULL,                         -- left out of lists unless asked for
    properties TEXT NOT NULL,                       -- JSON object of text: everything that is not a column
    tags TEXT NOT NULL,                             -- JSON array of text
    created_us BIGINT NOT NULL,                     -- asked for
    updated_us BIGINT NOT NULL,                     -- last change that a client can see
    revision BIGINT NOT NULL                        -- row version, compared and set
);
CREATE INDEX image_by_project ON image (project_id, created_us, id);
CREATE INDEX image_by_visibility ON image (visibility, created_us, id);
CREATE INDEX image_by_created ON image (created_us, id);

-- With whom a shared image is shared.
CREATE TABLE image_member (
    image_id TEXT NOT NULL,                         -- shared image
    project_id TEXT NOT NULL,                       -- who may use it
    status TEXT NOT NULL,                           -- pending, accepted, rejected
    created_us BIGINT NOT NULL,                     -- when it was shared
    updated_us BIGINT NOT NULL,                     -- last change
    PRIMARY KEY (image_id, project_id)
);
CREATE INDEX image_member_by_project ON image_member (project_id, image_id);
