"""A host of containers for a benchmark's cloud: a libvirtd in namespaces of its own (deploy/lib/libvirt.sh), where LXC works whatever this
machine's control groups look like."""
import io
import os
import random
import shlex
import subprocess
import tarfile
import tempfile

from cloud import end_process, wait_until
from real import ROOT, RealHost, shell

LIBVIRT = "deploy/lib/libvirt.sh"


def root_archive():
    """The tiny root of tests, whose init ends at once when it is told to."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/root.tar.gz"
        subprocess.run([ROOT / "deploy/guest/build-root-tar.sh", path], check=True, capture_output=True)
        out = io.BytesIO()
        with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as new:
            for entry in old:
                data = old.extractfile(entry).read() if entry.isreg() else b""
                if entry.name == "./sbin/init":
                    data = data.replace(b"sleep 0.3; ", b"")
                    entry.size = len(data)
                new.addfile(entry, io.BytesIO(data) if entry.isreg() else None)
        return out.getvalue()


class ContainerHost(RealHost):
    """Its agent runs beside that libvirtd, and reaches the API at the first address of their network."""

    def __init__(self, cloud, options=()):
        self.subnet = f"10.97.{random.randrange(1, 255)}"
        super().__init__(cloud, (*options, "hypervisor_uri = lxc:///system", f"pid_file = {cloud.home}/real.pid"))
        self.name, self.folder = f"bench{os.getpid()}", tempfile.mkdtemp(prefix="virga-bench-node.", dir="/var/tmp")
        os.chmod(self.folder, 0o755)

    def node(self, words):
        return shell(LIBVIRT, f"export LIBVIRT_NODE_CGROUPS=shared; {words}")

    def execute(self, *words):
        return self.node(f"libvirt_node_exec {self.name} {shlex.join(words)}")

    def __enter__(self):
        self.node(f"libvirt_node_start {self.name} {self.folder} {self.subnet}.2")
        tokens = self.home + "/tokens"
        with open(tokens, "w", encoding="ascii") as f:
            f.write(self.cloud.virga("host", "add", "containers"))
        agent = f"{self.cloud.build}/virga-agent"
        subprocess.run([agent, "--config", self.config, "--join", self.cloud.agent_url, "--token-file", tokens, "--join-only"], check=True,
                       capture_output=True)
        command = shlex.join([agent, "--config", self.config, "--url", f"https://{self.subnet}.1:{self.cloud.agent_port}"])
        with open(self.home + "/log", "ab") as log:
            self.agent = subprocess.Popen(["bash", "-c", f". {ROOT / LIBVIRT}; libvirt_node_exec {self.name} {command}"], stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL)
        wait_until(60, "the host up", lambda: self.cloud.hosts_up() >= 1, 0.1)
        with open(f"{self.cloud.home}/real.pid", encoding="ascii") as f:
            self.agent_pid = int(f.read())
        with open(f"{self.folder}/run/holder.pid", encoding="ascii") as f:
            self.inside = f"/proc/{int(f.read())}/root"
        return self

    def __exit__(self, kind, value, trace):
        if os.path.exists(f"{self.cloud.home}/real.pid"):
            subprocess.run(["kill", str(self.agent_pid)], check=False)
        end_process(self.agent)
        try:
            self.execute(f"{self.cloud.build}/virga-agent", "--config", self.config, "--purge")
        finally:
            self.node(f"libvirt_node_stop {self.name}")
            subprocess.run(["rm", "-rf", self.folder], check=False)

    def boots(self, server):
        """How often its init has come to the end."""
        try:
            with open(f"{self.inside}{self.instances}/{server}/root/root/boots", encoding="ascii") as f:
                return f.read().count("x")
        except OSError:
            return 0
