-- Budgets: an amount a month for a project or an account, and what happened when it was reached.

CREATE TABLE budget (
    id TEXT PRIMARY KEY,                            -- chosen by who makes it
    account_id TEXT NOT NULL,                       -- the account it is about, '' for one project
    project_id TEXT NOT NULL,                       -- the project it is about, '' for a whole account
    amount_nano BIGINT NOT NULL,                    -- for a month, nano-units of the currency, before tax and credit
    thresholds TEXT NOT NULL,                       -- JSON array of text: percentages of the amount
    webhook TEXT NOT NULL,                          -- URL that is told of crossings, '' for none
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE INDEX budget_by_account ON budget (account_id, id);
CREATE INDEX budget_by_project ON budget (project_id, id);

-- A threshold that was reached, once per month; told to the webhook until it says that it knows.
CREATE TABLE budget_crossing (
    budget_id TEXT NOT NULL,                        -- whose
    month TEXT NOT NULL,                            -- "2026-10", in UTC
    threshold TEXT NOT NULL,                        -- as the budget names it
    spent_nano BIGINT NOT NULL,                     -- when it was seen
    crossed_us BIGINT NOT NULL,                     -- when
    attempts BIGINT NOT NULL,                       -- to tell the webhook
    due_us BIGINT,                                  -- next attempt; NULL: told, or nobody to tell
    PRIMARY KEY (budget_id, month, threshold)
);
CREATE INDEX budget_crossing_due ON budget_crossing (due_us) WHERE due_us IS NOT NULL;
