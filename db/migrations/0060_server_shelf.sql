-- Shelved servers, and those on their way to the shelf or back: what the server was is an image then. Times are microseconds since 1970 UTC.
CREATE TABLE server_shelf (
    server_id TEXT PRIMARY KEY,                     -- the server
    image_id TEXT NOT NULL,                         -- its disk; goes when the server is back, or deleted
    task_id TEXT,                                   -- of its host, that it is to remove it: id in host_task; NULL: none
    offload_after_s BIGINT NOT NULL,                -- seconds that it stays on its host once it is shelved; -1: until somebody asks
    offload_us BIGINT                               -- when it leaves its host; NULL: not shelved yet, or never by itself
);
CREATE INDEX server_shelf_by_task ON server_shelf (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX server_shelf_by_offload ON server_shelf (offload_us) WHERE offload_us IS NOT NULL;
