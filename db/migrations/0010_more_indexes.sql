-- Lists and checks that had to look at every row.
CREATE INDEX host_by_zone ON host (zone);
CREATE INDEX server_group_by_created ON server_group (created_us, id);
DROP INDEX project_by_parent;
CREATE INDEX project_by_parent ON project (parent_id, id);
