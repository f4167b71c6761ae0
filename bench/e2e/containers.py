"""Containers: start and stop through the API, against libvirt alone in the same run; then 200 of them at rest."""
import ctypes
import os
import re
import time

from cloud import Cloud, cpu_seconds, proportional_kib, wait_until
from containers import ContainerHost, root_archive
from report import Row, median

REST_S = 30
FILTER_NAME = "virga-port-security-1"
FILTER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../tests/unit/agent/golden/filter.xml")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def kernel_bytes(folder):
    """Of its control group, of either version."""
    old = f"{folder}/memory.kmem.usage_in_bytes"
    with open(old if os.path.exists(old) else f"{folder}/memory.stat", encoding="ascii") as f:
        text = f.read()
    return int(text) if text.strip().isdigit() else next(int(line.split()[1]) for line in text.splitlines() if line.split()[0] == "kernel")


def held_mib(servers):
    """What the containers hold of the host: their processes' parts of its memory, libvirt's process over each among them, and the kernel's for
    them. What MemAvailable says would count everybody else on this machine."""
    tree, wanted, held, found = "/sys/fs/cgroup/memory", {server[-12:] for server in servers}, 0, 0
    for folder, _, files in os.walk(tree if os.path.isdir(tree) else "/sys/fs/cgroup"):
        match = re.search(r"virga-[0-9a-f]{8}-([0-9a-f]{12})\.libvirt-lxc$", folder)
        if not match or match[1] not in wanted or "memory.stat" not in files:
            continue
        with open(f"{folder}/cgroup.procs", encoding="ascii") as f:
            held += 1024 * sum(proportional_kib(int(pid)) for pid in f.read().split()) + kernel_bytes(folder)
        found += 1
    if found != len(servers):
        raise RuntimeError(f"{found} of {len(servers)} containers have a control group for memory")
    return held / (1 << 20)


def overcommit(cloud):
    with cloud.sql() as db:
        feed = db.execute("UPDATE counter SET value = value + 1 WHERE name = 'host_feed' RETURNING value").fetchone()[0]
        db.execute("UPDATE host SET ratio_vcpus = 256000, ratio_disk = 64000, feed = ?", (feed,))


