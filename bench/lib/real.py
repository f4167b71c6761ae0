"""This machine's libvirt as a host of a benchmark's cloud, and guests that are really booted on it."""
import os
import pathlib
import random
import subprocess

from cloud import end_process, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLEEPER = b"\xfa\xf4\xeb\xfc"  # cli; hlt; jmp back: a boot sector that leaves the processor alone


def shell(library, words):
    done = subprocess.run(["bash", "-c", f". {ROOT / library}; {words}"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def virsh(*words):
    done = subprocess.run(["virsh", "-q", "-c", "qemu:///system", *words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"virsh {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def sleeper_image():
    return SLEEPER.ljust(510, b"\0") + b"\x55\xaa" + bytes(65536 - 512)


class RealHost:
    """Use as a context inside the cloud's; its agent is the only one. Nothing of it stays in libvirt."""

    def __init__(self, cloud, options=()):
        shell("deploy/lib/libvirt.sh", "libvirt_ensure_running")
        self.cloud, self.home = cloud, cloud.place("/var/lib/virga/real")
        for folder in (cloud.home, cloud.place("/var"), cloud.place("/var/lib"), cloud.place("/var/lib/virga")):
            os.chmod(folder, os.stat(folder).st_mode | 0o011)  # QEMU and dnsmasq reach their files as other users
        os.makedirs(self.home, 0o711)
        self.instances = self.home + "/instances"
        self.config = self.home + "/agent.conf"
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"state_dir = {self.home}/state\ninstances_dir = {self.instances}\nimage_dir = {self.home}/images\n"
                    f"dhcp_dir = {self.home}/dhcp\nlog_level = warn\n" + "".join(f"{o}\n" for o in options))

    def __enter__(self):
        tokens = self.home + "/tokens"
        with open(tokens, "w", encoding="ascii") as f:
            f.write(self.cloud.virga("host", "add", "real"))
        with open(self.home + "/log", "ab") as log:
            self.agent = subprocess.Popen([f"{self.cloud.build}/virga-agent", "--config", self.config, "--join", self.cloud.agent_url,
                                           "--token-file", tokens], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.cloud.agents.append(self.agent)
        wait_until(60, "the host up", lambda: self.cloud.hosts_up() >= 1, 0.1)
        return self

    def __exit__(self, kind, value, trace):
        end_process(self.agent)
        self.cloud.agents.remove(self.agent)
        subprocess.run([f"{self.cloud.build}/virga-agent", "--config", self.config, "--purge"], timeout=600, check=False)

    def add_image(self, name, data, disk_format, **properties):
        image = self.cloud.good("POST", "/image/v2/images", {"name": name, "disk_format": disk_format, "container_format": "bare", **properties})["id"]
        answer = self.cloud.call("PUT", f"/image/v2/images/{image}/file", data, {"Content-Type": "application/octet-stream"})
        if answer.status != 204:
            raise RuntimeError(f"image upload: {answer.status} {answer.body[:500]}")
        return image

    def add_network(self):
        return self.cloud.make_network(f"10.{random.randrange(130, 190)}.{random.randrange(256)}.0/24")

    def server(self, server_id):
        return self.cloud.good("GET", f"/compute/v2.1/servers/{server_id}")["server"]

    def wait_status(self, server_id, status, seconds=120):
        def reached():
            server = self.server(server_id)
            if server["status"] == "ERROR":
                raise RuntimeError(f"server in ERROR: {server.get('fault')}")
            return server["status"] == status and not server["OS-EXT-STS:task_state"]
        wait_until(seconds, f"{status} of a server", reached, 0.05)
