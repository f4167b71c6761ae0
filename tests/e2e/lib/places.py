"""Hosts under one driver each (QEMU and LXC in namespaces of this machine, VMware against its simulator, libvirt's test driver), each
with an agent of its own that can be killed and a hypervisor that can be killed or stand still; and what must not be left on them."""
import os
import random
import signal
import subprocess
import threading
import time
import types
import uuid

import vsphere
from client import Tenant
from cloud import BUILD, ROOT, free_ports, process_lives, shell, wait_for
from node import Node

HANG_S = 7  # longer than an agent's calls have
TEMPLATE = "templates/tiny.vmdk"


class Place:
    """A host. Its servers are told from others' by their flavor."""
    driver = hypervisor = ""
    hangs = True  # its hypervisor can stand still
    actions = ("stop", "start", "reboot")

    def __init__(self, cloud, number, name=None):
        """The host is called `name`-1, after its driver where nothing is said."""
        self.cloud, self.number = cloud, number
        self.name = name or self.driver
        self.program = f"virga-agent-{number}"
        self.log = os.path.join(cloud.prefix, self.program + ".log")
        self.folder = os.path.join(cloud.prefix, self.name)
        self.address = "127.0.0.1"
        self.lock = threading.Lock()
        self.ended = False
        self.prepare()
        self.state = os.path.join(self.folder, "agent")
        self.instances = os.path.join(self.folder, "instances")
        cloud.config[self.program] = {
            "url": f"https://{self.address}:{cloud.port + 1}", "state_dir": self.state, "image_dir": os.path.join(self.state, "images"), "instances_dir": self.instances,
            "report_interval": "1s", "resync_interval": "5s", "sample_interval": "2s", "call_deadline": "4s", "stop_grace": "1s", "reboot_grace": "2s",
            "retries": 12, "retry_pause": "500ms", **self.config()}
        cloud.write_config(self.program)
        cloud.join(self.program, self.state, self.name, 1)
        self.start_agent()

    def prepare(self):
        pass

    def config(self):
        return {}

    def words(self):
        return [os.path.join(BUILD, "virga-agent"), "--config", os.path.join(self.cloud.etc, self.program + ".conf"), "--prefix", self.cloud.prefix]

    def start_agent(self):
        with open(self.log, "ab") as out:
            self.agent = subprocess.Popen(self.words(), stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def kill_agent(self):
        with self.lock:
            if self.ended:
                return
            self.agent.kill()
            self.agent.wait()
            self.start_agent()

    def die(self):
        """Nothing is heard of it any more."""
        with self.lock:
            self.agent.kill()
            self.agent.wait()

    def come_back(self):
        self.start_agent()

    def kill_hypervisor(self):
        return False

    def hypervisor_pid(self):
        return None

    def hang_hypervisor(self, over):
        """It answers again when this returns."""
        pid = self.hypervisor_pid()
        os.kill(pid, signal.SIGSTOP)
        over.wait(HANG_S)
        os.kill(pid, signal.SIGCONT)

    def settle(self, api, ground):
        """The tenant's view of it: a flavor and an image that only this host can have."""
        self.ground = dict(ground)
        self.ground["flavor"], self.larger = (self.flavor(api, ram) for ram in (64, 96))
        self.ground["image"] = self.image(api)
        return self.ground

    def flavor(self, api, ram):
        flavor = api.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": f"{self.driver}-{ram}", "ram": ram, "vcpus": 1, "disk": 1}}).json["flavor"]["id"]
        api.call("POST", f"/compute/v2.1/flavors/{flavor}/os-extra_specs", {"extra_specs": {"capabilities:hypervisor_type": self.hypervisor}})
        return flavor

    def upload(self, api, data, disk_format, **properties):
        words = {"name": self.driver, "disk_format": disk_format, "container_format": "bare", **properties}
        image = api.call("POST", "/image/v2/images", words).json["id"]
        api.call("PUT", f"/image/v2/images/{image}/file", data, kind="application/octet-stream")
        return image

    def image(self, api):
        return self.upload(api, bytes(65536), "raw")

    def files_left(self):
        def names(*words):
            folder = os.path.join(self.instances, *words)
            return os.listdir(folder) if os.path.isdir(folder) else []
        return [name for name in names() if name not in (".storage", ".layers", ".machines")] + [name for name in names(".layers") if name != ".lock"]

    def left(self):
        return self.files_left()

    def end(self):
        with self.lock:
            self.ended = True
            self.agent.terminate()
            try:
                self.agent.wait(60)
            except subprocess.TimeoutExpired:
                self.agent.kill()
                self.agent.wait()


class NodePlace(Place):
    """On a libvirtd of its own."""
    cgroups = "own"

    def prepare(self):
        self.node = Node(self.cloud.subnet, self.number, cgroups=self.cgroups)
        self.folder = self.node.folder
        self.address = f"{self.node.subnet}.1"
        self.uri = f"{self.driver}:///system"
        self.cloud.libvirt_uris.append(self.node.uri.replace("qemu", self.driver, 1))

    def config(self):
        return {"hypervisor_uri": self.uri, "address": self.node.address}

    def start_agent(self):
        self.agent = self.node.spawn(self.log, *self.words())

    def die(self):
        self.node.die()
        super().die()

    def come_back(self):
        self.node.reboot()
        super().come_back()

    def hypervisor_pid(self):
        return self.node.libvirtd()

    def kill_hypervisor(self):
        self.node.kill_libvirtd()
        time.sleep(random.random())
        self.node.shell(f"libvirt_node_start_daemons {self.node.name}")
        return True

    def virsh(self, *words):
        return self.node.run("virsh", "-q", "-c", self.uri, *words)

    def bridge(self):
        return "vg" + self.ground["network"].rpartition("-")[2]

    def leave_bridge(self):
        """As a libvirtd that is killed amid a network's start."""
        self.node.run("ip", "link", "add", self.bridge(), "type", "bridge")

    def forget_network(self):
        """As a libvirtd that is killed amid a network's start when its dnsmasq runs already: it knows it as off afterwards."""
        name = self.network()
        self.node.kill_libvirtd()
        self.node.run("rm", "-r", f"/run/libvirt/network/{name}", f"/run/libvirt/network/{name}.xml")
        self.node.shell(f"libvirt_node_start_daemons {self.node.name}")

    def network(self):
        return next(name for name in self.virsh("net-list", "--name").split() if name.startswith("virga"))

    def dhcp_servers(self):
        """The dnsmasqs that run in it."""
        pids = subprocess.run(["ip", "netns", "pids", self.node.name], capture_output=True, text=True, check=True).stdout.split()
        told = subprocess.run(["ps", "-o", "comm=,args=", "-p", ",".join(pids)], capture_output=True, text=True, check=False).stdout
        return [line for line in told.splitlines() if line.startswith("dnsmasq")]

    def leave_port(self):
        """As a libvirtd that is killed amid a domain's start."""
        path = os.path.join(self.folder, "port.xml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"<networkport><uuid>{uuid.uuid4()}</uuid><owner><name>gone</name><uuid>{uuid.uuid4()}</uuid></owner><mac address='52:54:00:00:00:77'/></networkport>")
        self.virsh("net-port-create", self.network(), path)

    def left(self):
        found = [f"domain {name}" for name in self.virsh("list", "--all", "--name").split()]
        found += [f"network {name}" for name in self.virsh("net-list", "--all", "--name").split() if name.startswith("virga")]
        found += [f"filter {name}" for name in self.virsh("nwfilter-list").split() if name.startswith("virga-") and not name.startswith("virga-port-security")]
        found += [f"mount {line.split()[1]}" for line in self.node.run("cat", "/proc/self/mounts").splitlines() if self.instances in line]
        found += [f"loop {line}" for line in subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], capture_output=True, text=True, check=True).stdout.split("\n")
                  if line.strip().startswith(self.instances)]
        # Those that libvirt made for a network amid whose start it was killed name a bridge that is gone; it forgets them.
        found += [f"rule {line.strip()}" for line in self.node.run("nft", "list", "ruleset").splitlines() if "chain vc" in line or '"vc' in line]
        found += [f"link {line.split()[0]}" for line in self.node.run("ip", "-brief", "link").splitlines() if line.startswith(("vnet", "veth", "vg"))]
        found += [f"process {line}" for line in self.dhcp_servers()]
        dhcp = os.path.join(self.state, "dhcp")
        found += [f"lease {name}" for name in (os.listdir(dhcp) if os.path.isdir(dhcp) else [])]
        return found + [f"file {name}" for name in self.files_left()]

    def end(self):
        super().end()
        self.node.stop()


