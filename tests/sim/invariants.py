"""What must never be, checked on a cloud's database and on what its hosts really hold.

    python3 tests/sim/invariants.py DATABASE [--ledger FILE] [--agent-dir DIR]... [--libvirt URI]... [--busy]

DATABASE is the SQLite file or a postgres:// URL (read only, one snapshot). The ledger is what clients were promised (see ledger.py); agent
directories hold fake hosts (their `domains` files); URIs are libvirt daemons whose domains carry our ids. Each
invariant is a function below, its docstring the sentence; it yields one line per violation. Those marked `at_rest`
hold only once nothing is under way any more and are left out with --busy.
"""
import argparse
import collections
import ipaddress
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from tables import open_tables  # noqa: E402

FOREVER = 9223372036854775807
UNUSED_STATES = ("none", "gone", "building")  # no usage interval is open in these
SHELVES = ("shelving", "shelving-pending", "shelving-uploading", "shelved", "offloading", "unshelving")
INVARIANTS = []


def invariant(function=None, *, at_rest=False):
    """Registers a check: function(view) yields violations."""
    if function is None:
        return lambda f: invariant(f, at_rest=at_rest)
    function.at_rest = at_rest
    INVARIANTS.append(function)
    return function


class View:
    """One snapshot of the database, with the tables as lists of dicts, beside the hosts' own word."""

    def __init__(self, database, ledger=None, agent_dirs=(), libvirt_uris=(), others=(), unseen=()):
        """`others`: functions that give further hosts, as FakeHost is one; `unseen`: names of hosts that cannot be looked into."""
        self.database = database
        self.ledger = ledger
        self.agent_dirs, self.libvirt_uris, self.others, self.unseen = agent_dirs, libvirt_uris, others, unseen
        self.connection = open_tables(database)
        self.servers = {row["id"]: row for row in self.rows("server")}
        self.history = {row["id"]: row for row in self.rows("server_history")}
        self.hosts = {row["id"]: row for row in self.rows("host")}
        self.allocations = {row["server_id"]: row for row in self.rows("allocation")}
        self.slots = {row["id"]: row for row in self.rows("reservation_slot")}
        self.migrations = {row["uuid"]: row for row in self.rows("migration", "id")}
        self.operations = self.rows("operation", "server_id, started_us, id")
        self.events = self.rows("lifecycle_event", "id")
        self.intervals = self.rows("usage_interval", "server_id, begin_event")
        self.ports = {row["id"]: row for row in self.rows("port")}
        self.addresses = self.rows("port_address")
        self.held = [FakeHost(path) for directory in agent_dirs for path in fake_hosts(directory)]
        self.held += [LibvirtHost(uri, self.hosts.keys()) for uri in libvirt_uris] + [look() for look in others]

    def again(self):
        """The same a moment later."""
        return View(self.database, self.ledger, self.agent_dirs, self.libvirt_uris, self.others, self.unseen)

    def moves(self, server_id, host_id=None):
        """The server's migrations that have not ended; those of that host."""
        return [m for m in self.migrations.values() if not m["ended"] and m["server_id"] == server_id and
                host_id in (None, m["source_host"], m["target_host"])]

    def rows(self, table, order=None):
        text = f"SELECT * FROM {table}" + (f" ORDER BY {order}" if order else "")
        return [dict(row) for row in self.connection.execute(text)]

    def close(self):
        self.connection.close()


def fake_hosts(directory):
    """The folders of fake hosts below an agent's state directory."""
    places = [directory]
    below = os.path.join(directory, "fake")
    if os.path.isdir(below):
        places += [os.path.join(below, name) for name in os.listdir(below)]
    return [p for p in places if os.path.exists(os.path.join(p, "host_id")) and os.path.exists(os.path.join(p, "domains"))]


