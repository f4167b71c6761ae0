"""Start of a server through the API, against the same call of libvirt alone in the same run: VMware ESX (simulated), libvirt's test driver.

Nothing starts with either driver, so the ratio of the two says little; what is the cloud's beside the call is what counts, and the floor is
100 ms. On the test driver (0.15 ms to define, 0.15 ms to start) it is about 2 ms: three writes that must be on the disk before anybody is
told, 0.2 to 0.3 ms each (the request's commit, the agent's journal, the commit of what it reports), two requests and an answer over TLS
between agent and API, 0.2 ms each way, and the handlers, 0.3 to 0.5 ms each. With a start that takes 25 ms or more it would be less than 10 %.

On ESX each question to its API is two to eight requests of libvirt's driver over HTTPS. A start needs the look-up (1.9 ms) and the call
(4.4 ms), which is what libvirt alone is measured with; beside these the agent asks once for the machine's XML (4.7 ms), to see whose it is and
whether it is defined as it is to be now. Its state is known from the look-up and from the call's success. The disk is looked for by
a connection of its own (27 ms, most of it for reading the certificates of all authorities) only when a start fails.

A real ESX takes its time to power a machine on. A line of its own says what the ratio is when the simulator answers each power-on after
POWER_ON_MS, an assumption and no measurement, for libvirt alone and for the cloud alike. What the cloud adds does not depend on it, so that
line also says from what time on the ratio is kept."""
import ctypes
import os
import sys
import time

from cloud import Cloud, cpu_seconds, wait_until
from real import ROOT, RealHost
from report import Row, median

sys.path.append(str(ROOT / "tests/e2e/lib"))
import vsphere  # noqa: E402

TEMPLATE = "templates/tiny.vmdk"
POWER_ON_MS = 1000
RATIO = 1.10
TEST_DOMAIN = "<domain type='test'><name>bare</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
REST_S = 20


class Libvirt:
    """Its library; a password is in the file that LIBVIRT_AUTH_FILE names."""

    def __init__(self, uri):
        self.library = ctypes.CDLL("libvirt.so.0")
        for name in ("virConnectOpenAuth", "virDomainLookupByName", "virDomainDefineXML"):
            getattr(self.library, name).restype = ctypes.c_void_p
        auth = ctypes.c_void_p.in_dll(self.library, "virConnectAuthPtrDefault")
        self.connection = ctypes.c_void_p(self.library.virConnectOpenAuth(uri.encode(), auth, 0))
        if not self.connection:
            raise RuntimeError(f"no connection to {uri}")

    def define(self, xml):
        self.library.virDomainFree(ctypes.c_void_p(self.library.virDomainDefineXML(self.connection, xml.encode())))

    def start(self, name):
        """Seconds of the call, with the look-up that it needs; then it is switched off."""
        begin = time.monotonic()
        domain = ctypes.c_void_p(self.library.virDomainLookupByName(self.connection, name.encode()))
        if not domain or self.library.virDomainCreate(domain):
            raise RuntimeError(f"libvirt does not start {name}")
        seconds = time.monotonic() - begin
        self.library.virDomainDestroy(domain)
        self.library.virDomainFree(domain)
        return seconds


def compare(turns, cloud, server, libvirt, name):
    """In turn, so that what else the machine does falls on both."""
    ours, bare = [], []
    for turn in range(turns + 1):
        cloud.act(server, "os-stop", "SHUTOFF")
        started = cloud.act(server, "os-start", "ACTIVE")
        alone = libvirt.start(name)
        if turn:
            ours.append(started)
            bare.append(alone)
    return ours, bare


def row(what, ours, bare, floor=None):
    ms = lambda values: median(values) * 1000  # noqa: E731
    return Row(f"{what}: os-start until ACTIVE", ms(ours), "ms", floor, least=False,
               reference=f"libvirt's call alone {ms(bare):.1f} ms; {ms(ours) - ms(bare):.1f} ms are the cloud's, worst {(max(ours)) * 1000:.0f} ms")


