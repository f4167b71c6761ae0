"""Containers that somebody made with virsh before there was a cloud: imported as they run, refused with the reason, given back, deleted."""
import os
import re
import subprocess
import time
import uuid

import say
from cloud import BUILD, shell, wait_for

MARK = "https://virga.dev/xmlns/agent/1"
VIRSH = ("virsh", "-q", "-c", "lxc:///system")
OPEN_US = (1 << 63) - 1
USERS = 700000  # the first of its users on the host
MAP = "<idmap><uid start='0' target='{0}' count='65536'/><gid start='0' target='{0}' count='65536'/></idmap>"


class Site:
    """Where they are: a folder and a network of the host's own."""

    def __init__(self, t):
        self.t = t
        self.folder = os.path.join(t.folder, "site")
        os.mkdir(self.folder, 0o755)
        self.net = f"10.{t.rng.randrange(60, 90)}.{t.rng.randrange(256)}"
        path = os.path.join(self.folder, "net.xml")
        with open(path, "w", encoding="ascii") as file:
            file.write(shell("tests/e2e/lib/guest.sh", f"guest_network_xml site site0 {self.net}"))
        t.node.virsh("net-create", path)
        self.network = t.api.call("POST", "/network/v2.0/networks", {"network": {"name": "site"}}).json["network"]["id"]
        t.api.call("POST", "/network/v2.0/subnets", {"subnet": {"network_id": self.network, "ip_version": 4, "cidr": f"{self.net}.0/24"}})
        self.machines = []

    def root(self, name, owner=USERS):
        """A folder with a container's files."""
        path = os.path.join(self.folder, name)
        os.mkdir(path, 0o755)
        subprocess.run(["tar", "-xf", self.t.archive, "-C", path], check=True)
        subprocess.run(["chown", "-R", f"{owner}:{owner}", path], check=True)
        return path

    def virga(self, *words):
        return subprocess.run([os.path.join(BUILD, "virga"), *words, "--prefix", self.t.cloud.prefix], capture_output=True, text=True, timeout=120, check=False)

    def imports(self, *words):
        """`virga import host`, again while the hypervisor of a busy machine does not answer."""
        silent = re.compile("does not answer|did not answer in time|connection|not connected")
        host = next(name for (name,) in self.t.cloud.query("SELECT name FROM host") if name.startswith("lxc"))
        words = ("import", "host", host, *words, "--project", "admin", "--network", "site")
        return wait_for("an answer of the hypervisor", lambda: not silent.search((d := self.virga(*words)).stderr) and d, 300, 1)

    def end(self):
        for machine in self.machines:
            machine.remove()
        self.t.node.virsh("net-destroy", "site")
        self.t.api.call("DELETE", f"/network/v2.0/networks/{self.network}")


class Machine:
    def __init__(self, site, name, files, users=MAP.format(USERS), nics="<interface type='network'><source network='site'/></interface>", more="", how="define"):
        """`files`: (attributes of the file system, of its source, where it is) each."""
        self.site, self.node, self.name, self.id = site, site.t.node, name, str(uuid.uuid4())
        systems = "".join(f"<filesystem {kind}><source {source}/><target dir='{at}'/></filesystem>" for kind, source, at in files)
        path = os.path.join(site.folder, f"{name}.xml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"<domain type='lxc'><name>{name}</name><uuid>{self.id}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>{users}"
                       f"<os><type>exe</type><init>/sbin/init</init></os><devices>{systems}{nics}{more}<console type='pty'/></devices></domain>")
        self.virsh(how, path)
        site.machines.append(self)

    def virsh(self, *words):
        return self.node.run(*VIRSH, *words)

    def xml(self, *words):
        return self.virsh("dumpxml", *words, self.name)

    def life(self):
        """Its first process and when that began: another one after each start."""
        over = self.virsh("domid", self.name).strip()
        first = subprocess.run(["pgrep", "-P", over], capture_output=True, text=True, check=True).stdout.split()[0]
        with open(f"/proc/{first}/stat", encoding="ascii") as file:
            return first, file.read().rsplit(")", 1)[1].split()[19]

    def lease(self):
        mac = re.search(r"mac address='(.*?)'", self.xml())[1]
        found = re.search(rf"{mac}.*?(10\.\S+)/24", self.node.virsh("net-dhcp-leases", "site"))
        return found and (mac, found[1])

    def exists(self):
        return self.name in self.virsh("list", "--all", "--name").split()

    def log(self):
        return os.path.join(self.site.t.folder, "log/lxc", f"{self.name}.log")

    def remove(self):
        for words in (("destroy", self.name), ("undefine", self.name)):
            try:
                self.virsh(*words)
            except RuntimeError:
                pass  # it is off, or gone
        if os.path.exists(self.log()):
            os.unlink(self.log())