class Qemu(NodePlace):
    driver, hypervisor = "qemu", "QEMU"
    actions = ("stop", "start", "reboot", "pause", "suspend", "resize", "image", "clone", "flatten", "interface")

    def image(self, api):
        with open(shell("tests/e2e/lib/guest.sh", "guest_image"), "rb") as file:
            return self.upload(api, file.read(), "qcow2")


class Lxc(NodePlace):
    driver, hypervisor, cgroups = "lxc", "LXC", "shared"
    actions = ("stop", "start", "reboot", "pause", "resize", "image", "clone")

    def image(self, api):
        archive = os.path.join(self.cloud.prefix, "root.tar.gz")
        subprocess.run([os.path.join(ROOT, "deploy/guest/build-root-tar.sh"), archive], check=True, capture_output=True)
        with open(archive, "rb") as file:
            return self.upload(api, file.read(), "root-tar")

    def end(self):
        for name in self.virsh("list", "--state-paused", "--name").split():
            self.virsh("resume", name)  # what is frozen cannot be killed
        super().end()

    def groups(self):
        """The agent's own, and those of libvirt's with processes: libvirt forgets empty ones when it is killed. Libvirt's are the whole
        machine's, with those of servers that are on another host now."""
        query = "SELECT id FROM server_history UNION SELECT s.id FROM server s LEFT JOIN host h ON h.id = s.host_id WHERE coalesce(h.name, ?) = ?"
        names = [i.rpartition("-")[2] for (i,) in self.cloud.query(query, f"{self.name}-1", f"{self.name}-1")]
        text = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path", "*virga*"], capture_output=True, text=True, check=False).stdout
        return [f"group {line}" for line in text.splitlines()
                if f"virga-node-{self.node.name}/virga/" in line or any(name in line for name in names) and self.processes(line)]

    @staticmethod
    def processes(group):
        try:
            with open(os.path.join(group, "cgroup.procs"), encoding="ascii") as file:
                return file.read()
        except OSError:
            return ""

    def left(self):
        return super().left() + self.groups()


