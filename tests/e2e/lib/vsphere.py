"""An ESX host for tests (vsphere/vsphere.go), built when it is first wanted."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.realpath(__file__))
CACHE = os.environ.get("VIRGA_VSPHERE_DIR", "/var/cache/virga/vsphere")
SOURCE = os.path.join(HERE, "vsphere/vsphere.go")
LIBRARY = "/usr/share/gocode/src/github.com/vmware/govmomi/simulator"
USER, PASSWORD = "root", "pa55 word"


def lacks():
    """What keeps it from being built, or None."""
    if not shutil.which("go"):
        return "golang-go is not installed"
    return None if os.path.isdir(LIBRARY) else "golang-github-vmware-govmomi-dev is not installed"


def build():
    with open(SOURCE, "rb") as file:  # other trees on this machine may have another one
        program = os.path.join(CACHE, "vsphere-" + hashlib.sha256(file.read()).hexdigest()[:16])
    if not os.path.exists(program):
        os.makedirs(CACHE, exist_ok=True)
        env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": os.path.join(CACHE, "go")}
        partial = f"{program}.{os.getpid()}"
        subprocess.run(["go", "build", "-o", partial, SOURCE], check=True, env=env)
        os.replace(partial, program)
    return program


class Vsphere:
    """A running one. It ends with this process."""

    def __init__(self, port, folder):
        self.port, self.work = port, folder
        self.password_file = os.path.join(folder, "esx-password")
        with open(self.password_file, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(PASSWORD + "\n")
        self.auth_file = os.path.join(folder, "esx-auth.conf")
        with open(self.auth_file, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(f"[credentials-d]\nusername={USER}\npassword={PASSWORD}\n[auth-esx-127.0.0.1]\ncredentials=d\n")
        self.start()

    def start(self):
        with open(os.path.join(self.work, "vsphere.log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([build(), f"127.0.0.1:{self.port}", USER, PASSWORD], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        word, _, self.datastore = self.process.stdout.readline().strip().partition(" ")
        if word != "ready":
            raise RuntimeError(f"the simulator of ESX does not start, see {log.name}")

    def power_on_takes(self, ms):
        """From now on."""
        self.process.stdin.write(f"{ms}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != str(ms):
            raise RuntimeError("the simulator of ESX takes no delay")

    @property
    def uri(self):
        return f"esx://{USER}@127.0.0.1:{self.port}/?no_verify=1&auto_answer=1"

    def add_template(self, name):
        """As ESX has disks: a description, and the bytes beside it."""
        place = os.path.join(self.datastore, name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="ascii") as file:
            file.write("# Disk DescriptorFile\n")
        with open(place.removesuffix(".vmdk") + "-flat.vmdk", "wb") as file:
            file.write(os.urandom(65536))

    def files(self):
        """All that lies on the datastore."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.datastore)
                      for folder, folders, names in os.walk(self.datastore) for name in folders + names)

    def forget(self, folder):
        """What images of servers leave there is the site's to remove."""
        shutil.rmtree(os.path.join(self.datastore, folder))

    def virsh(self, *words, check=True):
        env = {**os.environ, "LIBVIRT_AUTH_FILE": self.auth_file, "LIBVIRT_DEBUG": "error"}
        done = subprocess.run(["virsh", "-q", "-c", self.uri, *words], capture_output=True, text=True, timeout=120, check=False, env=env)
        if check and done.returncode:
            raise RuntimeError(f"virsh {' '.join(words)}: {done.stderr}")
        return done.stdout

    def define(self, name, mac=None):
        """A machine of somebody else's; its UUID."""
        self.add_template(f"{name}/disk.vmdk")
        xml = os.path.join(self.work, "foreign.xml")
        with open(xml, "w", encoding="ascii") as file:
            nic = f"<interface type='bridge'><mac address='{mac}'/><source bridge='VM Network'/></interface>" if mac else ""
            file.write(f"<domain type='vmware'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>"
                       f"<disk type='file' device='disk'><source file='[LocalDS_0] {name}/disk.vmdk'/><target dev='sda' bus='scsi'/></disk>{nic}"
                       "</devices></domain>")
        self.virsh("define", xml)
        return self.virsh("domuuid", name).strip()

    def undefine(self, name):
        self.virsh("undefine", name)
        self.forget(name)

    def size(self, name):
        """Processors and MiB, as its machine's file has them: the simulator shows all machines alike."""
        with open(os.path.join(self.datastore, name, f"{name}.vmx"), encoding="utf-8") as file:
            said = dict(re.findall(r'^(\S+) = "(.*)"$', file.read(), re.MULTILINE))
        return int(said.get("numvcpus", "1")), int(said["memsize"])

    def tasks(self, name):
        """What was asked of the power of the machine that is called so now, in order."""
        number = re.search(r"<vmware:moref>(.*?)<", self.virsh("dumpxml", name))[1]
        with open(os.path.join(self.work, "vsphere.log"), encoding="utf-8") as file:
            return re.findall(rf"^(\w+)VM_Task {number}$", file.read(), re.MULTILINE)

    def domains(self):
        """State by name."""
        rows = (re.split(r"\s{2,}", line.strip()) for line in self.virsh("list", "--all").splitlines())
        return {row[-2]: row[-1] for row in rows if len(row) > 1}

    def signal(self, number):
        """After SIGSTOP none of its threads runs any more."""
        self.process.send_signal(number)
        while number == signal.SIGSTOP and self.state() != "T":
            time.sleep(0.001)

    def state(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]

    def stop(self):
        self.signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait(60)
