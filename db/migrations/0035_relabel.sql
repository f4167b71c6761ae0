-- Networks and security groups that have another name, which not all servers on them show yet. A server's row has the
-- names in it (addresses, security_groups); it follows in batches, so that a name that many share does not hold up the
-- others' writes.
CREATE TABLE relabel (
    kind TEXT NOT NULL,                             -- network, group
    subject_id TEXT NOT NULL,                       -- which
    after_port TEXT NOT NULL,                       -- the servers of its ports up to this one show the name; '' at first
    PRIMARY KEY (kind, subject_id)
);