def ratio(what, ours, bare):
    more = (median(ours) - median(bare)) * 1000
    return Row(f"{what}: os-start until ACTIVE", median(ours) / median(bare), "× libvirt's call alone", RATIO, least=False,
               reference=f"{median(ours) * 1000:.1f} ms against {median(bare) * 1000:.1f} ms; with {more:.1f} ms of the cloud's it is kept from {more / (RATIO - 1):.0f} ms on")


def inventory(cloud, hypervisor):
    """The first connection takes a moment."""
    def known():
        with cloud.sql() as db:
            return db.execute("SELECT count(*) FROM host WHERE hypervisor = ?", (hypervisor,)).fetchone()[0]
    wait_until(60, f"the inventory of {hypervisor}", known, 0.05)


def esx(context):
    with Cloud(context.build) as cloud:
        folder = cloud.place("/var/lib")
        os.makedirs(folder, exist_ok=True)
        simulated = vsphere.Vsphere(cloud.port + 7, folder)
        try:
            simulated.add_template(TEMPLATE)
            os.environ["LIBVIRT_AUTH_FILE"] = simulated.auth_file
            cloud.unlimited()
            cloud.flavor = cloud.make_flavor(ram=64)
            options = (f"hypervisor_uri = {simulated.uri}", f"password_file = {simulated.password_file}", "port_security = off")
            with RealHost(cloud, options) as host:
                inventory(cloud, "VMware")
                image = cloud.good("POST", "/image/v2/images", {"name": "t", "disk_format": "raw", "container_format": "bare",
                                                                "vmware_template": TEMPLATE, "hypervisor_type": "vmware"})["id"]
                cloud.call("PUT", f"/image/v2/images/{image}/file", b"x", {"Content-Type": "application/octet-stream"})
                cloud.image = image
                server = cloud.good("POST", "/compute/v2.1/servers", cloud.server_body(host.add_network()))["server"]["id"]
                cloud.wait_status(server, "ACTIVE")
                simulated.define("bare")
                libvirt = Libvirt(simulated.uri)
                at_once = compare(context.pick(20, 4), cloud, server, libvirt, "bare")
                simulated.power_on_takes(POWER_ON_MS)
                delayed = compare(context.pick(8, 3), cloud, server, libvirt, "bare")
        finally:
            simulated.stop()
    return [row("VMware ESX (simulated: it starts nothing)", *at_once, 100),
            ratio(f"VMware ESX (simulated: a power-on that takes {POWER_ON_MS} ms)", *delayed)]


def test(context):
    count = context.pick(100, 20)
    with Cloud(context.build) as cloud:
        cloud.unlimited()
        cloud.flavor = cloud.make_flavor(ram=1, disk=0)
        with RealHost(cloud, ("hypervisor_uri = test:///default", "port_security = off", "reserved_memory = 0")) as host:
            cloud.image = host.add_image("none", bytes(4096), "raw", hypervisor_type="test")
            inventory(cloud, "test")
            network = host.add_network()
            with cloud.sql() as db:
                feed = db.execute("UPDATE counter SET value = value + 1 WHERE name = 'host_feed' RETURNING value").fetchone()[0]
                db.execute("UPDATE host SET ratio_vcpus = 256000, ratio_disk = 64000, feed = ?", (feed,))
            servers = [cloud.good("POST", "/compute/v2.1/servers", cloud.server_body(network))["server"]["id"] for _ in range(count)]
            for server in servers:
                cloud.wait_status(server, "ACTIVE")
            libvirt = Libvirt("test:///default")
            libvirt.define(TEST_DOMAIN)
            ours, bare = compare(context.pick(20, 4), cloud, servers[0], libvirt, "bare")
            time.sleep(2)
            begin, used = time.monotonic(), cpu_seconds(host.agent.pid)
            time.sleep(context.pick(REST_S, 5))
            share = (cpu_seconds(host.agent.pid) - used) / (time.monotonic() - begin) * 100 * 100 / count
    return [row("libvirt's test driver", ours, bare, 100),
            Row("libvirt's test driver: agent's processor time at rest, for 100 domains", share, "% of a core", 1, least=False)]


def measure(context):
    rows = test(context)
    reason = vsphere.lacks()
    if reason:
        context.say(f"no simulator of ESX: {reason}")
        return rows
    return rows + esx(context)
