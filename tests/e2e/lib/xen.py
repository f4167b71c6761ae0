"""A cloud with hosts of Xen: each a dom0 (dom0.py) with an agent in it, beside a fake host that takes what is not made for Xen."""
import base64
import os
import re
import subprocess
import time

import dom0
import say
from client import Ledger, Tenant
from cloud import BUILD, ROOT, Cloud, seed, wait_for

BOOT_S = 300
# Says on the console what the guest has whenever that changes, and asks for an address for each interface that comes.
WATCH = r"""#!/bin/sh
echo HELLO FROM USER DATA
(
    had=
    while :; do
        has="mem=$(sed -n 's/MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) nics="
        for nic in /sys/class/net/eth*; do
            name=${nic##*/}
            [ -e $nic ] || continue
            [ $name = eth0 ] || [ -e /run/asked.$name ] || { : >/run/asked.$name; ip link set $name up; /usr/lib/guest/dhcp $name; }
            has="$has$(cat $nic/address)=$(ip -4 -o addr show dev $name | sed -n 's/.*inet \([0-9.]*\).*/\1/p'),"
        done
        for name in eth1 eth2 eth3; do [ -e /sys/class/net/$name ] || rm -f /run/asked.$name; done
        [ "$has" = "$had" ] || echo "HAS $has" >/dev/console
        had=$has
        sleep 2
    done
) </dev/null >/dev/null 2>&1 &
"""
AGENT = """url = https://{controller}:{port}
hypervisor_uri = xen:///system
report_interval = 1s
resync_interval = 20s
sample_interval = 5s
stop_grace = 60s
call_deadline = 120s
start_deadline = 300s
reserved_memory = 64m
log_file = /var/log/virga-agent.log
"""


class Test:
    def __init__(self, dom0s=1):
        self.rng = seed()
        self.cloud = c = Cloud(hosts=1)
        c.config["virga-api"]["agent_listen"] = f"0.0.0.0:{c.port + 1}"
        self.guest = os.path.join(c.prefix, "guest.qcow2")
        subprocess.run([os.path.join(ROOT, "deploy/guest/build-guest.sh"), "--paravirtual", self.guest], check=True, capture_output=True)
        c.start()
        self.dom0s = dom0.pair(os.path.join(c.prefix, "shared")) if dom0s == 2 else [dom0.Dom0()]
        self.dom0 = self.dom0s[0]
        say.note("Xen and dom0 were up after " + ", ".join(f"{d.start_s:.0f} s" for d in self.dom0s))
        for number, d in enumerate(self.dom0s, 1):
            self.add_agent(d, f"xen-{number}")
        wait_for("the Xen hosts' first reports", lambda: c.query("SELECT count(*) FROM host WHERE vcpus > 0")[0][0] >= 1 + dom0s, 180)
        self.ledger = Ledger(os.path.join(c.prefix, "ledger"))
        self.api = c.api()
        self.ground = c.ground(self.api, image=self.guest, cidr=f"10.{self.rng.randrange(130, 190)}.{self.rng.randrange(256)}.0/24", ram=128)
        self.machines = Tenant(self.api, self.ledger, dict(self.ground))
        room = {"virga:live_max_memory_mib": "256"}
        self.small, self.big = self.flavor("small", 128, 1, room), self.flavor("big", 256, 1, room)
        self.duo = self.flavor("duo", 256, 2, room)  # more processors than the machine has: Xen takes them at a start only

    def flavor_of(self, words):
        return self.api.call("POST", "/compute/v2.1/flavors", {"flavor": words}).json["flavor"]["id"]

    def flavor(self, name, ram, vcpus, extra):
        made = self.flavor_of({"name": name, "ram": ram, "vcpus": vcpus, "disk": 1})
        self.api.call("POST", f"/compute/v2.1/flavors/{made}/os-extra_specs", {"extra_specs": extra})
        return made

    def add_agent(self, d, name):
        c = self.cloud
        with open(os.path.join(BUILD, "virga-agent"), "rb") as file:
            d.put("/usr/sbin/virga-agent", file.read(), "0755")
        self.configure(d)
        d.put("/etc/virga/token", c.run("virga", "host", "add", name, "--prefix", c.prefix).encode(), "0600")
        d.run(f"virga-agent --join https://{dom0.CONTROLLER}:{c.port + 1} --token-file /etc/virga/token --join-only")
        self.start_agent(d)

    def configure(self, d, **options):
        words = AGENT.format(controller=dom0.CONTROLLER, port=self.cloud.port + 1)
        if d.address:
            words += f"address = {d.address}\nmove_uri = xen+tcp://%s/system\n"
        words += "".join(f"{name} = {value}\n" for name, value in options.items())
        d.put("/etc/virga/virga-agent.conf", words.encode())

    def start_agent(self, d=None):
        (d or self.dom0).run("setsid virga-agent --pid-file /run/virga/agent.pid </dev/null >/var/log/virga-agent.err 2>&1 &")

    def kill_agent(self, d=None):
        (d or self.dom0).run("pid=$(cat /run/virga/agent.pid); kill -9 $pid; while [ -d /proc/$pid ]; do sleep 0.1; done")

    def tenant(self, **properties):
        """Of servers from an image with these properties."""
        words = {"name": "xen", "disk_format": "qcow2", "container_format": "bare", **properties}
        image = self.api.call("POST", "/image/v2/images", words).json["id"]
        with open(self.guest, "rb") as file:
            self.api.call("PUT", f"/image/v2/images/{image}/file", file.read(), kind="application/octet-stream")
        return Tenant(self.api, self.ledger, {**self.ground, "image": image})

    def left(self, d):
        """What is left of servers on a host."""
        return d.run("virsh -q -c xen:///system list --all --name | grep -v Domain-0; losetup -a; for d in /var/lib/virga /srv/shared; do "
                     "ls $d/instances 2>/dev/null; done; virsh -q -c xen:///system net-list --name", check=False).split()

    def end(self):
        if say.failures:
            for d in self.dom0s:
                say.note("an agent's last words: " + d.run("tail -n 40 /var/log/virga-agent.log /var/log/virga-agent.err", check=False))
        self.cloud.end()
        for d in self.dom0s:
            d.stop()


