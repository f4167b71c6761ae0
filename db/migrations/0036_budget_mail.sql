-- Budgets that tell people by mail, and budgets that stop new servers.

ALTER TABLE budget ADD COLUMN email TEXT NOT NULL DEFAULT '';       -- addresses separated by commas that are told of crossings
ALTER TABLE budget ADD COLUMN hard BIGINT NOT NULL DEFAULT 0;       -- 1: no new servers while the month has spent the amount
ALTER TABLE budget ADD COLUMN spent_nano BIGINT NOT NULL DEFAULT 0; -- of a hard one, when the meter looked last
ALTER TABLE budget ADD COLUMN spent_month TEXT NOT NULL DEFAULT ''; -- in that month, "2026-10" in UTC

-- A mail that is to be sent, until a mail server has taken it.
CREATE TABLE budget_mail (
    budget_id TEXT NOT NULL,                        -- whose crossing
    month TEXT NOT NULL,                            -- in that month
    threshold TEXT NOT NULL,                        -- of that threshold
    attempts BIGINT NOT NULL,                       -- to send it
    due_us BIGINT,                                  -- next attempt; NULL: it was taken
    PRIMARY KEY (budget_id, month, threshold)
);
CREATE INDEX budget_mail_due ON budget_mail (due_us) WHERE due_us IS NOT NULL;