def folder(path, mode=""):
    return f"type='mount' {mode}", f"dir='{path}'", "/"


def refusals(site, one):
    """What nobody's tenant may have, or nobody else."""
    t, path = site.t, site.root("other")
    stranger = os.path.join(t.folder, "instances", "stranger")
    os.makedirs(stranger, exist_ok=True)
    inner = os.path.join(path, "srv")
    os.mkdir(inner)
    cases = {
        "rootless": (([],), {}, "its root is the host's own"),
        "hosts": (([folder("/")],), {}, "is the host's own root"),
        "inside": (([folder(stranger)],), {}, "among the cloud's own files"),
        "writes": (([folder(site.root("writes")), ("type='mount'", "dir='/etc'", "/host")],), {}, "it may write to the host's own /etc"),
        "shared": (([folder(path)],), {}, "its file system / is shared with within"),
        "within": (([folder(inner)],), {}, "its file system / is shared with shared"),
        "missing": (([folder(path + "-none")],), {}, "is not there"),
        "device": (([folder(site.root("device"))],), {"more": "<hostdev mode='capabilities' type='misc'><source><char>/dev/net/tun</char></source></hostdev>"},
                   "a device of its host (hostdev)"),
        "netless": (([folder(site.root("netless"))],), {"nics": ""}, "the host's own network"),
        "mapped": (([folder(site.root("mapped"))],), {"users": MAP.format(1 << 30)}, "among those that the cloud gives"),
        "privileged": (([folder(site.root("privileged"))],), {"users": ""}, "its root is the host's root: it has no users of its own (it can be had with --privileged)"),
        "halfroot": (([folder(site.root("halfroot"))],), {"users": MAP.format(0)}, "the host's root is among its users"),
        "passing": (([folder(site.root("passing", 0))],), {"users": "", "how": "create"}, "it is transient"),
    }
    made = {name: Machine(site, name, *words, **more) for name, (words, more, _) in cases.items()}
    said = site.imports("--dry-run")
    rows = {line.split()[0]: line for line in said.stdout.splitlines() if line.strip()}
    for name, (_, _, reason) in cases.items():
        say.check(f"not imported: {reason}", reason in rows.get(name, "") and "no: " in rows[name], [rows.get(name, said.stdout), said.stderr])
    say.check("beside them one can be, and the exit status says that others cannot", said.returncode == 1 and re.search(r"\b0 +imported-1c-64m-0g-.*could be", rows.get(one.name, "")), [rows])
    real = site.imports("hosts", "shared", "privileged")
    say.check("nor are they without --dry-run", real.returncode == 1 and real.stdout.count("no: ") == 3, [real.stdout, real.stderr])
    wanted = site.imports("privileged", "--privileged", "--dry-run")
    say.check("who insists on a privileged one gets it, with a warning", wanted.returncode == 0 and "could be, though its root is the host's root" in wanted.stdout,
              [wanted.stdout, wanted.stderr])
    for machine in made.values():
        machine.remove()
    os.rmdir(stranger)


