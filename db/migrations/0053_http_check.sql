-- Members of elastic groups are asked by HTTP how they are: by the agent of their host.
ALTER TABLE elastic_group ADD COLUMN http_check TEXT;       -- JSON object: port, path, interval_s, timeout_s, failures, status_from, status_to; NULL: none
ALTER TABLE elastic_member ADD COLUMN check_state TEXT;     -- passing, failing, unknown (it cannot be asked); NULL: not told
ALTER TABLE elastic_member ADD COLUMN check_message TEXT;   -- why it is not passing
ALTER TABLE elastic_member ADD COLUMN check_us BIGINT NOT NULL DEFAULT 0; -- when that was told
