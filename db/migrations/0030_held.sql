-- What else can be priced: kinds of images apart, volumes, and the resource classes that flavors ask for.

INSERT INTO meter_resource (name, source, kind, unit, scale, about) VALUES
    ('snapshot_gib', 'image', 'time', 'GiB*h', 1048576, 'Stored data of images of servers; rows count KiB'),
    ('backup_gib', 'image', 'time', 'GiB*h', 1048576, 'Stored data of rotating backups of servers; rows count KiB'),
    ('volume_gib', 'volume', 'time', 'GiB*h', 1, 'Size of a volume')
    ON CONFLICT (name) DO NOTHING;
INSERT INTO meter_resource (name, source, kind, unit, scale, about)
    SELECT DISTINCT substr(name, 11), 'server', 'time', substr(name, 11) || '*h', 1, 'A resource class that servers hold'
    FROM flavor_extra_spec WHERE name LIKE 'resources:CUSTOM%'
    ON CONFLICT (name) DO NOTHING;