def lives(site, one, first):
    """What an imported one can do, and what not."""
    t = site.t
    for action, state in (("pause", "PAUSED"), ("unpause", "ACTIVE")):
        t.tenant.act(one.id, {action: None})
        say.check(f"imported, {action}: {state}", t.tenant.wait(one.id, state, seconds=120), [t.tenant.show(one.id)])
    say.check("which is no restart", one.life() == first, [first])
    for action in ({"createImage": {"name": "x"}}, {"resize": {"flavorRef": t.tenant.ground["flavor"]}}):
        answer = t.api.call("POST", f"/compute/v2.1/servers/{one.id}/action", action, expect=(501,))
        say.check(f"{next(iter(action))} is refused with the reason", b"was imported" in answer.body, [answer.body])
    shown = t.api.call("GET", f"/compute/v2.1/servers/{one.id}/diagnostics", microversion="2.48").json
    say.check("diagnostics count its processor and its nic", shown["cpu_details"][0]["time"] > 0 and shown["nic_details"][0]["rx_octets"] > 0, [shown])
    t.tenant.act(one.id, {"os-stop": None})
    say.check("it stops", t.tenant.wait(one.id, "SHUTOFF", seconds=120) and "shut off" in one.virsh("domstate", one.name), [t.tenant.show(one.id)])
    t.tenant.act(one.id, {"os-start": None})
    say.check("and starts", t.tenant.wait(one.id, "ACTIVE", seconds=120), [t.tenant.show(one.id)])
    second = one.life()
    for kind in ("SOFT", "HARD"):
        before = one.life()
        t.tenant.act(one.id, {"reboot": {"type": kind}})
        say.check(f"reboot {kind}", t.tenant.wait(one.id, "ACTIVE", seconds=120) and one.life() != before, [t.tenant.show(one.id)])
    return second


def comes(site, one, first):
    t, mac_and_address = site.t, wait_for("its lease", one.lease, 60, 0.2)
    had = one.xml()
    begun = time.time()
    done = site.imports(one.name)
    t.kill_agent()
    t.start_agent()
    t.ledger.note(one.name, id=one.id)
    say.check("a container that runs is imported", done.returncode == 0 and " yes" in done.stdout, [done.stdout, done.stderr])
    server, ended = t.tenant.wait(one.id, "ACTIVE", seconds=120), time.time()
    say.check("it is a server, active, though the agent was killed", server and server["name"] == one.name, [t.tenant.show(one.id)])
    say.check("its first process is the same as before", one.life() == first, [first, one.life()])
    addresses = [(a["OS-EXT-IPS-MAC:mac_addr"], a["addr"]) for net in server["addresses"].values() for a in net]
    say.check("with its MAC and its address", addresses == [mac_and_address], [addresses, mac_and_address])
    held = t.cloud.query("SELECT vcpus, memory_mib, disk_gib FROM allocation WHERE server_id = ?", one.id)
    say.check("its host holds room for it; of a folder nobody says how much it may be", held == [(1, 64, 0)], held)
    wait_for("rest", lambda: not t.cloud.busy(), 60)
    plain = lambda xml: re.sub(r"\s*<metadata>.*?</metadata>", "", xml, flags=re.DOTALL)  # noqa: E731
    say.check("its definition is as it was, but for our mark", MARK in one.xml() and plain(one.xml()) == plain(had), [had, one.xml()])
    usage = wait_for("its usage", lambda: t.cloud.query("SELECT begin_us, end_us FROM usage_interval WHERE server_id = ? ORDER BY begin_us", one.id), 60)
    say.check("it is metered from the import on", begun - 1 <= usage[0][0] / 1e6 <= ended + 1 and usage[-1][1] == OPEN_US, [begun, ended, usage])
    counted = lambda: t.cloud.query("SELECT sum(u.cpu_ns), sum(u.net_in_bytes) FROM usage_counter u JOIN usage_name n ON n.no = u.subject_no WHERE n.text = ?", one.id)[0]  # noqa: E731
    try:
        wait_for("its counters", lambda: all(counted()), 60)
    except TimeoutError:
        pass
    say.check("and its counters with it", all(counted()), [counted()])
    again = site.imports(one.name)
    say.check("it is nobody's container any more", again.returncode == 1 and "no such machine" in again.stderr, [again.stdout, again.stderr])


