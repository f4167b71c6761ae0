-- Servers whose first disk is made of another server's, until they have run.
CREATE TABLE server_clone (
    server_id TEXT PRIMARY KEY,                     -- the clone
    source_id TEXT NOT NULL                         -- of this server
);
