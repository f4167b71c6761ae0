-- What a host reaches, and what its agent says that it has. Lists are names with commas between.
ALTER TABLE host ADD COLUMN reach_networks TEXT;    -- an operator's word: physical networks and networks' ids; '*': all; NULL: the agent's word
ALTER TABLE host ADD COLUMN reach_storage TEXT;     -- likewise: names of storage
ALTER TABLE host ADD COLUMN told_networks TEXT;     -- the agent's word; NULL: all
ALTER TABLE host ADD COLUMN told_storage TEXT;      -- likewise
ALTER TABLE host_resource ADD COLUMN told BIGINT NOT NULL DEFAULT 0; -- the total is the agent's word, and follows it
