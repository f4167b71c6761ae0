"""Two libvirt hosts with an agent each, in namespaces of this machine, and a cloud for them: what servers move between."""
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time

from client import Ledger, Tenant
from cloud import BUILD, Cloud, free_subnet, process_lives, seed, shell, wait_for
from node import LIBVIRT, Node
import say

SIM = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../sim"))
BOOT_S = 300


class Host:
    """A node with an agent of its own."""

    def __init__(self, cloud, subnet, number, prepare=None, **config):
        """`prepare(node)` changes the node before its agent starts; `config` goes into the agent's."""
        self.cloud = cloud
        self.name = f"node{number}-1"
        self.node = node = Node(subnet, number, tcp=True)
        self.program = f"virga-agent-{number}"
        self.state = os.path.join(node.folder, "agent")
        cloud.config[self.program] = {**cloud.config["virga-agent"], "hypervisor": "libvirt", "url": f"https://{subnet}.1:{cloud.port + 1}",
                                      "state_dir": self.state, "image_dir": os.path.join(self.state, "images"), "address": node.address,
                                      "instances_dir": os.path.join(node.folder, "instances"), "move_uri": "qemu+tcp://%s/system",
                                      "stop_grace": "10s", "pid_file": os.path.join(node.folder, "agent.pid")}
        cloud.config[self.program].update(config)
        if prepare:
            prepare(node)
        for name in [name for name in cloud.config[self.program] if name.startswith("fake_")]:
            del cloud.config[self.program][name]
        cloud.write_config(self.program)
        cloud.join(self.program, self.state, f"node{number}", 1)
        cloud.libvirt_uris.append(node.uri)
        self.start_agent()

    def start_agent(self):
        c = self.cloud
        words = [os.path.join(BUILD, "virga-agent"), "--config", os.path.join(c.etc, self.program + ".conf"), "--prefix", c.prefix]
        script = f". {os.path.realpath(os.path.join(SIM, '../..', LIBVIRT))}; libvirt_node_exec {self.node.name} {shlex.join(words)}"
        with open(os.path.join(c.prefix, self.program + ".log"), "ab") as log:
            subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_agent(self, number=signal.SIGKILL):
        try:
            with open(os.path.join(self.node.folder, "agent.pid"), encoding="ascii") as file:
                pid = int(file.read())
            os.kill(pid, number)
            if number == signal.SIGKILL:  # the next one is not to find it there
                wait_for("the agent's end", lambda: not process_lives(pid), 30)
        except (OSError, ValueError):
            pass

    def files(self, server_id):
        folder = os.path.join(self.node.folder, "instances", server_id)
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Pair:
    def __init__(self, prepare=None, ram=128, **config):
        self.rng = seed()
        image = shell("tests/e2e/lib/guest.sh", "guest_image")
        self.cloud = c = Cloud(hosts=1)
        c.config["virga-api"]["agent_listen"] = f"0.0.0.0:{c.port + 1}"
        c.start()
        subnet = free_subnet(self.rng, "10.97")
        self.hosts = {}
        for number in (2, 3):
            host = Host(c, subnet, number, prepare, **config)
            self.hosts[host.name] = host
        c.wait_hosts(3)
        self.ledger = Ledger(os.path.join(c.prefix, "ledger"))
        self.api = c.api()
        self.ground = c.ground(self.api, image=image, cidr=f"10.{self.rng.randrange(130, 190)}.{self.rng.randrange(256)}.0/24", ram=ram)
        self.api.call("PUT", "/compute/v2.1/os-services/disable", {"host": "fake-1", "binary": "nova-compute"})
        self.tenant = Tenant(self.api, self.ledger, self.ground)
        big = {"flavor": {"name": "big", "ram": 192, "vcpus": 1, "disk": 2}}
        self.big = self.api.call("POST", "/compute/v2.1/flavors", big).json["flavor"]["id"]

    def action(self, server_id, body, microversion="2.56", expect=(202, 204)):
        return self.api.call("POST", f"/compute/v2.1/servers/{server_id}/action", body, expect=expect, microversion=microversion).status

    def live(self, server_id):
        return self.action(server_id, {"os-migrateLive": {"host": None, "block_migration": "auto"}}, "2.30")

    def place(self, server_id):
        return self.cloud.query("SELECT h.name FROM server s JOIN host h ON h.id = s.host_id WHERE s.id = ?", server_id)[0][0]

    def migration(self, server_id):
        return self.api.call("GET", f"/compute/v2.1/os-migrations?instance_uuid={server_id}", microversion="2.59").json["migrations"][0]

    def ended(self, server_id, *statuses, seconds=120):
        try:
            return wait_for("the migration's end", lambda: self.migration(server_id)["status"] in statuses and self.migration(server_id), seconds, 0.1)
        except TimeoutError:
            say.note(f"migration {self.migration(server_id)} {self.cloud.query('SELECT step, message FROM migration ORDER BY id DESC LIMIT 1')}")
            return None

    def boots(self, server_id, times):
        return wait_for(f"boot {times}", lambda: self.tenant.console(server_id).count("BOOT OK") >= times, BOOT_S, 0.3)

    def domains(self, server_id):
        """State of its domain by host."""
        found = {}
        for host in self.hosts.values():
            for line in host.node.virsh("list", "--all").splitlines():
                words = line.split(None, 2)
                if len(words) == 3 and words[1].endswith(server_id[-12:]):
                    found[host.name] = words[2]
        return found

    def crash(self, server_id, victim=None, forced=None):
        """Something dies at some moment of a live migration, and comes back. One copy is left, where it belongs."""
        source = self.place(server_id)
        target = next(name for name in self.hosts if name != source)
        victim = victim or self.rng.choice(("source agent", "target agent", "source libvirtd", "target libvirtd", "api", "scheduler"))
        forced = self.rng.random() < 0.5 if forced is None else forced
        self.live(server_id)
        pause = self.rng.random() * 4
        time.sleep(pause)
        if forced:
            number = self.migration(server_id)["id"]
            self.api.call("POST", f"/compute/v2.1/servers/{server_id}/migrations/{number}/action", {"force_complete": None}, expect=(202, 400, 404), microversion="2.22")
        host = self.hosts[source if victim.startswith("source") else target]
        if victim.endswith("agent"):
            host.kill_agent()
            time.sleep(self.rng.random())
            host.start_agent()
        elif victim.endswith("libvirtd"):
            host.node.kill_libvirtd()
            time.sleep(self.rng.random())
            host.node.shell(f"libvirt_node_start_daemons {host.node.name}")
        else:
            self.cloud.signal(victim, signal.SIGKILL)
        done = self.ended(server_id, "completed", "error", "failed", "cancelled", seconds=240)
        self.cloud.wait_quiet()
        domains = self.domains(server_id)
        what = f"{victim} killed {pause:.1f} s after the beginning{', forced' if forced else ''}"
        say.check(f"one copy runs, where it belongs ({what})", done and domains == {self.place(server_id): "running"}, [done, domains, self.place(server_id)])
        self.cloud.check(self.ledger, f" ({what})")

    def end(self):
        for host in self.hosts.values():
            host.kill_agent(signal.SIGTERM)
        self.cloud.end()
        for host in self.hosts.values():
            host.node.stop()


