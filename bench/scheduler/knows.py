"""A host joins, leaves or changes: until placement knows, through API, database and the scheduler's daemon. A server waits for room (`queue_until`) that only
the change makes; the time is from sending the change (of a host that joins: from its first report) until the batch that places the server has read the hosts. A
host that leaves: until a dry run's answer leaves it out."""
import os
import subprocess
import time

from cloud import Cloud, wait_until
from report import Row


def waiting(cloud, flavor):
    body = cloud.server_body(flavorRef=flavor)
    body["os:scheduler_hints"] = {"queue_until": "+600"}
    server = cloud.good("POST", "/compute/v2.1/servers", body, {"OpenStack-API-Version": "compute 2.90"})["server"]["id"]
    wait_until(20, "the server waits", lambda: [r for r in cloud.good("GET", "/elastic/v1/queue")["queue"] if r["server_id"] == server])
    return server


def placed_us(cloud, server):
    """When the batch began that placed it."""
    def look():
        with cloud.sql() as db:
            return db.execute("SELECT created_us FROM allocation WHERE server_id = ?", (server,)).fetchone()
    return wait_until(30, "the server is placed", look)[0]


def delete(cloud, server):
    cloud.good("DELETE", f"/compute/v2.1/servers/{server}")
    wait_until(30, "the server is gone", lambda: cloud.call("GET", f"/compute/v2.1/servers/{server}").status == 404)


def set_host(cloud, host, **words):
    """Microseconds when it was sent."""
    begin = time.time_ns() // 1000
    cloud.good("PATCH", f"/ops/v1/hosts/{host}", words)
    return begin


def measure_changes(cloud, hosts, flavor, gpu, times):
    enabled, changed, left = [], [], []
    dry = cloud.server_body()
    for i in range(times):
        host = hosts[i % len(hosts)]
        server = waiting(cloud, flavor)
        begin = set_host(cloud, host, enabled=True)
        enabled.append(placed_us(cloud, server) - begin)
        delete(cloud, server)
        server = waiting(cloud, gpu)
        begin = set_host(cloud, host, resources={"CUSTOM_GPU": {"total": 1}})
        changed.append(placed_us(cloud, server) - begin)
        delete(cloud, server)
        set_host(cloud, host, resources={"CUSTOM_GPU": {"total": 0}})
        begin = time.monotonic()
        set_host(cloud, host, enabled=False)
        while cloud.good("POST", "/elastic/v1/dry-run", dry)["dry_run"]["placed"]:
            pass
        left.append((time.monotonic() - begin) * 1e6)
    return enabled, changed, left


def measure_joins(cloud, flavor, times):
    joined = []
    for i in range(times):
        server = waiting(cloud, flavor)
        with cloud.sql() as db:
            known = {row["id"] for row in db.execute("SELECT id FROM host")}
        agents = len(cloud.agents)
        start_one(cloud, f"joins{i}")
        host, seen = first_report(cloud, known)
        joined.append(placed_us(cloud, server) - seen)
        delete(cloud, server)
        set_host(cloud, host, enabled=False)
        assert len(cloud.agents) == agents + 1
    return joined


def first_report(cloud, known):
    """The new host and when it was first heard of; later reports move the time on, so it is looked for all the while."""
    with cloud.sql() as db:
        row = wait_until(30, "the host joins", lambda: next((r for r in db.execute("SELECT id, seen_us FROM host WHERE seen_us > 0") if r["id"] not in known), None),
                         pause=0)
    return row["id"], row["seen_us"]


def start_one(cloud, name):
    home = cloud.place(f"/var/lib/virga/{name}")
    os.makedirs(home)
    with open(home + "/tokens", "w", encoding="ascii") as f:
        f.write(cloud.virga("host", "add", name, "--count", "1"))
    with open(home + "/agent.conf", "w", encoding="ascii") as f:
        f.write(f"hypervisor = fake\nlog_level = warn\nfake_hosts = 1\nstate_dir = {home}/state\ninstances_dir = {home}/instances\nimage_dir = {home}/images\n")
    with open(home + "/log", "ab") as log:
        cloud.agents.append(subprocess.Popen([f"{cloud.build}/virga-agent", "--config", home + "/agent.conf", "--join", cloud.agent_url, "--token-file", home + "/tokens"],
                                             stdout=log, stderr=log, stdin=subprocess.DEVNULL))


def row(what, values):
    values = sorted(values)
    return Row(f"until placement knows: {what}", values[-1] / 1000, "ms", 50, least=False,
               reference=f"the largest of {len(values)}; median {values[len(values) // 2] / 1000:.1f} ms")


def measure(context):
    count, times = context.pick(1000, 50), context.pick(30, 8)
    with Cloud(context.build) as cloud:
        cloud.prepare_servers()
        gpu = cloud.make_flavor(ram=65)
        cloud.good("POST", f"/compute/v2.1/flavors/{gpu}/os-extra_specs", {"extra_specs": {"resources:CUSTOM_GPU": "1"}})
        context.say(f"{count:,} hosts join, and are disabled")
        cloud.start_fake_hosts(count)
        hosts = [h["id"] for h in cloud.good("GET", "/ops/v1/hosts")["hosts"]]
        for host in hosts:
            set_host(cloud, host, enabled=False)
        context.say(f"{times} changes of each kind")
        enabled, changed, left = measure_changes(cloud, hosts, cloud.flavor, gpu, times)
        joined = measure_joins(cloud, cloud.flavor, context.pick(8, 3))
    hosts_text = f"{count:,} hosts"
    return [row(f"a host is enabled, {hosts_text}", enabled), row(f"a host gets another resource, {hosts_text}", changed),
            row(f"a host is disabled, {hosts_text}", left), row(f"a host joins, {hosts_text}", joined)]
