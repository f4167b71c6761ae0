"""Further libvirt hosts on the same machine, in namespaces of their own (deploy/lib/libvirt.sh)."""
import os
import shlex
import signal
import subprocess
import tempfile
import uuid

from cloud import process_lives, shell, wait_for

LIBVIRT = "deploy/lib/libvirt.sh"


def free_subnet(rng, net="10.97"):
    """The first three numbers of a /24 below `net` that no other test's hosts have."""
    taken = subprocess.run(["ip", "-4", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    return next(subnet for subnet in iter(lambda: f"{net}.{rng.randrange(1, 255)}", None) if f" {subnet}." not in taken)


class Node:
    """A further host on this machine; those of one subnet reach each other, and this machine at .1."""

    def __init__(self, subnet, number=2, tcp=False, cgroups="own"):
        self.name = f"two{os.getpid()}n{number}"
        self.folder = tempfile.mkdtemp(prefix="virga-node.", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.subnet = subnet
        self.address = f"{subnet}.{number}"
        self.tcp = "1" if tcp else ""
        self.cgroups = cgroups
        self.shell(f"libvirt_node_start {self.name} {self.folder} {self.address}")
        self.uri = shell(LIBVIRT, f"libvirt_node_uri {self.name}")

    def shell(self, words):
        return shell(LIBVIRT, f"export LIBVIRT_NODE_TCP={self.tcp} LIBVIRT_NODE_CGROUPS={self.cgroups}; {words}")

    def run(self, *words):
        return shell(LIBVIRT, f"libvirt_node_exec {self.name} {shlex.join(words)}")

    def virsh(self, *words):
        return self.run("virsh", "-q", *words)

    def libvirtd(self):
        with open(os.path.join(self.folder, "run/libvirtd.pid"), encoding="ascii") as file:
            return int(file.read())

    def kill_libvirtd(self):
        """Gone when this returns."""
        pid = self.libvirtd()
        os.kill(pid, signal.SIGKILL)
        wait_for("libvirtd's end", lambda: not process_lives(pid), 60)

    def reboot(self):
        """As pulling its plug: everything that runs in it dies, and what a boot would not find is not there."""
        holder = self.run("cat", "/run/libvirt/holder.pid")
        for pid in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True).stdout.split():
            if pid != holder:
                os.kill(int(pid), signal.SIGKILL)
        links = [line.split(":")[1].strip().split("@")[0] for line in self.run("ip", "-o", "link").splitlines()]
        for link in links:
            if link not in ("lo", "eth0"):
                subprocess.run(["ip", "-n", self.name, "link", "del", link], check=False, capture_output=True)
        self.run("find", "/run/libvirt", "-mindepth", "1", "-not", "-name", "holder.pid", "-delete")
        boot = os.path.join(self.folder, "boot_id")
        with open(boot, "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        self.run("mount", "--bind", boot, "/proc/sys/kernel/random/boot_id")
        self.shell(f"libvirt_node_start_daemons {self.name}")

    def stop(self):
        shell(LIBVIRT, f"libvirt_node_stop {self.name}")
        subprocess.run(["rm", "-rf", self.folder], check=False)
