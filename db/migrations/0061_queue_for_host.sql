-- A waiting server may be bound to one host: somebody has named it.
ALTER TABLE placement_queue ADD COLUMN host_id TEXT;        -- only there; NULL: anywhere
