"""Further libvirt hosts on the same machine, in namespaces of their own (deploy/lib/libvirt.sh)."""
import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import uuid

from cloud import free_subnet, process_lives, shell, wait_for  # noqa: F401

LIBVIRT = "deploy/lib/libvirt.sh"


class Node:
    """A further host on this machine; those of one subnet reach each other, and this machine at .1. It ends with this program at the
    latest."""

    def __init__(self, subnet, number=2, tcp=False, cgroups="own"):
        self.name = f"two{os.getpid()}n{number}"
        self.folder = tempfile.mkdtemp(prefix="virga-node.", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.subnet = subnet
        self.address = f"{subnet}.{number}"
        self.tcp = "1" if tcp else ""
        self.cgroups = cgroups
        atexit.register(self.stop)
        self.shell(f"libvirt_node_start {self.name} {self.folder} {self.address}")
        self.uri = shell(LIBVIRT, f"libvirt_node_uri {self.name}")

    def shell(self, words):
        return shell(LIBVIRT, f"export LIBVIRT_NODE_TCP={self.tcp} LIBVIRT_NODE_CGROUPS={self.cgroups}; {words}")

    def run(self, *words):
        return shell(LIBVIRT, f"libvirt_node_exec {self.name} {shlex.join(words)}")

    def spawn(self, log, *words):
        """A process inside it. Its id is the program's own: nsenter becomes what it runs."""
        with open(os.path.join(self.folder, "run/holder.pid"), encoding="ascii") as file:
            holder = file.read().strip()
        with open(log, "ab") as out:
            return subprocess.Popen(["nsenter", "-t", holder, "-m", "-n", "-u", "-i", "--", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

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

    def die(self):
        """As pulling its plug: everything that runs in it dies at once."""
        holder = self.run("cat", "/run/libvirt/holder.pid")
        for pid in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True).stdout.split():
            if pid != holder:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)

    def reboot(self):
        """It dies, if it has not already, and what a boot would not find is not there."""
        self.die()
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
        if os.path.exists(f"/run/virga-nodes/{self.name}"):
            shell(LIBVIRT, f"libvirt_node_stop {self.name}")
        subprocess.run(["rm", "-rf", self.folder], check=False)