class FakeHost:
    """What a fake host holds: the last line about each domain, `id state traces disks plugged root ephemeral swap` (compute-agent/fake_guests.c)."""

    STATES = ("absent", "shutoff", "running", "paused", "saved", "crashed")

    def __init__(self, directory):
        self.name = directory
        with open(os.path.join(directory, "host_id"), encoding="ascii") as file:
            self.host_id = file.read().strip()
        self.domains, self.disks = {}, {}
        with open(os.path.join(directory, "domains"), encoding="ascii") as file:
            for line in file:
                server_id, state, traces, disks, plugged, *sizes = line.split()
                self.domains[server_id] = self.STATES[int(state)]
                self.disks[server_id] = (int(disks), int(plugged), [int(size) for size in sizes])  # 1: ephemeral, 2: swap; root and ephemeral in GiB, swap in MiB
                if state == "0" and traces == "0":
                    del self.domains[server_id]


class LibvirtHost:
    """The domains of a libvirt daemon that carry the ids of one of this cloud's hosts (<virga:server host= id=>)."""

    STATES = {"running": "running", "idle": "running", "blocked": "running", "paused": "paused", "shut off": "shutoff",
              "in shutdown": "running", "crashed": "crashed", "pmsuspended": "paused"}

    def __init__(self, uri, host_ids):
        self.name = uri
        self.host_id = None
        self.domains, self.disks = {}, {}
        for uuid in self.virsh("list", "--all", "--uuid").split():
            xml = self.virsh("dumpxml", uuid, check=False)  # one that went away since is nobody's
            mark = ElementTree.fromstring(xml).find("metadata/{*}server") if xml else None
            if mark is None or mark.get("host") not in host_ids:
                continue
            self.host_id = mark.get("host")
            state = self.STATES.get(self.virsh("domstate", uuid).strip(), "unknown")
            if state == "shutoff" and "yes" in self.virsh("dominfo", uuid).partition("Managed save:")[2].split("\n")[0]:
                state = "saved"
            self.domains[mark.get("id")] = state

    def virsh(self, *words, check=True):
        return subprocess.run(["virsh", "-q", "-c", self.name, *words], check=check, capture_output=True, text=True, timeout=60).stdout


def where(row, *names):
    return " ".join(f"{name}={row[name]}" for name in names)


# ---- what was promised ----

@invariant
def acknowledged_servers(view):
    """No acknowledged server is lost"""
    for promise in (view.ledger or {}).values():
        if promise["id"] and promise["id"] not in view.servers and promise["id"] not in view.history:
            yield f"server {promise['id']} ({promise['name']}) was promised and is nowhere"


@invariant
def acknowledged_deletes(view):
    """No acknowledged delete is forgotten, nothing that nobody deleted is gone"""
    for promise in (view.ledger or {}).values():
        server = view.servers.get(promise["id"])
        if server and promise["deleted"] and server["desired_exists"]:
            yield f"server {promise['id']} was deleted and is still wanted"
        if promise["id"] in view.history and not promise["delete_sent"]:
            yield f"server {promise['id']} is in history and nobody deleted it"


@invariant
def once_per_request(view):
    """A request that was repeated with its Idempotency-Key was carried out once"""
    if view.ledger is None:
        return
    names = collections.Counter(row["name"] for row in [*view.servers.values(), *view.history.values()])
    for name, count in names.items():
        if count > 1:
            yield f"{count} servers are called {name}"
        if name not in view.ledger:
            yield f"server {name} was asked for by nobody"


@invariant
def hot_or_history(view):
    """A server is either there or in history"""
    for server_id in view.servers.keys() & view.history.keys():
        yield f"server {server_id} is in both tables"


# ---- placement ----

def asked_of_host(server):
    """Processors, MiB and GiB: the flavor's, unless its extra specs say otherwise."""
    extra = json.loads(server["flavor_extra"])
    amounts = {"VCPU": server["vcpus"], "MEMORY_MB": server["memory_mib"], "DISK_GB": server["root_gib"] + server["ephemeral_gib"]}
    return tuple(int(extra.get(f"resources:{name}", amount)) for name, amount in amounts.items())


def processors(text):
    found = set()
    for item in filter(None, text.split(",")):
        first, _, last = item.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def cells_of(allocation):
    """What it holds of NUMA cells: processors, those that its guest is pinned to, MiB in huge pages."""
    topology = json.loads(allocation["topology"] or '{"cells": [], "page_kib": 0, "held": ""}')
    pins = [cpu for cell in topology["cells"] for cpu in cell["pins"] if cpu >= 0]
    huge_mib = sum(cell["memory_mib"] for cell in topology["cells"]) if topology["page_kib"] > 4 else 0
    return processors(topology["held"]), pins, huge_mib