def leaves(site, one):
    t, before = site.t, one.life()
    t.ledger.note(one.name, delete_sent=True)
    done = site.virga("release", one.id)
    t.kill_agent()
    t.start_agent()
    say.check("it is released", done.returncode == 0, [done.stdout, done.stderr])
    wait_for("the server's end", lambda: not t.cloud.query("SELECT 1 FROM server WHERE id = ?", one.id), 120)
    wait_for("rest", lambda: not t.cloud.busy(), 60)
    say.check("the container runs on, since the same start", one.life() == before, [before, one.life()])
    say.check("with no mark of ours, its definition neither", MARK not in one.xml() + one.xml("--inactive"), [one.xml()])
    say.check("and nothing of it is left with the agent", not os.path.exists(os.path.join(t.folder, "instances", one.id)))
    say.check("its usage has ended", t.cloud.query("SELECT count(*) FROM usage_interval WHERE server_id = ? AND end_us = ?", one.id, OPEN_US) == [(0,)])
    back = site.imports(one.name)
    say.check("it cannot come a second time, which is said", "has been here" in back.stdout and back.returncode == 1, [back.stdout])


def ends(site):
    """Deleted: what is in folders stays, a file with a file system goes, one that it may only read does not."""
    t, path = site.t, site.root("gone")
    data, extra = os.path.join(site.folder, "data"), os.path.join(site.folder, "read")
    for file in (data, extra):
        subprocess.run(["mke2fs", "-q", "-t", "ext4", file, "16M"], check=True, capture_output=True)
    gone = Machine(site, "gone", [folder(path), ("type='file'", f"file='{data}'", "/data"), ("type='file'", f"file='{extra}'", "/extra")])
    xml = gone.xml()
    file_of = os.path.join(site.folder, "gone.xml")
    with open(file_of, "w", encoding="ascii") as file:
        file.write(xml.replace("<target dir='/extra'/>", "<target dir='/extra'/><readonly/>"))
    gone.virsh("define", file_of)
    done = site.imports("gone")
    t.ledger.note("gone", id=gone.id)
    say.check("one that is off is imported, with a file that is one of its file systems", done.returncode == 0 and t.tenant.wait(gone.id, "SHUTOFF", seconds=120), [done.stdout, done.stderr])
    held = t.cloud.query("SELECT disk_gib FROM allocation WHERE server_id = ?", gone.id)
    say.check("whose size counts", held == [(1,)], held)
    t.tenant.delete("gone", gone.id)
    wait_for("the server's end", lambda: not t.cloud.query("SELECT 1 FROM server WHERE id = ?", gone.id), 120)
    wait_for("rest", lambda: not t.cloud.busy(), 60)
    say.check("deleted, it is gone with that file", not gone.exists() and not os.path.exists(data), [os.listdir(site.folder)])
    say.check("but its folder is as it was, and what it could only read", os.path.exists(os.path.join(path, "bin/busybox")) and os.path.exists(extra))


def deleted_alive(site):
    t, path = site.t, site.root("alive")
    alive = Machine(site, "alive", [folder(path)])
    alive.virsh("start", "alive")
    done = site.imports("alive")
    t.ledger.note("alive", id=alive.id)
    say.check("another one that runs is imported", done.returncode == 0 and t.tenant.wait(alive.id, "ACTIVE", seconds=120), [done.stdout, done.stderr])
    had = os.path.exists(alive.log())
    t.tenant.delete("alive", alive.id)
    wait_for("the server's end", lambda: not t.cloud.query("SELECT 1 FROM server WHERE id = ?", alive.id), 120)
    say.check("deleted while it runs it is gone with its log, and its folder stays", had and not alive.exists() and not os.path.exists(alive.log()) and os.path.exists(os.path.join(path, "bin/busybox")))


def all_of_it(t):
    site = Site(t)
    one = Machine(site, "one", [folder(site.root("one"))])
    one.virsh("start", "one")
    first = one.life()
    refusals(site, one)
    say.check("nothing of that changes anything", MARK not in one.xml() and one.life() == first)
    comes(site, one, first)
    lives(site, one, first)
    leaves(site, one)
    ends(site)
    deleted_alive(site)
    site.end()
