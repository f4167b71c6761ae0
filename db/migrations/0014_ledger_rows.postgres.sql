-- The closed part of the ledger, in the order in which bills read it.

-- Append-only: a row is written once, when its interval ends.
CREATE TABLE usage_closed (
    project_no BIGINT NOT NULL,                     -- who pays
    end_us BIGINT NOT NULL,                         -- half-open: it excludes this instant
    subject_no BIGINT NOT NULL,                     -- what was used
    begin_us BIGINT NOT NULL,                       -- and includes this one
    shape_no BIGINT NOT NULL,                       -- how it looked
    host_no BIGINT NOT NULL,                        -- where it was
    begin_event BIGINT NOT NULL,                    -- that opened it
    end_event BIGINT NOT NULL,                      -- that closed it: what an invoice knew is told by these two
    run_us BIGINT NOT NULL,                         -- begin of the run that ends with this interval; -1 when the run goes on
    PRIMARY KEY (project_no, end_us, subject_no, begin_event)
);
CREATE INDEX usage_closed_by_subject ON usage_closed (subject_no, begin_event);

-- What counters grew by, and events, by the hour.
CREATE TABLE usage_amount (
    project_no BIGINT NOT NULL,                     -- who pays
    hour_us BIGINT NOT NULL,                        -- begin of the hour in which it was used
    generation BIGINT NOT NULL,                     -- number of the period close before which it was known
    subject_no BIGINT NOT NULL,                     -- what used it
    shape_no BIGINT NOT NULL,                       -- how that looked
    host_no BIGINT NOT NULL,                        -- where it was
    resource TEXT NOT NULL,                         -- meter_resource.name, of kind counter or event
    amount BIGINT NOT NULL,                         -- base units
    PRIMARY KEY (project_no, hour_us, generation, subject_no, shape_no, host_no, resource)
);

-- The ledger of servers as one list, for people and checks.
CREATE VIEW usage_interval AS
    SELECT s.text AS server_id, u.begin_event, p.text AS project_id, h.text AS host_id, f.state, f.flavor_name, f.vcpus, f.memory_mib,
           f.disk_gib, u.begin_us, u.end_us, u.end_event, f.zone, f.tags
    FROM (SELECT project_no, subject_no, shape_no, host_no, begin_us, begin_event, end_us, end_event FROM usage_closed
          UNION ALL
          SELECT project_no, subject_no, shape_no, host_no, begin_us, begin_event, 9223372036854775807, NULL FROM usage_open) u
    JOIN usage_name s ON s.no = u.subject_no JOIN usage_name p ON p.no = u.project_no JOIN usage_name h ON h.no = u.host_no
    JOIN usage_shape f ON f.no = u.shape_no
    WHERE s.kind = 'server';