class Esx(Place):
    driver, hypervisor = "esx", "VMware"
    actions = ("stop", "start", "reboot", "suspend", "resize", "image")

    def prepare(self):
        os.makedirs(self.folder)
        self.esx = vsphere.Vsphere(free_ports(1), self.folder)
        self.esx.add_template(TEMPLATE)
        self.before, self.machines = self.esx.files(), self.esx.domains()
        self.cloud.other_hosts.append(self.held)

    def config(self):
        return {"hypervisor_uri": self.esx.uri, "password_file": self.esx.password_file}

    def die(self):
        self.esx.signal(signal.SIGSTOP)
        super().die()

    def come_back(self):
        """Its machines, which run in no guest, are as they were."""
        self.esx.signal(signal.SIGCONT)
        super().come_back()

    def hypervisor_pid(self):
        return self.esx.process.pid

    def held(self):
        states = {"running": "running", "shut off": "shutoff", "paused": "saved"}
        domains = {name[-36:]: states[state] for name, state in self.esx.domains().items() if name not in self.machines}
        return types.SimpleNamespace(name=self.name, host_id=None, domains=domains, disks={})

    def image(self, api):
        return self.upload(api, bytes(512), "raw", vmware_template=TEMPLATE, hypervisor_type="vmware")

    def left(self):
        found = [f"machine {name}" for name in self.esx.domains().keys() - self.machines.keys()]
        found += [f"datastore {name}" for name in self.esx.files() if name not in self.before and name != "virga-images"]
        return found + [f"file {name}" for name in self.files_left()]

    def end(self):
        super().end()
        self.esx.stop()


class Test(Place):
    """Its domains are the agent's: they end with it."""
    driver, hypervisor, hangs = "test", "test", False
    actions = ("stop", "start", "reboot", "pause", "suspend")

    def config(self):
        self.cloud.unseen_hosts.append(f"{self.name}-1")
        return {"hypervisor_uri": "test:///default", "port_security": "off"}