class SharedPair(Pair):
    """Both hosts have the same folder of instances; that of images is each host's own, at the same place."""

    def __init__(self, **words):
        self.shared = tempfile.mkdtemp(prefix="virga-shared.", dir="/var/tmp")
        os.chmod(self.shared, 0o755)
        for name in ("instances", "images"):
            os.mkdir(os.path.join(self.shared, name), 0o755)
        super().__init__(self.prepare, instances_dir=os.path.join(self.shared, "instances"), image_dir=os.path.join(self.shared, "images"), **words)

    def qemu_conf(self, node):
        """Lines for its qemu.conf."""
        return ""

    def prepare(self, node):
        """libvirt takes only network file systems for shared, so here it must not change owners."""
        own = os.path.join(node.folder, "images")
        os.mkdir(own, 0o755)
        node.run("mount", "--bind", own, os.path.join(self.shared, "images"))
        with open(os.path.join(node.folder, "etc/qemu.conf"), "a", encoding="ascii") as file:
            file.write(f'user = "root"\ngroup = "root"\ndynamic_ownership = 0\n{self.qemu_conf(node)}')
        pid = node.libvirtd()
        os.kill(pid, signal.SIGTERM)
        wait_for("libvirtd's end", lambda: not os.path.exists(f"/proc/{pid}"), 30)
        node.shell(f"libvirt_node_start_daemons {node.name}")

    def disk(self, server_id):
        return os.path.join(self.shared, "instances", server_id, "root.qcow2")

    def end(self):
        super().end()
        for folder in (*(host.node.folder for host in self.hosts.values()), self.shared):
            subprocess.run(["rm", "-rf", folder], check=False)


def downtime_ms(t, host):
    """Of the guest that came last, as QEMU measured it on the host that it left."""
    for name in reversed(host.node.virsh("list", "--all", "--name").split()):
        text = host.node.virsh("domjobinfo", name, "--completed", "--keep-completed")
        found = re.search(r"Total downtime:\s+(\d+)", text)
        if found:
            return int(found[1])
    return None
