"""Servers from POST to ACTIVE through API, scheduler and agents of 1,000 hosts that only pretend to have a hypervisor."""
import time

from cloud import Cloud, cpu_seconds, resident_kib
from report import Row

DAEMONS = ("api", "scheduler", "metering")


def measure(context):
    hosts, count = context.pick(1000, 100), context.pick(10000, 1000)
    with Cloud(context.build) as cloud:
        cloud.prepare_servers()
        context.say(f"{hosts:,} hosts join")
        joined = cloud.start_fake_hosts(hosts)
        pids = {name: cloud.pid(name) for name in DAEMONS} | {"agents": cloud.agents[0].pid}
        time.sleep(3)
        used = {name: cpu_seconds(pid) for name, pid in pids.items()}
        context.say(f"{count:,} servers")
        begin = time.monotonic()
        accepted = cloud.make_servers(count)
        while cloud.building():
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        used = {name: (cpu_seconds(pid) - used[name]) / count * 1e6 for name, pid in pids.items()}
        memory = sum(resident_kib(cloud.pid(name)) for name in DAEMONS) / 1024
        with cloud.sql() as db:
            active = db.execute("SELECT COUNT(*) FROM server WHERE placement = 'placed' AND observed_state = 'running'").fetchone()[0]
        if active != count:
            raise RuntimeError(f"only {active} of {count} servers are active")
    cpu = ", ".join(f"{name} {value:.0f}" for name, value in used.items())
    return [Row(f"create to ACTIVE, {count:,} servers on {hosts:,} hosts", count / seconds, "/s", 1000,
                reference=f"accepted at {accepted['per_second']:,.0f}/s; µs of processor time a server: {cpu}",
                note=f"joining took {joined:.0f} s; api + scheduler + metering have {memory:.0f} MB resident then, with {2 * hosts:,} TLS connections")]
