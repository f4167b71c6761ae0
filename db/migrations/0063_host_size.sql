-- How large hosts were at each time, and where slots of reservations were free: what the ledger is compared with.

CREATE TABLE host_size (
    host_id TEXT NOT NULL,                          -- host.id, also of one that left
    since_us BIGINT NOT NULL,                       -- it was so from then until its next row
    vcpus BIGINT NOT NULL,                          -- as host.vcpus
    reserved_vcpus BIGINT NOT NULL,                 -- as host.reserved_vcpus
    ratio_vcpus BIGINT NOT NULL,                    -- as host.ratio_vcpus
    PRIMARY KEY (host_id, since_us)
);
INSERT INTO host_size SELECT id, enrolled_us, vcpus, reserved_vcpus, ratio_vcpus FROM host;
INSERT INTO host_size SELECT id, enrolled_us, vcpus, reserved_vcpus, ratio_vcpus FROM host_past p
    WHERE gone_us = (SELECT max(gone_us) FROM host_past q WHERE q.id = p.id AND q.enrolled_us = p.enrolled_us)
    ON CONFLICT (host_id, since_us) DO NOTHING;

CREATE TABLE reservation_past (
    slot_id TEXT NOT NULL,                          -- reservation_slot.id
    reservation_id TEXT NOT NULL,                   -- of which
    host_id TEXT NOT NULL,                          -- where
    vcpus BIGINT NOT NULL,                          -- of the slot
    from_us BIGINT NOT NULL,                        -- free from then
    until_us BIGINT NOT NULL,                       -- until then; 9223372036854775807: it is
    PRIMARY KEY (slot_id, from_us)
);
CREATE INDEX reservation_past_by_reservation ON reservation_past (reservation_id, until_us);
CREATE INDEX reservation_past_by_host ON reservation_past (host_id, until_us);
INSERT INTO reservation_past SELECT t.id, t.reservation_id, t.host_id, r.vcpus, a.created_us, 9223372036854775807
    FROM reservation_slot t JOIN reservation r ON r.id = t.reservation_id JOIN allocation a ON a.server_id = t.id
    WHERE t.server_id IS NULL;
