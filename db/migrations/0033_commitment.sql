-- What accounts have bound themselves to pay for, used or not. Those that an invoice has billed stay as they are.

CREATE TABLE billing_commitment (
    id TEXT PRIMARY KEY,                            -- UUID
    account_id TEXT NOT NULL,                       -- who pays
    label TEXT NOT NULL,                            -- shown on lines
    resource TEXT NOT NULL,                         -- meter_resource.name, of kind time
    project_id TEXT NOT NULL,                       -- whose use it pays for, '' for any of the account's projects
    flavor TEXT NOT NULL,                           -- of which servers, '' for any; may end with '*'
    units BIGINT NOT NULL,                          -- held at a time, base units of the resource
    nano BIGINT NOT NULL,                           -- price of a unit and hour, nano-units of the book's currency
    from_us BIGINT NOT NULL,                        -- begin of its term
    to_us BIGINT NOT NULL,                          -- its end, excluded
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE INDEX billing_commitment_by_account ON billing_commitment (account_id, created_us, id);
