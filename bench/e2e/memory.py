"""Resident memory of api + scheduler + metering, idle and after 10,000 servers."""
import time

from cloud import Cloud, proportional_kib, resident_kib
from report import Row

DAEMONS = ("api", "scheduler", "metering")


def resident(cloud):
    """Sum in MB, and in words: each one's, and the proportional sum, in which shared pages count once."""
    each = {name: resident_kib(cloud.pid(name)) / 1024 for name in DAEMONS}
    shared = sum(proportional_kib(cloud.pid(name)) for name in DAEMONS) / 1024
    return sum(each.values()), ", ".join(f"{name} {value:.1f}" for name, value in each.items()) + f"; proportional (PSS) {shared:.1f}"


def measure(context):
    hosts, count = context.pick(100, 20), context.pick(10000, 1000)
    with Cloud(context.build) as cloud:
        time.sleep(2)
        idle, idle_words = resident(cloud)
        cloud.prepare_servers()
        cloud.start_fake_hosts(hosts)
        context.say(f"{count:,} servers on {hosts} hosts")
        cloud.make_servers(count)
        while cloud.building():
            time.sleep(0.05)
        for _ in range(20):
            cloud.good("GET", "/compute/v2.1/servers/detail?limit=1000")
        loaded, words = resident(cloud)
    return [Row("resident memory, idle", idle, "MB", 40, least=False, reference=idle_words),
            Row(f"resident memory after {count:,} servers", loaded, "MB", 120, least=False, reference=words)]
