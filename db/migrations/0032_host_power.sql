-- Switching hosts off and on by scripts, and what became of it. Times are microseconds since 1970 UTC.

-- By which script a host is switched off, on and asked.
CREATE TABLE host_power (
    host_id TEXT PRIMARY KEY,                       -- whose; '' for every host without a row of its own
    script TEXT NOT NULL,                           -- a name in the scheduler's folder of scripts, or an absolute path
    address TEXT NOT NULL,                          -- of its management controller, with %h for the host's name; '' for the host's own
    username TEXT NOT NULL,                         -- for the controller; '' for none
    secret TEXT,                                    -- its password, sealed under the master key; NULL for none
    updated_us BIGINT NOT NULL                      -- last change
);

-- What is being done by the script, or was done last.
CREATE TABLE host_power_job (
    host_id TEXT PRIMARY KEY,                       -- to whom
    wish TEXT NOT NULL,                             -- off, on, status
    reason TEXT NOT NULL,                           -- fence: it is silent and has servers; sleep: it is empty; wake: its room is needed; asked: by an operator
    state TEXT NOT NULL,                            -- waiting, running, done, failed (an operator must look), cancelled, lied (off was said of a host that went on)
    attempts BIGINT NOT NULL,                       -- begun so far
    message TEXT,                                   -- what the last attempt came to
    boot_id TEXT,                                   -- of the host before it was switched off
    asked_us BIGINT NOT NULL,                       -- since when it is wished
    next_us BIGINT NOT NULL,                        -- not before then
    updated_us BIGINT NOT NULL                      -- last change
);

ALTER TABLE host ADD COLUMN asleep_us BIGINT NOT NULL DEFAULT 0; -- when it was switched off because it was empty; 0: it is not
ALTER TABLE host_drain ADD COLUMN while_off BIGINT NOT NULL DEFAULT 0; -- 1: began by itself when the host was proved off, and ends when it is heard again