class Trouble(threading.Thread):
    """Kills agent and hypervisor of a place, or lets the hypervisor stand still, until told to stop."""

    def __init__(self, place, rng):
        super().__init__(daemon=True)
        self.place, self.rng, self.over = place, rng, threading.Event()
        self.made = {"agent": 0, "killed": 0, "hung": 0}
        self.problem = None

    def run(self):
        try:
            while not self.over.wait(self.rng.uniform(0.2, 4)):
                dice = self.rng.random()
                if dice < 0.25 and self.place.kill_hypervisor():
                    self.made["killed"] += 1
                elif dice > 0.88 and self.place.hangs:
                    self.place.hang_hypervisor(self.over)
                    self.made["hung"] += 1
                else:
                    self.place.kill_agent()
                    self.made["agent"] += 1
        except Exception as e:  # pylint: disable=broad-except
            self.problem = repr(e)

    def finish(self):
        self.over.set()
        self.join()


class Tenants(threading.Thread):
    """Servers of a place that come, change and go."""
    MOST = 3

    def __init__(self, place, ledger, rng, seconds):
        super().__init__(daemon=True)
        self.place, self.rng = place, rng
        self.tenant = Tenant(place.cloud.api(), ledger, place.ground)
        self.ledger = ledger
        self.end = time.monotonic() + seconds
        self.servers, self.count, self.done, self.refused = {}, 0, {}, 0
        self.problem = None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.step()
        except Exception as e:  # pylint: disable=broad-except
            self.problem = repr(e)

    def name(self):
        self.count += 1
        return f"{self.place.driver}-{self.count}"

    def ask(self, path, body, microversion="2.1"):
        """The answer, or None where it is refused: something is under way, the host is away, there is no room."""
        answer = self.tenant.api.call("POST", path, body, expect=(200, 202, 204, 400, 403, 404, 409, 501, 503), microversion=microversion)
        return answer if answer.status < 300 else None

    def step(self):
        if len(self.servers) < self.MOST:
            name = self.name()
            self.servers[name] = self.tenant.create(name)
            what = "create"
        else:
            name, server_id = self.rng.choice(list(self.servers.items()))
            what = self.rng.choice((*self.place.actions, "delete"))
            if self.rng.random() < 0.6:
                self.tenant.wait(server_id, "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "VERIFY_RESIZE", "ERROR", seconds=10)
            if what == "delete":
                self.tenant.delete(name, self.servers.pop(name))
            elif not self.act(what, server_id):
                self.refused += 1
                time.sleep(0.2)
                return
        self.done[what] = self.done.get(what, 0) + 1
        time.sleep(self.rng.uniform(0, 0.6))

    def act(self, what, server_id):
        path = f"/compute/v2.1/servers/{server_id}/action"
        status = self.tenant.show(server_id)["status"]
        if status == "VERIFY_RESIZE":
            return self.ask(path, {self.rng.choice(("confirmResize", "revertResize")): None})
        if what == "pause":
            return self.ask(path, {"unpause" if status == "PAUSED" else "pause": None})
        if what == "suspend":
            return self.ask(path, {"resume" if status == "SUSPENDED" else "suspend": None})
        if what == "resize":
            return self.ask(path, {"resize": {"flavorRef": self.place.larger}})
        if what == "image":
            return self.ask(path, {"createImage": {"name": f"of-{self.place.driver}"}}, "2.45")
        if what == "flatten":
            return self.ask(f"/elastic/v1/servers/{server_id}/flatten", None)
        if what == "clone":
            return self.clone(server_id)
        if what == "interface":
            return self.ask(f"/compute/v2.1/servers/{server_id}/os-interface", {"interfaceAttachment": {"net_id": self.place.ground["network"]}})
        return self.ask(path, {"reboot": {"type": self.rng.choice(("SOFT", "HARD"))}} if what == "reboot" else {f"os-{what}": None})

    def clone(self, server_id):
        name = self.name()
        self.ledger.note(name)
        answer = self.ask(f"/elastic/v1/servers/{server_id}/clone", {"clone": {"name": name}})
        if answer:
            self.servers[name] = answer.json["server"]["id"]
            self.ledger.note(name, id=self.servers[name])
        return answer


def gone(what, left, seconds):
    """What is left once nothing is, or when the time is over."""
    try:
        wait_for(what, lambda: not left(), seconds, 0.5)
    except TimeoutError:
        pass
    return left()
