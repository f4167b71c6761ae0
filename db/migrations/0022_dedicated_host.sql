-- A host that serves one project alone.
ALTER TABLE host ADD COLUMN dedicated_project_id TEXT;  -- only its servers come here; NULL: everybody's
CREATE INDEX host_by_dedication ON host (dedicated_project_id, name) WHERE dedicated_project_id IS NOT NULL;
