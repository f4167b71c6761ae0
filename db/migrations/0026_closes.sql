-- Periods that somebody asked to be closed, corrections of what was closed, and what hosts cost their operator.

CREATE TABLE billing_close (
    id TEXT PRIMARY KEY,                            -- UUID, in the order of time
    month TEXT NOT NULL,                            -- "2026-10", in each payer's time zone
    account_id TEXT NOT NULL,                       -- only this payer, '' for all
    asked_by TEXT NOT NULL,                         -- user id
    asked_us BIGINT NOT NULL,                       -- when
    state TEXT NOT NULL,                            -- waiting, done, failed
    message TEXT NOT NULL,                          -- why it failed or still waits
    invoices BIGINT NOT NULL,                       -- made
    lines BIGINT NOT NULL,                          -- on them
    there BIGINT NOT NULL,                          -- payers who had theirs already
    early BIGINT NOT NULL,                          -- payers whose month is not over
    ended_us BIGINT NOT NULL                        -- when it was done or had failed, 0 before
);
CREATE INDEX billing_close_waiting ON billing_close (id) WHERE state = 'waiting';

-- What an invoice had wrong is put right on the account's next one.
CREATE TABLE billing_correction (
    id TEXT PRIMARY KEY,                            -- UUID, in the order of time
    account_id TEXT NOT NULL,                       -- who pays, or is paid
    about BIGINT NOT NULL,                          -- invoice.number that it corrects
    amount_nano BIGINT NOT NULL,                    -- before tax; below 0: in favour of the account
    reason TEXT NOT NULL,                           -- a sentence, shown on the invoice
    created_by TEXT NOT NULL,                       -- user id
    created_us BIGINT NOT NULL,                     -- when
    invoice BIGINT                                  -- invoice.number that it was put on, NULL before
);
CREATE INDEX billing_correction_by_account ON billing_correction (account_id, id);

-- The most particular one counts: of the host, of its zone, of its hypervisor, of all.
CREATE TABLE host_cost (
    kind TEXT NOT NULL,                             -- host, zone, hypervisor, all
    name TEXT NOT NULL,                             -- which; '' for all
    from_us BIGINT NOT NULL,                        -- holds until the next one of that kind and name
    nano_per_hour BIGINT NOT NULL,                  -- of the books' currency, while the host belongs to the cloud
    set_us BIGINT NOT NULL,                         -- when somebody said so
    PRIMARY KEY (kind, name, from_us)
);
