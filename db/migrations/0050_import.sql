-- Servers whose machine ran on the host before it was theirs (virga import host). The server's id is the machine's UUID. The row goes
-- when the server does.
CREATE TABLE imported_server (
    server_id TEXT PRIMARY KEY,                     -- the server
    machine TEXT NOT NULL,                          -- what the hypervisor calls it
    released BIGINT NOT NULL,                       -- it is being given back: the machine goes on, the server ends
    imported_us BIGINT NOT NULL                     -- when
);
