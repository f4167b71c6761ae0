-- Images that hosts make of their servers: a row from asked for until the image is there or given up. The host's task has the image's id.
CREATE TABLE server_image (
    image_id TEXT PRIMARY KEY,                      -- image that is made: queued or saving as long as this row is there
    server_id TEXT NOT NULL,                        -- of which
    operation_id TEXT NOT NULL,                     -- its row in operation; the server's operation_id as long as it is wanted
    host_id TEXT NOT NULL,                          -- who makes it
    backup_type TEXT,                               -- of a backup that rotates; NULL: none
    rotation BIGINT NOT NULL,                       -- how many backups of that type are kept
    deadline_us BIGINT NOT NULL                     -- given up when its host has said nothing until then
);
CREATE INDEX server_image_by_server ON server_image (server_id);
CREATE INDEX server_image_by_deadline ON server_image (deadline_us);
