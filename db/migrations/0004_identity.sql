-- Who may do what: domains, projects, users, roles, what services exist, and the keys that sign tokens. Times are microseconds since 1970 UTC;
-- flags are 0 or 1; JSON columns hold compact JSON text. Ids are 32 hex digits unless said otherwise.

CREATE TABLE token_key (
    id BIGINT PRIMARY KEY,                          -- travels inside tokens; the next key has the next number
    secret TEXT NOT NULL,                           -- nonce and secret box under the master key, base64
    created_us BIGINT NOT NULL,                     -- when it was made
    active_us BIGINT NOT NULL                       -- signs from then on, so that every replica has read it before
);

-- Tokens that are void before their time. Read by every replica into memory in the order of seq.
CREATE TABLE token_revocation (
    seq BIGINT PRIMARY KEY,                         -- from counter 'token_revocation': ordered as commits are
    kind TEXT NOT NULL,                             -- revocation_kind_name: audit, user, project, domain, grant, application-credential
    subject TEXT NOT NULL,                          -- the audit id or the id of the user, project, domain, application credential
    target TEXT NOT NULL,                           -- grant: "project/<id>", "domain/<id>" or "system"; else ''
    before_us BIGINT NOT NULL,                      -- tokens issued up to and including then are void
    expires_us BIGINT NOT NULL                      -- no such token can be alive any more: the row is purged
);
CREATE INDEX token_revocation_by_expiry ON token_revocation (expires_us);