class Libvirt:
    """Its library, connected as the agent is."""

    def __init__(self, host):
        self.library = ctypes.CDLL("libvirt.so.0")
        for name in ("virConnectOpen", "virDomainCreateXML", "virNWFilterDefineXML", "virNWFilterLookupByName"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self.connection = ctypes.c_void_p(self.library.virConnectOpen(f"lxc+unix:///system?socket={host.folder}/run/libvirt-sock".encode()))
        if not self.library.virNWFilterLookupByName(self.connection, FILTER_NAME.encode()):
            with open(FILTER, encoding="ascii") as f:
                self.library.virNWFilterDefineXML(self.connection, f.read().encode())

    def create(self, xml):
        domain = ctypes.c_void_p(self.library.virDomainCreateXML(self.connection, xml.encode(), 0))
        if not domain:
            raise RuntimeError("libvirt does not start the container")
        return domain

    def destroy(self, domain):
        if self.library.virDomainDestroy(domain):
            raise RuntimeError("libvirt does not end the container")
        self.library.virDomainFree(domain)


def create(cloud, host, network):
    """The server, seconds until it is ACTIVE, until its init has come to its end."""
    begin = time.monotonic()
    server = cloud.good("POST", "/compute/v2.1/servers", cloud.server_body(network))["server"]["id"]
    cloud.wait_status(server, "ACTIVE")
    active = time.monotonic() - begin
    wait_until(60, "the end of init", lambda: host.boots(server), 0.001)
    return server, active, time.monotonic() - begin


def bare(host, libvirt, server, xml):
    """What is defined, by libvirt alone: seconds of the call, and until its init has come to its end."""
    before, begin = host.boots(server), time.monotonic()
    domain = libvirt.create(xml)
    called = time.monotonic() - begin
    wait_until(60, "the end of init", lambda: host.boots(server) > before, 0.001)
    done = time.monotonic() - begin
    libvirt.destroy(domain)
    return called, done


def guarded(cloud, server, xml):
    """The definition with libvirt's own filter, which keeps the container from the same as the agent's rules do."""
    address = next(iter(cloud.good("GET", f"/compute/v2.1/servers/{server}")["server"]["addresses"].values()))[0]
    mac, parameters = address["OS-EXT-IPS-MAC:mac_addr"], ""
    for family, ip, bits in ((4, "0.0.0.0", 32), (4, address["addr"], 32), (6, "::", 128)):
        for name, value in (("MAC", mac), ("IP", ip), ("PREFIX", bits)):
            parameters += f"<parameter name='VIRGA{family}_{name}' value='{value}'/>"
    return xml.replace("</interface>", f"<filterref filter='{FILTER_NAME}'>{parameters}</filterref></interface>")


def compare(cloud, host, network, count):
    """In turn, so that what else the machine does falls on both."""
    libvirt, rows = Libvirt(host), []
    for turn in range(count + 1):
        server, active, booted = create(cloud, host, network)
        stopped = cloud.act(server, "os-stop", "SHUTOFF")
        before = host.boots(server)
        begin = time.monotonic()
        started = cloud.act(server, "os-start", "ACTIVE")
        wait_until(60, "the end of init", lambda: host.boots(server) > before, 0.001)
        up = time.monotonic() - begin
        cloud.act(server, "os-stop", "SHUTOFF")
        xml = host.execute("virsh", "-q", "-c", "lxc:///system", "dumpxml", "--inactive", "--security-info", server)
        open_call, open_done = bare(host, libvirt, server, xml)
        called, done = bare(host, libvirt, server, guarded(cloud, server, xml))
        if turn:  # the first one fetched and unpacked the image
            rows.append((active, booted, stopped, started, up, called, done, open_call, open_done))
        cloud.good("DELETE", f"/compute/v2.1/servers/{server}")
    return list(zip(*rows))


def density(context, cloud, host, network, count):
    wait_until(120, "the end of the servers before", lambda: not cloud.all_server_ids(), 0.1)
    time.sleep(2)
    times, servers = [], []
    context.say(f"{count} containers")
    for _ in range(count):
        server, active, _ = create(cloud, host, network)
        times.append(active * 1000)
        servers.append(server)
    context.say("their consoles")
    says = sum("BOOT OK" in cloud.good("POST", f"/compute/v2.1/servers/{server}/action", {"os-getConsoleOutput": {"length": None}})["output"]
               for server in servers)
    time.sleep(5)
    memory = held_mib(servers) / count
    begin, used = time.monotonic(), cpu_seconds(host.agent_pid)
    time.sleep(context.pick(REST_S, 5))
    share = (cpu_seconds(host.agent_pid) - used) / (time.monotonic() - begin) * 100 * 100 / count
    return times, says, memory, share, proportional_kib(host.agent_pid) / 1024


def measure(context):
    count = context.pick(200, 20)
    cloud = Cloud(context.build)
    cloud.configure("api", {"listen": f"127.0.0.1:{cloud.port}", "agent_listen": f"0.0.0.0:{cloud.agent_port}", "log_level": "warn"})
    with cloud:
        cloud.unlimited()
        cloud.flavor = cloud.make_flavor(ram=64)
        with ContainerHost(cloud, ("reserved_memory = 0",)) as host:
            cloud.image = host.add_image("root", root_archive(), "root-tar")
            network = host.add_network()
            overcommit(cloud)
            keeper = create(cloud, host, network)[0]  # the network is there, as it is for all but a host's first server
            context.say("starts and stops")
            active, booted, stopped, started, up, called, done, open_call, open_done = compare(cloud, host, network, context.pick(20, 4))
            cloud.good("DELETE", f"/compute/v2.1/servers/{keeper}")
            times, says, memory, share, resident = density(context, cloud, host, network, count)
    ms = lambda values: median(values) * 1000  # noqa: E731
    return [Row("container: POST /servers until ACTIVE", ms(active), "ms", 300, least=False, reference=f"worst {max(active) * 1000:.0f}"),
            Row("container: os-stop until SHUTOFF", ms(stopped), "ms", 300, least=False, reference=f"worst {max(stopped) * 1000:.0f}"),
            Row("container: os-start until ACTIVE", ms(started), "ms", 300, least=False, reference=f"worst {max(started) * 1000:.0f}"),
            Row("container: os-start until its init is done", median(up) / median(done), "× libvirt alone", 1.10, least=False,
                reference=f"medians {ms(up):.0f} ms against {ms(done):.0f} ms; POST {ms(booted):.0f} ms; the call alone {ms(called):.0f} ms"),
            Row("the same, against libvirt alone without its filter of addresses", median(up) / median(open_done), "× libvirt alone",
                reference=f"medians {ms(up):.0f} ms against {ms(open_done):.0f} ms; the call alone {ms(open_call):.0f} ms"),
            Row(f"container: of {count}, whose console says BOOT OK through the API", says, "containers", count),
            Row(f"container: POST until ACTIVE, {count} of them, p50", median(times), "ms", 300, least=False,
                reference=f"p99 {percentile(times, 0.99):.0f} ms"),
            Row(f"container: memory of the host for each of {count}", memory, "MB", 16, least=False),
            Row(f"container: agent's processor time at rest, for 100 of {count}", share, "% of a core", 1, least=False,
                reference=f"agent's memory (PSS) {resident:.1f} MB")]
