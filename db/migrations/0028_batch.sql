-- Servers of one request wait as one batch until at least so many of them were placed together.
ALTER TABLE placement_queue ADD COLUMN batch_id TEXT;       -- the first server's id; NULL: it waits alone
ALTER TABLE placement_queue ADD COLUMN batch_least BIGINT;  -- fewer than that are not placed at all
CREATE INDEX placement_queue_by_batch ON placement_queue (batch_id) WHERE batch_id IS NOT NULL;
