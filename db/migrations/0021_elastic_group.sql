-- Groups of like servers that keep themselves: what is wanted, who is in them, what scales them. Times are microseconds since 1970 UTC.

CREATE TABLE elastic_group (
    id TEXT PRIMARY KEY,                            -- time-ordered UUID
    project_id TEXT NOT NULL,                       -- owner
    user_id TEXT NOT NULL,                          -- who made it; its members are this user's servers
    name TEXT NOT NULL,                             -- members are called <name>-<number>
    template TEXT NOT NULL,                         -- JSON: the body of a server create, of microversion 2.96
    version BIGINT NOT NULL,                        -- of the template, from 1
    previous_template TEXT,                         -- the one before, to roll back to; NULL: none
    minimum BIGINT NOT NULL,                        -- fewest members
    maximum BIGINT NOT NULL,                        -- most members
    desired BIGINT NOT NULL,                        -- members wanted, between the two
    zones TEXT NOT NULL,                            -- JSON array of availability zones to balance over; [] leaves it to the scheduler
    server_group_id TEXT,                           -- the server group that keeps members apart; NULL: none
    cooldown_s BIGINT NOT NULL,                     -- after a policy has scaled it none does for so long
    grace_s BIGINT NOT NULL,                        -- a member that is not healthy so long after it was made is sick
    batch BIGINT NOT NULL,                          -- members that a rolling update may have down at once
    paused BIGINT NOT NULL,                         -- the rolling update stands still
    deleting BIGINT NOT NULL,                       -- it goes when its members are gone
    numbered BIGINT NOT NULL,                       -- the last member's number
    scaled_us BIGINT NOT NULL,                      -- when a policy last changed `desired`
    failures BIGINT NOT NULL,                       -- in a row: members that could not be made or never became healthy
    retry_us BIGINT NOT NULL,                       -- nothing is made before then
    message TEXT,                                   -- what last went wrong; NULL: nothing since
    next_us BIGINT NOT NULL,                        -- when it is looked at next
    created_us BIGINT NOT NULL,                     -- when
    updated_us BIGINT NOT NULL                      -- last change by its tenant or a policy
);
CREATE INDEX elastic_group_by_project ON elastic_group (project_id, id);
CREATE INDEX elastic_group_by_next ON elastic_group (next_us);

CREATE TABLE elastic_member (
    server_id TEXT PRIMARY KEY,                     -- a server, or one that is gone since the last look
    group_id TEXT NOT NULL,                         -- whose
    version BIGINT NOT NULL,                        -- of the template that it was made from
    zone TEXT,                                      -- asked for; NULL: none
    state TEXT NOT NULL,                            -- elastic_health_name
    reason TEXT,                                    -- why it is sick
    created_us BIGINT NOT NULL,                     -- when it was made
    healthy_us BIGINT NOT NULL,                     -- when it first was healthy; 0: not yet
    cpu_ns BIGINT NOT NULL,                         -- its sample's total when CPU was last measured
    cpu_at_us BIGINT NOT NULL,                      -- the time of that sample; 0: none yet
    cpu_permille BIGINT NOT NULL                    -- CPU in use between the last two samples, of all its VCPUs; -1: unknown
);
CREATE INDEX elastic_member_by_group ON elastic_member (group_id, created_us, server_id);

CREATE TABLE elastic_policy (
    id TEXT PRIMARY KEY,                            -- time-ordered UUID
    group_id TEXT NOT NULL,                         -- whose
    kind TEXT NOT NULL,                             -- target, step, schedule, hook
    body TEXT NOT NULL,                             -- JSON object as given
    hook_hash TEXT,                                 -- SHA-256 of a hook's secret, hex; NULL for other kinds
    fired_us BIGINT NOT NULL,                       -- when it last changed the group; 0: never
    created_us BIGINT NOT NULL                      -- when
);
CREATE INDEX elastic_policy_by_group ON elastic_policy (group_id, id);

CREATE TABLE elastic_metric (
    group_id TEXT NOT NULL,                         -- whose
    name TEXT NOT NULL,                             -- "requests" ...
    server_id TEXT NOT NULL,                        -- the member it was measured on; '' for the whole group
    value BIGINT NOT NULL,                          -- thousandths
    at_us BIGINT NOT NULL,                          -- when it was posted
    PRIMARY KEY (group_id, name, server_id)
);

CREATE TABLE elastic_event (
    id TEXT PRIMARY KEY,                            -- time-ordered UUID
    group_id TEXT NOT NULL,                         -- whose
    kind TEXT NOT NULL,                             -- made, replaced, removed, scaled, rolled, failed ...
    message TEXT NOT NULL,                          -- a sentence
    at_us BIGINT NOT NULL                           -- when
);
CREATE INDEX elastic_event_by_group ON elastic_event (group_id, id);
