-- Price books, billing accounts, invoices. Amounts are nano-units of the currency (1,000,000,000 are 1 EUR). What is closed never changes.

CREATE TABLE price_book (
    name TEXT NOT NULL,                             -- accounts name the book that holds for them
    version BIGINT NOT NULL,                        -- 1, 2, ... in the order in which they came
    from_us BIGINT NOT NULL,                        -- takes effect; holds until the next one of that name
    currency TEXT NOT NULL,                         -- ISO 4217
    body TEXT NOT NULL,                             -- JSON object: prices, discounts, as docs/billing.md tells
    digest TEXT NOT NULL,                           -- SHA-256 of currency and body, hex
    loaded_us BIGINT NOT NULL,                      -- when it came
    PRIMARY KEY (name, version),
    UNIQUE (name, from_us)
);

CREATE TABLE billing_account (
    id TEXT PRIMARY KEY,                            -- chosen by who makes it, or a UUID
    name TEXT NOT NULL,                             -- who pays
    address TEXT NOT NULL,                          -- lines of text for the invoice's head
    book TEXT NOT NULL,                             -- price_book.name
    timezone TEXT NOT NULL,                         -- of its months: an IANA name
    tax_ppm BIGINT NOT NULL,                        -- millionths added to the net amount
    created_us BIGINT NOT NULL                      -- when it was made
);

-- A project pays by the account that it belongs to when the period is closed; without one, by an account of its own id.
CREATE TABLE billing_member (
    project_id TEXT PRIMARY KEY,                    -- who uses
    account_id TEXT NOT NULL                        -- who pays
);
CREATE INDEX billing_member_by_account ON billing_member (account_id);

-- Credit that is given, for a trial or as amends; invoices use it up.
CREATE TABLE billing_credit (
    id TEXT PRIMARY KEY,                            -- UUID
    account_id TEXT NOT NULL,                       -- whose
    amount_nano BIGINT NOT NULL,                    -- given
    used_nano BIGINT NOT NULL,                      -- by invoices so far
    until_us BIGINT NOT NULL,                       -- periods that end later do not use it
    reason TEXT NOT NULL,                           -- a sentence, shown on invoices
    created_us BIGINT NOT NULL                      -- when it was given
);
CREATE INDEX billing_credit_by_account ON billing_credit (account_id, created_us, id);

CREATE TABLE invoice (
    number BIGINT PRIMARY KEY,                      -- from counter 'invoice': without gaps
    kind TEXT NOT NULL,                             -- invoice or credit_note
    account_id TEXT NOT NULL,                       -- who pays
    book TEXT NOT NULL,                             -- price_book.name that it was made with
    from_us BIGINT NOT NULL,                        -- the period; of a credit note that of the invoice it is about
    to_us BIGINT NOT NULL,                          -- and its end, excluded
    currency TEXT NOT NULL,                         -- ISO 4217
    payable_nano BIGINT NOT NULL,                   -- the sum of its lines
    position BIGINT NOT NULL,                       -- number of counter 'lifecycle_event' up to which the ledger was known
    generation BIGINT NOT NULL,                     -- of amounts, likewise
    inputs TEXT NOT NULL,                           -- JSON object: all that the body is made from besides ledger and price books
    body TEXT NOT NULL,                             -- JSON object, the invoice itself
    digest TEXT NOT NULL,                           -- SHA-256 of body, hex
    about BIGINT,                                   -- a credit note's invoice
    issued_us BIGINT NOT NULL                       -- when
);
CREATE INDEX invoice_by_account ON invoice (account_id, number);
CREATE INDEX invoice_by_period ON invoice (to_us, number);
