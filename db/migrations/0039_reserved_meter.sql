-- What reservations hold can be priced, and hooks of elastic groups are not called more often than they may.

INSERT INTO meter_resource (name, source, kind, unit, scale, about) VALUES
    ('reservation', 'reservation', 'time', 'slot*h', 1, 'A slot of a reservation that no server has taken; has the flavor'),
    ('reserved_vcpu', 'reservation', 'time', 'vcpu*h', 1, 'VCPUs of such slots'),
    ('reserved_memory_mib', 'reservation', 'time', 'MiB*h', 1, 'Memory of such slots'),
    ('reserved_disk_gib', 'reservation', 'time', 'GiB*h', 1, 'Disk of such slots')
    ON CONFLICT (name) DO NOTHING;
ALTER TABLE elastic_policy ADD COLUMN hook_busy_us BIGINT NOT NULL DEFAULT 0; -- until when its calls, evenly spread, would take