-- Projects and domains: as in Keystone a domain is a project that acts as one.
CREATE TABLE project (
    id TEXT PRIMARY KEY,                            -- or 'default', the domain that is always there
    domain_id TEXT NOT NULL,                        -- '' for a domain
    parent_id TEXT,                                 -- a project, or its domain at the top of the tree; NULL for a domain
    is_domain BIGINT NOT NULL,                      -- acts as a domain
    name TEXT NOT NULL,                             -- unique in its domain; domains: unique among domains
    description TEXT NOT NULL,                      -- '' unless given
    enabled BIGINT NOT NULL,                        -- nobody logs in to a disabled one
    tags TEXT NOT NULL,                             -- JSON array of text, sorted
    options TEXT NOT NULL,                          -- JSON object
    extra TEXT NOT NULL,                            -- JSON object of whatever else was given
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE UNIQUE INDEX project_name ON project (domain_id, name);
CREATE INDEX project_by_parent ON project (parent_id);
CREATE INDEX project_by_name ON project (name);

CREATE TABLE user_account (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    domain_id TEXT NOT NULL,                        -- owner
    name TEXT NOT NULL,                             -- unique in its domain
    enabled BIGINT NOT NULL,                        -- may log in
    default_project_id TEXT,                        -- scope of a login that names none; need not exist
    password_hash TEXT,                             -- Argon2id in its own text form; NULL: no password, no login by one
    password_changed_us BIGINT,                     -- when it was last set
    password_expires_us BIGINT,                     -- after which it must be changed; NULL: never
    options TEXT NOT NULL,                          -- JSON object
    extra TEXT NOT NULL,                            -- JSON object of whatever else was given: description, email ...
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE UNIQUE INDEX user_account_name ON user_account (domain_id, name);
CREATE INDEX user_account_by_name ON user_account (name);

CREATE TABLE user_group (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    domain_id TEXT NOT NULL,                        -- owner
    name TEXT NOT NULL,                             -- unique in its domain
    description TEXT NOT NULL,                      -- '' unless given
    extra TEXT NOT NULL,                            -- JSON object
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE UNIQUE INDEX user_group_name ON user_group (domain_id, name);
CREATE INDEX user_group_by_name ON user_group (name);

CREATE TABLE group_member (
    group_id TEXT NOT NULL,                         -- group
    user_id TEXT NOT NULL,                          -- member
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_member_by_user ON group_member (user_id);

CREATE TABLE role (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    name TEXT NOT NULL,                             -- unique in its domain; "admin", "member", "reader" carry the permissions
    domain_id TEXT NOT NULL,                        -- '' for one that every domain may use
    description TEXT,                               -- NULL unless given
    options TEXT NOT NULL,                          -- JSON object
    extra TEXT NOT NULL,                            -- JSON object
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE UNIQUE INDEX role_name ON role (domain_id, name);

CREATE TABLE role_implied (
    prior_id TEXT NOT NULL,                         -- who has this role
    implied_id TEXT NOT NULL,                       -- has this one too
    PRIMARY KEY (prior_id, implied_id)
);

CREATE TABLE role_assignment (
    actor_kind TEXT NOT NULL,                       -- "user" or "group"
    actor_id TEXT NOT NULL,                         -- who
    target_kind TEXT NOT NULL,                      -- "project", "domain" or "system"
    target_id TEXT NOT NULL,                        -- on what; 'all' for the system
    role_id TEXT NOT NULL,                          -- has which role
    inherited BIGINT NOT NULL,                      -- 1: on the projects below the target instead of the target itself
    PRIMARY KEY (actor_kind, actor_id, target_kind, target_id, role_id, inherited)
);
CREATE INDEX role_assignment_by_target ON role_assignment (target_kind, target_id);
CREATE INDEX role_assignment_by_role ON role_assignment (role_id);

CREATE TABLE region (
    id TEXT PRIMARY KEY,                            -- as given, or 32 hex digits
    description TEXT NOT NULL,                      -- '' unless given
    parent_region_id TEXT,                          -- region above
    extra TEXT NOT NULL                             -- JSON object
);

CREATE TABLE service (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    type TEXT NOT NULL,                             -- "compute", "image" ...
    name TEXT,                                      -- for people
    description TEXT,                               -- NULL unless given
    enabled BIGINT NOT NULL,                        -- shown in the catalog
    extra TEXT NOT NULL                             -- JSON object
);

CREATE TABLE endpoint (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    service_id TEXT NOT NULL,                       -- of what
    region_id TEXT,                                 -- where
    interface TEXT NOT NULL,                        -- public, internal or admin
    url TEXT NOT NULL,                              -- with $(base)s, $(project_id)s, $(user_id)s filled in when it is shown in a catalog
    enabled BIGINT NOT NULL,                        -- shown in the catalog
    name TEXT,                                      -- NULL unless given
    extra TEXT NOT NULL                             -- JSON object
);
CREATE INDEX endpoint_by_service ON endpoint (service_id);

CREATE TABLE application_credential (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    user_id TEXT NOT NULL,                          -- owner, and who one is after logging in with it
    project_id TEXT NOT NULL,                       -- scope of its tokens
    name TEXT NOT NULL,                             -- unique for its user
    secret_hash TEXT NOT NULL,                      -- see api/identity/password.h
    description TEXT,                               -- NULL unless given
    expires_us BIGINT,                              -- NULL: never
    unrestricted BIGINT NOT NULL,                   -- may make further credentials
    created_us BIGINT NOT NULL                      -- when it was made
);
CREATE UNIQUE INDEX application_credential_name ON application_credential (user_id, name);
CREATE INDEX application_credential_by_project ON application_credential (project_id);
CREATE TABLE application_credential_role (
    application_credential_id TEXT NOT NULL,        -- credential
    role_id TEXT NOT NULL,                          -- granted by it as long as its user has it
    PRIMARY KEY (application_credential_id, role_id)
);

CREATE TABLE access_rule (
    id TEXT PRIMARY KEY,                            -- 32 hex digits
    user_id TEXT NOT NULL,                          -- owner
    service TEXT NOT NULL,                          -- type of the service
    method TEXT NOT NULL,                           -- HTTP method
    path TEXT NOT NULL                              -- pattern
);
CREATE UNIQUE INDEX access_rule_once ON access_rule (user_id, service, method, path);
CREATE TABLE application_credential_rule (
    application_credential_id TEXT NOT NULL,        -- credential
    access_rule_id TEXT NOT NULL,                   -- its tokens may do what some rule of it allows, nothing else
    PRIMARY KEY (application_credential_id, access_rule_id)
);
CREATE INDEX application_credential_rule_by_rule ON application_credential_rule (access_rule_id);

CREATE TABLE credential (
    id TEXT PRIMARY KEY,                            -- SHA-256 of the access key for "ec2", else 32 hex digits
    user_id TEXT NOT NULL,                          -- owner
    project_id TEXT,                                -- for what
    type TEXT NOT NULL,                             -- "ec2", "totp", "cert" ...
    blob TEXT NOT NULL,                             -- nonce and secret box under the master key, base64
    extra TEXT NOT NULL                             -- JSON object
);
CREATE INDEX credential_by_user ON credential (user_id);
