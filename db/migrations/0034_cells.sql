-- NUMA cells: what hosts have, and what of them servers hold. Both as common/model/numa.h words them.
ALTER TABLE host ADD COLUMN topology TEXT NOT NULL DEFAULT '{}';    -- JSON object as its agent reports it: cells with processors, cores, memory, huge pages
ALTER TABLE allocation ADD COLUMN topology TEXT;    -- JSON object: cells, pins, page size; NULL: the consumer asked for none of it
CREATE INDEX allocation_with_cells ON allocation (host_id) WHERE topology IS NOT NULL;
