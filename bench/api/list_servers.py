"""GET /servers/detail, a page of 1,000, with 0 and with 1,000,000 deleted servers in history."""
import time

from cloud import Cloud
from load import run_load
from report import Row, median

DELETED = """
INSERT INTO server_history (id, project_id, user_id, name, hostname, flavor_id, flavor_name, vcpus, memory_mib, root_gib, ephemeral_gib,
                            image_id, host_id, zone, metadata, tags, created_us, launched_us, deleted_us)
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
SELECT printf('01900000-%04x-7%03x-8%03x-%012x', n % 65536, n % 4096, n % 4093, n), project_id, user_id, name, hostname, flavor_id,
       flavor_name, vcpus, memory_mib, root_gib, ephemeral_gib, image_id, host_id, zone, metadata, tags, created_us - n * 1000000,
       created_us - n * 1000000 + 500000, created_us - n * 500000
FROM number, (SELECT * FROM server LIMIT 1)
"""


def page(context, cloud):
    """Median over runs of the median latency of one client, in ms."""
    values = []
    for _ in range(context.pick(5, 2)):
        result = run_load(context.build, cloud.port, path="/compute/v2.1/servers/detail?limit=1000", headers=cloud.load_headers(), connections=1,
                          seconds=context.pick(2, 1))
        values.append(result["p50_us"] / 1000)
    return median(values), result["bytes"] / result["good"]


def measure(context):
    deleted = context.pick(1_000_000, 50_000)
    with Cloud(context.build) as cloud:
        cloud.prepare_servers()
        cloud.start_fake_hosts(10)
        cloud.make_servers(2000)
        while cloud.building():
            time.sleep(0.05)
        context.say("empty history")
        before, size = page(context, cloud)
        context.say(f"making {deleted:,} deleted servers")
        with cloud.sql() as db:
            db.execute(DELETED, (deleted,))
        db.close()
        time.sleep(1)
        context.say(f"{deleted:,} in history")
        after, _ = page(context, cloud)
        context.say("empty history again, by time: both once more")
    return [Row("GET /servers/detail, page of 1,000, no history", before, "ms p50", 8, least=False, reference=f"{size / 1e6:.2f} MB of JSON"),
            Row(f"the same with {deleted:,} deleted servers", after, "ms p50", 8, least=False),
            Row("difference", abs(after / before - 1) * 100, "%", 10, least=False)]
