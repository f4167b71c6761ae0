-- A question to whoever leads placement (would this fit, and where), answered within seconds or forgotten. Nothing that it asks about is kept.
CREATE TABLE placement_question (
    id TEXT PRIMARY KEY,                            -- UUID
    request TEXT NOT NULL,                          -- JSON object: what a waiting server would ask of a host
    answer TEXT,                                    -- JSON object, once it is there
    created_us BIGINT NOT NULL,                     -- asked
    expires_us BIGINT NOT NULL                      -- forgotten after
);
CREATE INDEX placement_question_open ON placement_question (created_us, id) WHERE answer IS NULL;
CREATE INDEX placement_question_by_expiry ON placement_question (expires_us);
