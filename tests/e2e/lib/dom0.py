"""Xen with its first domain, as a machine under QEMU (build-dom0.sh). It sees this machine's loopback as 10.0.2.2."""
import os
import subprocess
import tempfile
import time

from cloud import ROOT, free_ports, process_lives, wait_for

CACHE = os.environ.get("VIRGA_XEN_CACHE", "/var/cache/virga/xen")
CONTROLLER = "10.0.2.2"
# It has the container that PVH needs; with rdtscp Xen hides it under emulation.
PROCESSOR = "phenom,+svm,+npt,-rdtscp"
START_S = 300


def is_built():
    return os.path.isdir(CACHE) and any(name.startswith("dom0-") and not name.endswith(".new") for name in os.listdir(CACHE))


class Dom0:
    """`devices`: further words for QEMU."""

    def __init__(self, processor=PROCESSOR, devices=()):
        self.address = None  # where another dom0 reaches it
        built = subprocess.run([os.path.join(ROOT, "tests/e2e/lib/build-dom0.sh"), CACHE], check=True, capture_output=True, text=True)
        self.image = built.stdout.strip().splitlines()[-1]
        self.folder = tempfile.mkdtemp(prefix="virga-dom0.", dir=os.environ.get("VIRGA_TEST_DIR", "/var/tmp"))
        self.port = free_ports(1)
        disk = os.path.join(self.folder, "disk.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", os.path.join(self.image, "dom0.qcow2"), "-F", "qcow2", disk, "12G"], check=True)
        self.serial = os.path.join(self.folder, "serial.log")
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,accel=tcg", "-cpu", processor,
                 "-smp", "1", "-m", "1536", "-serial", f"file:{self.serial}", "-kernel", os.path.join(self.image, "xen"),
                 "-append", "dom0_mem=640M,max:640M dom0_max_vcpus=1 console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning noreboot",
                 "-initrd", f"{self.image}/vmlinuz console=hvc0 quiet nokaslr mitigations=off,{self.image}/initrd.gz",
                 "-drive", f"file={disk},if=none,id=d0,cache=unsafe", "-device", "virtio-blk-pci,drive=d0,romfile=",
                 "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=n0,romfile=,addr=0x8",
                 "-device", "virtio-rng-pci", *devices]
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        start = time.monotonic()
        wait_for("dom0 is ready", self.ready, START_S, 0.5)
        self.start_s = time.monotonic() - start
        self.run("resize2fs /dev/vda")

    def ready(self):
        if not process_lives(self.process.pid):
            raise RuntimeError(f"dom0 ended: {self.console()[-2000:]}")
        return "DOM0 READY" in self.console()

    def console(self):
        try:
            with open(self.serial, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def command(self, words):
        return ["ssh", "-q", "-p", str(self.port), "-i", os.path.join(self.image, "key"), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "root@127.0.0.1", words]

    def run(self, words, check=True, seconds=180, **options):
        result = subprocess.run(self.command(words), capture_output=True, timeout=seconds, check=False, **options)
        if check and result.returncode:
            raise RuntimeError(f"dom0: {words}: {result.stdout.decode()}{result.stderr.decode()}")
        return result.stdout.decode(errors="replace")

    def put(self, path, data, mode="0644"):
        self.run(f"mkdir -p $(dirname {path}) && cat >{path} && chmod {mode} {path}", input=data)

    def stop(self):
        if process_lives(self.process.pid):
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["rm", "-rf", self.folder], check=False)


def pair(shared):
    """Two that reach each other, and see this machine's folder `shared` as /srv/shared; their libvirts take each other's guests."""
    os.makedirs(shared, exist_ok=True)
    ports = free_ports(1), free_ports(1)
    dom0s = []
    for number, (own, other) in enumerate((ports, ports[::-1]), 1):
        link = "dgram,id=n1," + ",".join(f"{end}.type=inet,{end}.host=127.0.0.1,{end}.port={port}" for end, port in (("local", own), ("remote", other)))
        dom0s.append(Dom0(devices=["-netdev", link, "-device", f"virtio-net-pci,netdev=n1,romfile=,addr=0x7,mac=52:54:00:99:00:0{number}",
                                   "-virtfs", f"local,path={shared},mount_tag=shared,security_model=none"]))
    for number, d in enumerate(dom0s, 1):
        d.address = f"10.99.0.{number}"
        d.run(f"hostname dom0-{number}; echo 127.0.0.1 dom0-{number} >>/etc/hosts; link=$(grep -l 52:54:00:99:00 /sys/class/net/*/address | cut -d/ -f5); "
              f"ip link set $link up && ip addr add {d.address}/24 dev $link && modprobe 9pnet_virtio && mkdir -p /srv/shared && "
              "mount -t 9p -o trans=virtio,version=9p2000.L,cache=none shared /srv/shared")
        d.run("kill $(cat /run/libvirtd.pid); while [ -e /run/libvirtd.pid ]; do sleep 0.1; done; "
              "printf 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = \"none\"\n' >>/etc/libvirt/libvirtd.conf; libvirtd -d --listen; "
              "for _ in $(seq 100); do virsh -c xen:///system version >/dev/null 2>&1 && break; sleep 0.2; done")
    return dom0s