def held_of_host(allocation):
    _, pins, huge_mib = cells_of(allocation)
    return allocation["vcpus"] + len(pins), allocation["memory_mib"] + huge_mib, allocation["disk_gib"]


@invariant
def processors_held_once(view):
    """No processor of a host is held by two, and every pin is one that is held and dedicated"""
    hosts = {host["id"]: json.loads(host["topology"]) for host in view.hosts.values()}
    taken = {}
    for a in view.allocations.values():
        held, pins, _ = cells_of(a)
        if not set(pins) <= held or len(set(pins)) != len(pins):
            yield f"pins of {a['server_id']} are not what it holds: {a['topology']}"
        for cpu in held:
            other = taken.setdefault((a["host_id"], cpu), a["server_id"])
            if other != a["server_id"]:
                yield f"processor {cpu} of host {a['host_id']} is held by {other} and {a['server_id']}"
        there = set().union(*(processors(cell["dedicated"]) for cell in hosts.get(a["host_id"], {}).get("cells", [])))
        if not held <= there:
            yield f"{a['server_id']} holds {sorted(held)} of host {a['host_id']}, whose dedicated processors are {sorted(there)}"


@invariant
def allocations_of_servers(view):
    """Every allocation belongs to a server on that host, every placed server has one with its size"""
    for allocation in view.allocations.values():
        server = view.servers.get(allocation["server_id"])
        if allocation["server_id"] in view.migrations or allocation["server_id"] in view.slots:
            continue
        if not server:
            yield f"allocation of a server that is gone: {where(allocation, 'server_id', 'host_id')}"
        elif server["host_id"] != allocation["host_id"]:
            yield f"server {server['id']} is on {server['host_id']}, its allocation on {allocation['host_id']}"
        elif any(asked > had for asked, had in zip(asked_of_host(server), held_of_host(allocation))):
            yield f"allocation smaller than its server: {where(allocation, 'server_id', 'vcpus', 'memory_mib', 'disk_gib')}"
    for server in view.servers.values():
        if server["host_id"] and server["id"] not in view.allocations:
            yield f"server {server['id']} is on host {server['host_id']} without an allocation"
        shelved = server["observed_state"] == "shelved" and server["operation"] is None and server["desired_exists"]  # on no host
        if bool(server["host_id"]) != (server["placement"] == "placed" and not shelved):
            yield f"placement and host disagree: {where(server, 'id', 'placement', 'host_id')}"


@invariant
def reserved_room(view):
    """A free slot of a reservation holds room on its host, one that a server took over does not hold it twice"""
    for slot in view.slots.values():
        held = view.allocations.get(slot["id"])
        if slot["server_id"] is None and (held is None or held["host_id"] != slot["host_id"]):
            yield f"a free slot holds {held}: {where(slot, 'id', 'reservation_id', 'host_id')}"
        if slot["server_id"] is not None and held is not None:
            yield f"a slot that is taken still holds room: {where(slot, 'id', 'server_id', 'host_id')}"


@invariant
def migrations_hold_room(view):
    """A migration holds room on the host that does not own its server, from when it has a target until it has ended"""
    for m in view.migrations.values():
        held = view.allocations.get(m["uuid"])
        server = view.servers.get(m["server_id"])
        if bool(held) != bool(m["target_host"] and not m["ended"]):
            yield f"allocation of a migration is {held}: {where(m, 'id', 'step', 'source_host', 'target_host')}"
        elif held and server and m["step"] not in ("clearing", "undoing"):
            if {held["host_id"], server["host_id"]} != {m["source_host"], m["target_host"]}:
                yield f"server on {server['host_id']}, room on {held['host_id']}: {where(m, 'id', 'step', 'source_host', 'target_host')}"


