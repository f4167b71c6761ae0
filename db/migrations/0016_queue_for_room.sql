-- Servers that asked to wait for room stay in the queue when nothing fits, parked until capacity comes or their time is over.
ALTER TABLE placement_queue ADD COLUMN until_us BIGINT;     -- waits for room until then; NULL: refused at once
ALTER TABLE placement_queue ADD COLUMN parked_us BIGINT;    -- when it was last refused; NULL: to be looked at now
ALTER TABLE placement_queue ADD COLUMN reason TEXT;         -- why it was refused
CREATE INDEX placement_queue_open ON placement_queue (created_us, server_id) WHERE parked_us IS NULL;
CREATE INDEX placement_queue_parked ON placement_queue (until_us, server_id) WHERE parked_us IS NOT NULL;
