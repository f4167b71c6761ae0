"""Resident memory and processor time of the agent with 50 real domains of QEMU, after it has listed and sampled them all."""
import time

from cloud import Cloud, cpu_seconds, proportional_kib, resident_kib, wait_until
from real import RealHost, sleeper_image
from report import Row


def overcommit(cloud):
    """Room for so many processors of guests that do nothing."""
    with cloud.sql() as db:
        feed = db.execute("UPDATE counter SET value = value + 1 WHERE name = 'host_feed' RETURNING value").fetchone()[0]
        db.execute("UPDATE host SET ratio_vcpus = 64000, ratio_disk = 16000, feed = ?", (feed,))


def measure(context):
    count = context.pick(50, 5)
    with Cloud(context.build) as cloud:
        cloud.unlimited()
        cloud.flavor = cloud.make_flavor(ram=16)
        with RealHost(cloud, ("reserved_memory = 0",)) as host:
            cloud.image = host.add_image("sleeper", sleeper_image(), "raw")
            network = host.add_network()
            overcommit(cloud)
            idle = resident_kib(host.agent.pid) / 1024
            context.say(f"{count} domains")
            cloud.make_servers(count, network)
            wait_until(600, f"{count} servers", lambda: not cloud.building(), 0.5)

            def sampled():
                with cloud.sql() as db:
                    return db.execute("SELECT COUNT(DISTINCT subject_no) FROM counter_stream").fetchone()[0]

            wait_until(60, f"counters of {count} servers", lambda: sampled() == count, 0.5)
            begin, used, rest = time.monotonic(), cpu_seconds(host.agent.pid), context.pick(30, 10)
            time.sleep(rest)  # some more rounds of samples and listings
            share = (cpu_seconds(host.agent.pid) - used) / (time.monotonic() - begin) * 100 * 100 / count
            with cloud.sql() as db:
                there = db.execute("SELECT COUNT(*) FROM server WHERE observed_state = 'running'").fetchone()[0]
            if there != count:
                raise RuntimeError(f"of {count} servers {there} run")
            loaded, shared = resident_kib(host.agent.pid) / 1024, proportional_kib(host.agent.pid) / 1024
    return [Row(f"agent resident memory, {count} domains", loaded, "MB", 30, least=False,
                reference=f"without any {idle:.1f}; proportional (PSS) {shared:.1f}"),
            Row("agent's processor time at rest, for 100 domains of QEMU", share, "% of a core", 1, least=False,
                reference=f"{count} of them, over {rest} s")]