@invariant
def one_migration_each(view):
    """A server has one migration at a time that decides about its owner, and shows so"""
    deciding = collections.Counter(m["server_id"] for m in view.migrations.values() if m["step"] not in ("clearing", "undoing", "done"))
    moving = ("resize-prep", "resize-migrating", "resize-finish", "resized", "resize-reverting", "migrating", "rebuilding")
    for server_id, count in deciding.items():
        if count > 1:
            yield f"server {server_id} has {count} migrations"
    for server in view.servers.values():
        shown = server["operation"] in moving
        if server["desired_exists"] and shown != bool(deciding[server["id"]]):
            yield f"server {server['id']} shows {server['operation']}, it has {deciding[server['id']]} migrations"


@invariant
def images_are_made(view):
    """An image of a server that is not there yet is being made, and a server that shows so has one"""
    making = {row["image_id"]: row for row in view.rows("server_image")}
    for image in view.rows("image"):
        if image["status"] in ("queued", "saving") and "instance_uuid" in json.loads(image["properties"]) and image["id"] not in making:
            yield f"nobody makes image {where(image, 'id', 'status', 'name')}"
    makes = {row["operation_id"] for row in making.values()}
    for server in view.servers.values():
        if server["desired_exists"] and (server["operation"] or "").startswith("image-") and server["operation_id"] not in makes:
            yield f"server {server['id']} shows {server['operation']} and has no image"


@invariant
def shelf_is_the_servers(view):
    """Exactly the servers that are shelved, or on their way there or back, have an image on the shelf"""
    images = {row["id"]: row for row in view.rows("image")}
    shelf = {row["server_id"]: row for row in view.rows("server_shelf")}
    for server_id, row in shelf.items():
        server = view.servers.get(server_id)
        if not server or (server["operation"] not in SHELVES and server["observed_state"] != "shelved" and server["desired_exists"] and server["operation"] != "rebuilding"):
            yield f"an image is on the shelf for nobody: {where(row, 'server_id', 'image_id')}"
        elif server["desired_exists"] and server["operation"] in (None, "shelved", "offloading", "unshelving") and images.get(row["image_id"], {}).get("status") != "active":
            yield f"the disk of a shelved server is lost: {where(row, 'server_id', 'image_id')}"
    for server in view.servers.values():
        if (server["operation"] in SHELVES or server["observed_state"] == "shelved") and server["id"] not in shelf:
            yield f"server {server['id']} shows {server['operation']} {server['observed_state']} and has no image"


@invariant(at_rest=True)
def images_are_ended(view):
    """No image of a server is on its way, nor a host still asked for one"""
    for row in view.rows("server_image"):
        yield f"image {row['image_id']} of {row['server_id']} is not made"
    for row in view.rows("host_task"):
        if row["migration_id"] == 0:
            yield f"{row['kind']} {row['id']} of {row['server_id']} is {row['state']}"


@invariant(at_rest=True)
def migrations_ended(view):
    """Migrations wait for a confirmation, or have ended"""
    for m in view.migrations.values():
        if not m["ended"] and m["step"] != "verifying":
            yield f"still under way: {where(m, 'id', 'step', 'server_id', 'message')}"


@invariant
def hosts_count_right(view):
    """What each host counts as used is the sum over its allocations"""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for a in view.allocations.values():
        for place, amount in enumerate((a["vcpus"], a["memory_mib"], a["disk_gib"], 1)):
            sums[a["host_id"]][place] += amount
    for host in view.hosts.values():
        used = [host[name] for name in ("used_vcpus", "used_memory_mib", "used_disk_gib", "server_count")]
        if used != sums[host["id"]]:
            yield f"host {host['name']} counts {used}, its allocations are {sums[host['id']]}"
    for host_id in sums.keys() - view.hosts.keys():
        yield f"allocations on host {host_id}, which does not exist"


