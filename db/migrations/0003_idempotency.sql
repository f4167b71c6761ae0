-- Answers to requests with an Idempotency-Key, kept for a day, so that a repeated request gets the first answer again.

CREATE TABLE idempotency (
    id TEXT PRIMARY KEY,           -- SHA-256 of key, project, user, method and path, hex; the key itself is stored nowhere
    request TEXT NOT NULL,         -- SHA-256 of query and body, hex: the same key with another request is refused
    created_us BIGINT NOT NULL,    -- when the first request was carried out
    answer TEXT                    -- status, headers and body, encrypted under a secret made from the key (base64); NULL within the first one's transaction
);
CREATE INDEX idempotency_by_age ON idempotency (created_us);
