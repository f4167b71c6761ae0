-- The ledger of servers as one list tells what else a server held: what is there splits intervals too.

DROP VIEW usage_interval;
CREATE VIEW usage_interval AS
    SELECT s.text AS server_id, u.begin_event, p.text AS project_id, h.text AS host_id, f.state, f.flavor_name, f.vcpus, f.memory_mib,
           f.disk_gib, u.begin_us, u.end_us, u.end_event, f.zone, f.tags, f.extra
    FROM (SELECT project_no, subject_no, shape_no, host_no, begin_us, begin_event, end_us, end_event FROM usage_closed
          UNION ALL
          SELECT project_no, subject_no, shape_no, host_no, begin_us, begin_event, 9223372036854775807, NULL FROM usage_open) u
    JOIN usage_name s ON s.no = u.subject_no JOIN usage_name p ON p.no = u.project_no JOIN usage_name h ON h.no = u.host_no
    JOIN usage_shape f ON f.no = u.shape_no
    WHERE s.kind = 'server';