@invariant
def resources_count_right(view):
    """What each host counts of its further resources is the sum over its allocations, and no more than it has"""
    sums = collections.Counter()
    for a in view.allocations.values():
        for name, amount in json.loads(a["resources"] or "{}").items():
            if name != "PCPU" and not name.startswith("CUSTOM_HUGE_PAGES_"):  # hosts have those by their topology
                sums[a["host_id"], name] += amount
    for r in view.rows("host_resource"):
        held = sums.pop((r["host_id"], r["name"]), 0)
        if r["used"] != held or held > max((r["total"] - r["reserved"]) * r["ratio_permille"] // 1000, 0):
            yield f"host {r['host_id']} counts {r['used']} of {r['total']} {r['name']}, its allocations hold {held}"
    for (host_id, name), held in sums.items():
        yield f"allocations on host {host_id} hold {held} {name} that it does not have"


@invariant
def hosts_not_over_capacity(view):
    """No host holds more than its capacity"""
    for host in view.hosts.values():
        for used, total, reserved, ratio in (
                ("used_vcpus", "vcpus", "reserved_vcpus", "ratio_vcpus"),
                ("used_memory_mib", "memory_mib", "reserved_memory_mib", "ratio_memory"),
                ("used_disk_gib", "disk_gib", "reserved_disk_gib", "ratio_disk")):
            capacity = (host[total] - host[reserved]) * host[ratio] // 1000
            if host[used] > max(capacity, 0):
                yield f"host {host['name']}: {used} is {host[used]} of {capacity}"


@invariant
def queue_of_waiting(view):
    """Exactly the waiting servers stand in the placement queue"""
    queued = {row["server_id"] for row in view.rows("placement_queue")}
    waiting = {s["id"] for s in view.servers.values() if s["placement"] == "waiting" and s["desired_exists"]}
    for server_id in queued - waiting:
        yield f"server {server_id} is queued and does not wait"
    for server_id in waiting - queued:
        yield f"server {server_id} waits and is not queued"


@invariant
def anti_affinity_kept(view):
    """Members of an anti-affinity group are on different hosts"""
    groups = {g["id"]: g for g in view.rows("server_group") if g["policy"] == "anti-affinity"}
    members = collections.Counter((s["group_id"], s["host_id"]) for s in view.servers.values() if s["host_id"])
    for (group_id, host_id), count in members.items():
        if group_id in groups and count > groups[group_id]["max_per_host"]:
            yield f"{count} members of group {groups[group_id]['name']} on host {host_id}"


# ---- what hangs on servers ----

@invariant
def quotas_are_sums(view):
    """Each project's usage row is the sum over its servers"""
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for s in view.servers.values():
        for place, amount in enumerate((1, s["vcpus"], s["memory_mib"])):
            sums[s["project_id"]][place] += amount
    rows = {row["project_id"]: [row["instances"], row["cores"], row["ram"]] for row in view.rows("project_usage")}
    for project_id in sums.keys() | rows.keys():
        if rows.get(project_id, [0, 0, 0]) != sums[project_id]:
            yield f"project {project_id} counts {rows.get(project_id)}, its servers are {sums[project_id]}"


@invariant
def ports_of_servers(view):
    """No port or address belongs to a server that is gone"""
    for port in view.ports.values():
        if port["device_owner"].startswith("compute:") and port["device_id"] not in view.servers:
            yield f"port {port['id']} belongs to {port['device_id']}, which is gone"


@invariant
def addresses_of_ports(view):
    """Addresses are held once, and as their ports say"""
    held = collections.defaultdict(set)
    for row in view.addresses:
        held[row["port_id"]].add((row["subnet_id"], row["ip"]))
        if row["port_id"] not in view.ports:
            yield f"address {row['ip']} is held by port {row['port_id']}, which does not exist"
    for port in view.ports.values():
        said = {(a["subnet_id"], a["ip_address"]) for a in json.loads(port["fixed_ips"])}
        if said != held[port["id"]]:
            yield f"port {port['id']} says {sorted(said)} and holds {sorted(held[port['id']])}"
    shown = collections.Counter()
    for server in view.servers.values():
        for network in json.loads(server["addresses"]).values():
            shown.update(address["addr"] for address in network)
    for ip in shown:
        if not any(row["ip"] == ip for row in view.addresses):
            yield f"a server shows {ip}, which no port holds"


@invariant
def subnets_complete(view):
    """Every address of a subnet's pools is either free or held"""
    for subnet in view.rows("subnet"):
        if subnet["ip_version"] != 4:
            continue
        number = lambda text: int(ipaddress.ip_address(text))
        pools = [(number(p["start"]), number(p["end"])) for p in json.loads(subnet["pools"])]
        free = sorted((int(r["first_key"], 16), int(r["last_key"], 16))
                      for r in view.rows("subnet_free") if r["subnet_id"] == subnet["id"])
        for (_, end), (start, _) in zip(free, free[1:]):
            if start <= end:
                yield f"subnet {subnet['cidr']}: ranges of free addresses overlap"
        held = {number(r["ip"]) for r in view.addresses if r["subnet_id"] == subnet["id"]}
        inside = {ip for ip in held if any(a <= ip <= b for a, b in pools)}
        for ip in held:
            if any(a <= ip <= b for a, b in free):
                yield f"subnet {subnet['cidr']}: {ipaddress.ip_address(ip)} is held and free"
        total = sum(b - a + 1 for a, b in pools)
        count = sum(b - a + 1 for a, b in free) + len(inside)
        if count != total:
            yield f"subnet {subnet['cidr']}: {count} of {total} addresses are free or held"


@invariant(at_rest=True)
def operations_ended(view):
    """Operations of servers at rest, and of those that are gone, have ended"""
    for operation in view.operations:
        server = view.servers.get(operation["server_id"])
        if operation["state"] == "running" and not (server and (server["deadline_us"] or view.moves(server["id"]))):
            yield f"operation still runs: {where(operation, 'id', 'server_id', 'action')}"


@invariant
def one_create_each(view):
    """Each server was created once and deleted at most once"""
    counts = collections.Counter((o["server_id"], o["action"]) for o in view.operations)
    for server_id in [*view.servers, *view.history]:
        if counts[server_id, "create"] != 1:
            yield f"server {server_id} has {counts[server_id, 'create']} create operations"
        if counts[server_id, "delete"] > 1:
            yield f"server {server_id} has {counts[server_id, 'delete']} delete operations"
    for server_id in {o["server_id"] for o in view.operations} - view.servers.keys() - view.history.keys():
        yield f"operations of server {server_id}, which never was"


@invariant(at_rest=True)
def nothing_in_transition(view):
    """Nothing is stuck in a transition"""
    rest = {"running": ("running",), "stopped": ("stopped", "crashed", "shelved"), "paused": ("paused",), "suspended": ("suspended",)}
    for s in view.servers.values():
        what = where(s, "id", "placement", "desired_exists", "desired_power", "observed_state", "operation", "deadline_us", "fault_message")
        if not s["desired_exists"]:
            yield f"still being deleted: {what}"
        elif s["deadline_us"] or s["operation"] not in (None, "resized", "shelved"):
            yield f"under way: {what}"
        elif not s["fault_code"] and s["observed_state"] not in rest[s["desired_power"]]:
            yield f"not as desired: {what}"
        elif s["host_id"] and s["observed_revision"] < s["desired_revision"] and not s["fault_code"]:
            yield f"revision not carried out: {what} {where(s, 'observed_revision', 'desired_revision')}"


# ---- what hosts really hold ----

def shared_by_hosts(view):
    """Servers that run on several hosts, or are on several although they do not move: with those hosts."""
    holders, runners = collections.defaultdict(list), collections.defaultdict(list)
    for host in view.held:
        for server_id, state in host.domains.items():
            if state == "running":
                runners[server_id].append(host.name)
            if not view.moves(server_id, host.host_id):
                holders[server_id].append(host.name)
    return {server_id: names for places in (holders, runners) for server_id, names in places.items() if len(names) > 1}


@invariant
def one_host_each(view):
    """No server runs on two hosts, nor is on two unless it moves"""
    found = shared_by_hosts(view)
    if found:  # rows and hosts are read one after the other, and a server may have begun to move between: what is so stays so
        again = view.again()
        found = {server_id: names for server_id, names in shared_by_hosts(again).items() if server_id in found}
        again.close()
    for server_id, names in found.items():
        yield f"server {server_id} is on {names}"


@invariant(at_rest=True)
def hosts_hold_what_is_wanted(view):
    """Hosts hold exactly the domains that are wanted, in the state that is shown"""
    states = {"running": "running", "stopped": "shutoff", "paused": "paused", "suspended": "saved", "crashed": "crashed"}
    held = {}
    for host in view.held:
        for server_id, state in host.domains.items():
            server = view.servers.get(server_id)
            if state == "absent" and view.moves(server_id, host.host_id):
                continue
            held[server_id] = state
            if not server or (host.host_id and server["host_id"] != host.host_id):
                yield f"orphan domain {server_id} ({state}) on {host.name}"
            elif states.get(server["observed_state"]) != state and not server["fault_code"] and not (
                    state == "shutoff" and server["observed_state"] in ("suspended", "crashed")):
                yield f"server {server_id} is shown as {server['observed_state']}, its domain is {state}"
    for s in view.servers.values() if view.held else ():
        if s["observed_state"] in states and s["id"] not in held and view.hosts[s["host_id"]]["name"] not in view.unseen:
            yield f"server {s['id']} is shown as {s['observed_state']} and no host holds it"


@invariant(at_rest=True)
def hosts_hold_the_disks(view):
    """A server's host has the disks of its flavor and no others, as large as it says, its guest, while it is on, too; until a resize on the same host is confirmed those that were there are as they were; of one that is off they grow with its start"""
    resizes = {m["server_id"]: json.loads(m["old_flavor"]) for m in view.migrations.values() if m["step"] == "verifying" and m["kind"] == "resize" and m["source_host"] == m["target_host"]}
    for host in view.held:
        for server_id, (disks, plugged, sizes) in host.disks.items():
            server, state = view.servers.get(server_id), host.domains.get(server_id, "absent")
            if not server or server["host_id"] != host.host_id or server["fault_code"] or state == "absent":
                continue
            wanted = (server["ephemeral_gib"] > 0) + 2 * (server["swap_mib"] > 0)
            if disks != wanted or (state in ("running", "paused") and plugged != wanted):
                yield f"server {server_id} ({state}) has files of {disks}, a guest with {plugged}, its flavor has {wanted}"
            was = resizes.get(server_id, {"root_gib": server["root_gib"]})
            size = [was["root_gib"], was.get("ephemeral_gib") or server["ephemeral_gib"], was.get("swap_mib") or server["swap_mib"]]
            grows = state not in ("running", "paused") and all(a <= b for a, b in zip(sizes, size))
            if sizes != size and not grows:
                yield f"the disks of server {server_id} have {sizes} (root and ephemeral in GiB, swap in MiB), and should have {size}"


# ---- metering ----

@invariant
def events_once(view):
    """Every event of a host was taken once and in its order"""
    last = {}
    for event in view.events:
        if not event["host_id"]:
            continue
        if event["host_seq"] <= last.get(event["host_id"], 0):
            yield f"event out of order: {where(event, 'id', 'host_id', 'host_seq')} after {last[event['host_id']]}"
        last[event["host_id"]] = event["host_seq"]
    for host_id, seq in last.items():
        if host_id in view.hosts and view.hosts[host_id]["event_seq"] < seq:
            yield f"host {host_id} gave event {seq}, its row says {view.hosts[host_id]['event_seq']}"


@invariant(at_rest=True)
def events_metered(view):
    """Metering has taken over every event"""
    newest = view.events[-1]["id"] if view.events else 0
    positions = [row["position"] for row in view.rows("meter_cursor")]
    if newest and (not positions or min(positions) < newest):
        yield f"metering is at {positions}, the newest event is {newest}"


SIZE = ("project_id", "host_id", "flavor_name", "vcpus", "memory_mib", "disk_gib", "zone", "tags")


def expected_intervals(events):
    """The intervals of one server's events, told again independently: [(begin, end, state, size)]."""
    intervals, extra = [], None
    for event in events:
        running = intervals and intervals[-1][1] == FOREVER
        size = [event[name] for name in SIZE]
        if not event["host_id"]:  # the controller's own
            size[1] = "" if event["state"] == "shelved" else event["place"] or (intervals[-1][3][1] if running else "")
        size = tuple(size)
        if running and intervals[-1][2:] == (event["state"], size) and event["extra"] == extra:
            continue
        extra = event["extra"]
        at = event["at_us"]
        if running:
            at = max(at, intervals[-1][0])
            intervals[-1] = (intervals[-1][0], at, *intervals[-1][2:])
        if event["state"] not in UNUSED_STATES:
            intervals.append((at, FOREVER, event["state"], size))
    return intervals


@invariant(at_rest=True)
def intervals_are_the_events(view):
    """Usage intervals are what the lifecycle events say, to the microsecond"""
    events, intervals = collections.defaultdict(list), collections.defaultdict(list)
    for event in view.events:
        events[event["server_id"]].append(event)
    for row in view.intervals:
        size = tuple(row[name] for name in SIZE)
        intervals[row["server_id"]].append((row["begin_us"], row["end_us"], row["state"], size))
    for server_id in events.keys() | intervals.keys():
        expected = expected_intervals(events[server_id])
        if intervals[server_id] != expected:
            yield f"server {server_id} has {[i[:3] for i in intervals[server_id]]}, its events make {[i[:3] for i in expected]}"


@invariant
def usage_without_gap(view):
    """No second of a server's life is billed twice or not at all"""
    by_server = collections.defaultdict(list)
    for row in view.intervals:
        by_server[row["server_id"]].append(row)
    rebuilt = {(event["server_id"], event["at_us"]) for event in view.events if event["state"] == "none"}
    for server_id, rows in by_server.items():
        for before, after in zip(rows, rows[1:]):
            if before["end_us"] != after["begin_us"] and (server_id, before["end_us"]) not in rebuilt:
                yield f"server {server_id}: an interval ends at {before['end_us']}, the next begins at {after['begin_us']}"
        for row in rows:
            if row["end_us"] < row["begin_us"]:
                yield f"server {server_id}: an interval ends before it begins"


@invariant(at_rest=True)
def usage_is_life(view):
    """Usage begins with the first start and ends with the server"""
    first, last = {}, {}
    for row in view.intervals:
        first.setdefault(row["server_id"], row["begin_us"])
        last[row["server_id"]] = row["end_us"]
    clamped = {e["server_id"] for e in backward_events(view.events)}
    for server_id, server in {**view.history, **view.servers}.items():
        if server_id in clamped:
            continue
        if server["launched_us"] and first.get(server_id, FOREVER) > server["launched_us"]:
            yield f"server {server_id} first ran at {server['launched_us']}, its usage begins at {first.get(server_id)}"
        if server_id in view.servers and server["launched_us"] and last.get(server_id) != FOREVER:
            yield f"server {server_id} is there, its usage ended at {last.get(server_id)}"
    for server_id, server in view.history.items():
        if server_id in last and server_id not in clamped and last[server_id] != server["deleted_us"]:
            yield f"server {server_id} was gone at {server['deleted_us']}, its usage ends at {last[server_id]}"


def backward_events(events):
    newest = {}
    for event in events:
        if event["at_us"] < newest.get(event["server_id"], 0):
            yield event
        newest[event["server_id"]] = max(event["at_us"], newest.get(event["server_id"], 0))


@invariant
def database_whole(view):
    """The database file is whole"""
    for row in view.connection.execute("PRAGMA integrity_check"):
        if row[0] != "ok":
            yield row[0]


# ---- running them ----

def check(view, busy=False):
    """Yields (sentence, violations) for each invariant."""
    for function in INVARIANTS:
        if not (busy and function.at_rest):
            yield function.__doc__, list(function(view))


def broken(view):
    """The names of the invariants that do not hold."""
    return {function.__name__ for function in INVARIANTS if list(function(view))}


def read_ledger(path):
    """Name -> promise, from lines of JSON of which the last about a name counts."""
    ledger = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            promise = json.loads(line)
            ledger[promise["name"]] = promise
    return ledger


def main():
    parser = argparse.ArgumentParser(description="Checks what must never be on a cloud's database.")
    parser.add_argument("database")
    parser.add_argument("--ledger")
    parser.add_argument("--agent-dir", action="append", default=[])
    parser.add_argument("--libvirt", action="append", default=[], metavar="URI")
    parser.add_argument("--busy", action="store_true", help="things are under way: leave out what holds at rest only")
    options = parser.parse_args()
    ledger = read_ledger(options.ledger) if options.ledger else None
    view = View(options.database, ledger, options.agent_dir, options.libvirt)
    failures = 0
    for sentence, violations in check(view, options.busy):
        failures += bool(violations)
        print(f"{'not ok' if violations else 'ok'}: {sentence}")
        for line in violations[:20]:
            print(f"#   {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
