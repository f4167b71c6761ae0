-- A dead host's servers go on where their disks can be reached.
ALTER TABLE host ADD COLUMN storage TEXT;               -- name of the storage with the servers' disks; NULL: not known
CREATE INDEX host_storage ON host (storage);            -- who shares it