class Guest:
    """A server and what its console says."""

    def __init__(self, test, tenant, name, user_data=WATCH):
        self.test, self.tenant, self.name = test, tenant, name
        self.id = tenant.create(name, server={"user_data": base64.b64encode(user_data.encode()).decode(), "flavorRef": test.small})

    def host(self):
        return self.tenant.show(self.id)["OS-EXT-SRV-ATTR:host"]

    def has(self, least_kib=1):
        """The guest's memory in KiB, once it says that it has at least so much."""
        said = lambda: int((re.findall(r"HAS mem=(\d+)", self.tenant.console(self.id)) or [0])[-1])  # noqa: E731
        try:
            return wait_for("its size", lambda: said() >= least_kib and said(), BOOT_S, 1)
        except TimeoutError:
            say.note(f"the guest says {said()}")
            return 0

    def nics(self, *wanted):
        """Whether the guest comes to say that it has interfaces with these MAC addresses, and addresses, and no others. What Xen gave up
        to plug, because its machine is too busy, leaves one without an address."""
        said = lambda: (re.findall(r"HAS .*nics=(\S*)", self.tenant.console(self.id)) or [""])[-1]  # noqa: E731
        work = lambda: sorted(nic for nic in said().split(",") if re.search(r"=\d", nic))  # noqa: E731
        try:
            return wait_for("its interfaces", lambda: work() == sorted("=".join(nic) for nic in wanted), BOOT_S, 1)
        except TimeoutError:
            say.note(f"the guest says {said()}")
            return False

    def says(self, text, times=1):
        try:
            return wait_for(text, lambda: self.tenant.console(self.id).count(text) >= times, BOOT_S, 1)
        except TimeoutError:
            return False

    def act(self, action, state, microversion="2.1"):
        start = time.monotonic()
        self.test.api.call("POST", f"/compute/v2.1/servers/{self.id}/action", action, expect=(202, 204), microversion=microversion)
        shown = self.tenant.wait(self.id, state, seconds=BOOT_S)
        say.check(f"{self.name}: {next(iter(action))}: {state}", shown, [self.tenant.show(self.id)])
        say.note(f"{next(iter(action))} took {time.monotonic() - start:.1f} s")
