"""A whole cloud under a temporary prefix: `virga run` with its daemons, and fake hosts in one agent process. Everything
is ended by the ids in its pid files; on failure the folder is kept."""
import atexit
import datetime
import glob
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import invariants
import say
from client import Api
from tables import open_tables

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILD = os.environ.get("VIRGA_BUILD", os.path.join(ROOT, ".build/release"))
LONG = bool(os.environ.get("VIRGA_LONG"))
GUEST_SHARES = "8192"  # of processor time; a program has 1024
DAEMONS = ("api", "scheduler", "metering", "agent")


def seed():
    """The random numbers of a run; printed, and taken from $SEED to do the same again."""
    value = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"# SEED={value}", flush=True)
    return random.Random(value)


GIVEN = set()  # ports that may be taken later only


def free_ports(count):
    """The first of `count` free ports in a row, among those that tests/run leaves to this test, if it runs others beside it. None is
    given twice."""
    own = os.environ.get("VIRGA_TEST_PORTS")
    lowest, highest = (int(own), int(own) + 1000) if own else (20000, 30000)
    for _ in range(500):
        first = random.randrange(lowest, highest - count)
        if GIVEN.intersection(range(first, first + count)):
            continue
        sockets = []
        try:
            for port in range(first, first + count):
                s = socket.socket()
                sockets.append(s)
                s.bind(("127.0.0.1", port))
            GIVEN.update(range(first, first + count))
            return first
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError("no free ports")


def free_subnet(rng, net):
    """The first three numbers of a /24 below `net` that nothing on this machine has, nor will have by tests that tests/run runs beside
    this one: of eight subnets one is this test's."""
    own = os.environ.get("VIRGA_TEST_PORTS")
    taken = subprocess.run(["ip", "-4", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    numbers = [n for n in range(1, 255) if (not own or n % 8 == int(own) // 1000 % 8) and f" {net}.{n}." not in taken]
    return f"{net}.{rng.choice(numbers)}"


def free_cidr(rng):
    """A network for servers on this machine's own libvirt."""
    return free_subnet(rng, f"10.{rng.randrange(130, 190)}") + ".0/24"


def favour_guests():
    """Guests of this machine's libvirt get the processor beside what else runs here: all of them together weigh as much as one program
    otherwise, where control groups are of version 1."""
    for file in glob.glob("/sys/fs/cgroup/*/cpu.shares"):
        group = os.path.join(os.path.dirname(file), "machine")
        os.makedirs(group, exist_ok=True)
        with open(os.path.join(group, "cpu.shares"), "w", encoding="ascii") as shares:
            shares.write(GUEST_SHARES)


def wait_for(what, condition, seconds=60, pause=0.05):
    """Waits for an event: what `condition` gives once it is true. Raises when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen in {seconds} s")
        time.sleep(pause)


def process_lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def shell(library, words, **options):
    """Runs a function of a shell library of the tree; gives what it prints."""
    text = f". {os.path.join(ROOT, library)}; {words}"
    result = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL, check=False, **options)
    if result.returncode:
        raise RuntimeError(f"{words}: {result.stdout}{result.stderr}")
    return result.stdout.strip()


class Cloud:
    """With fake hosts, or (`real`) with this machine's libvirt as its host. `agent_dir`: the agent's state below the prefix, where it
    is not the usual one."""

    def __init__(self, hosts=20, real=False, agent_dir=None):
        self.hosts = 1 if real else hosts
        if real:
            favour_guests()
        self.real = real
        self.prefix = tempfile.mkdtemp(prefix="virga-sim.", dir=os.environ.get("VIRGA_TEST_DIR", "/tmp"))
        os.chmod(self.prefix, 0o755)  # QEMU reads its disks as another user
        self.port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.agent_url = f"https://127.0.0.1:{self.port + 1}"
        self.etc = os.path.join(self.prefix, "etc/virga")
        self.state = os.path.join(self.prefix, "var/lib/virga")
        self.database = os.environ.get("VIRGA_TEST_POSTGRES_URL") or os.path.join(self.state, "virga.db")
        self.agent_dir = os.path.join(self.prefix, agent_dir) if agent_dir else os.path.join(self.state, "agent")
        self.agent_dirs = [] if real else [self.agent_dir]
        self.libvirt_uris = ["qemu:///system"] if real else []
        self.other_hosts, self.unseen_hosts = [], []  # as invariants.View has them
        self.extra = []  # processes besides `virga run`
        self.releases = []  # called in the end, once nothing runs any more
        self.config = {
            "virga-api": {"listen": f"127.0.0.1:{self.port}", "agent_listen": f"127.0.0.1:{self.port + 1}"},
            "virga-scheduler": {"lease_ms": "1s"},
            "virga-metering": {"lease_ms": "1s", "poll_ms": "200ms"},
            "virga-agent": {"url": self.agent_url, "report_interval": "1s", "resync_interval": "5s"},
        }
        if not real:
            self.config["virga-agent"].update({"hypervisor": "fake", "fake_hosts": hosts, "fake_delay": "20ms", "resync_interval": "2s"})
        if agent_dir:
            self.config["virga-agent"]["state_dir"] = self.agent_dir
        for daemon in ("virga-api", "virga-scheduler", "virga-metering"):
            self.config[daemon]["database"] = self.database
        self.config["virga"] = {"database": self.database}
        self.ended = False
        self.joined = "time=9"
        self.may_fail = False  # daemons may end by themselves, for example because the disk is full
        atexit.register(self.end)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    # ---- programs ----

    def run(self, program, *words, **options):
        result = subprocess.run([os.path.join(BUILD, program), *words], capture_output=True, text=True, timeout=120, **options)
        if result.returncode:
            raise RuntimeError(f"{program} {' '.join(words)}: {result.stdout}{result.stderr}")
        return result.stdout

    def write_config(self, program):
        os.makedirs(self.etc, exist_ok=True)
        with open(os.path.join(self.etc, program + ".conf"), "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self.config[program].items())

    def up(self):
        self.run("virga", "run", "--prefix", self.prefix, "--detach")

    def start(self):
        """Makes the cloud, joins its hosts, and waits until they have reported."""
        for program in self.config:
            self.write_config(program)
        self.run("virga", "init", "--prefix", self.prefix, "--endpoint", self.url)
        self.up()
        wait_for("the API's first answer", self.healthy)
        self.join("virga-agent", self.agent_dir, "real" if self.real else "fake", self.hosts)
        self.wait_hosts(self.hosts)
        self.joined = datetime.datetime.now(datetime.timezone.utc).strftime("time=%Y-%m-%dT%H:%M:%S.%f")
        return self

    def join(self, program, state_dir, name, count):
        """Joins `count` fake hosts, called NAME-1 and so on, of the agent with that configuration."""
        tokens = os.path.join(self.prefix, f"tokens-{name}")
        with open(tokens, "w", encoding="ascii") as file:
            file.write(self.run("virga", "host", "add", name, "--count", str(count), "--prefix", self.prefix))
        self.run("virga-agent", "--config", os.path.join(self.etc, program + ".conf"), "--prefix", self.prefix, "--state-dir", state_dir,
                 "--join", self.agent_url, "--token-file", tokens, "--join-only")

    def spawn(self, program, *words, log, env=None):
        """A process beside those of `virga run`; ended with the cloud."""
        with open(os.path.join(self.prefix, log), "ab") as file:
            process = subprocess.Popen([os.path.join(BUILD, program), *words], stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=env)
        self.extra.append(process)
        return process

    def healthy(self):
        try:
            return Api(self.url, None, timeout_s=2).once("GET", "/healthz").status == 200
        except (OSError, http.client.HTTPException):  # killed amid its answer
            return False

    def wait_hosts(self, count):
        wait_for(f"{count} hosts' first report", lambda: self.query("SELECT count(*) FROM host WHERE vcpus > 0")[0][0] >= count)

    def pid(self, daemon):
        """Of the running daemon, or None."""
        name = "virga" if daemon == "virga" else f"virga-{daemon}"
        try:
            with open(os.path.join(self.prefix, f"run/virga/{name}.pid"), encoding="ascii") as file:
                pid = int(file.read().split()[0])
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                return pid if file.read().strip() == name and process_lives(pid) else None
        except (OSError, ValueError, IndexError):
            return None

    def thread_states(self, daemon):
        """As /proc has them; none: it does not run."""
        states = set()
        for path in glob.glob(f"/proc/{self.pid(daemon) or 0}/task/*/stat"):
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    states.add(file.read().rpartition(")")[2].split()[0])
            except OSError:
                pass
        return states

    def signal(self, daemon, number):
        """Whether it ran."""
        pid = self.pid(daemon)
        if pid:
            os.kill(pid, number)
        return bool(pid)

    def reload(self, daemon):
        """A running daemon reads its configuration (an agent its faults, too) again; returns once it has, or another has begun in its place."""
        def count():
            try:
                with open(os.path.join(self.prefix, f"var/log/virga/virga-{daemon}.log"), encoding="utf-8", errors="replace") as file:
                    return file.read().count('event="configuration reloaded"')
            except FileNotFoundError:
                return 0
        before, pid = count(), self.pid(daemon)
        if pid and self.signal(daemon, signal.SIGHUP):
            wait_for(f"the {daemon}'s reading of its configuration", lambda: count() > before or self.pid(daemon) not in (pid, None))

    def set_faults(self, *lines):
        """How calls of the fake hosts fail from now on (HOST CALL FAULT [PERCENT]); first told before the start."""
        path = os.path.join(self.prefix, "faults")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.writelines(line + "\n" for line in lines)
        os.replace(path + ".new", path)  # an agent that starts reads all of them
        self.config["virga-agent"]["fake_faults"] = path
        self.reload("agent")

    def stop(self):
        if self.pid("virga"):
            self.run("virga", "stop", "--prefix", self.prefix)
        for process in self.extra:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.extra = []

    def purge(self):
        """Nothing of ours stays on the hypervisor; the agent must not run."""
        self.run("virga-agent", "--config", os.path.join(self.etc, "virga-agent.conf"), "--prefix", self.prefix, "--purge")

    def keep_hosts(self):
        """Told before the start, where no host is to die: one that is heard late, as others are while the machine, the API or the disk has no time for
        them, still gets servers."""
        self.config["virga-scheduler"]["alive_ms"] = "5m"
        return self

    def check_logs(self):
        """Says whether daemons ended only because they were killed or told to, and no sanitizer spoke."""
        bad = []
        for folder in (os.path.join(self.prefix, "var/log/virga"), self.prefix):
            for name in sorted(n for n in os.listdir(folder) if n.endswith(".log")):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    bad += [line.strip() for line in file if self.tells_of_a_bug(line)]
        say.check("no daemon fell over by itself", not bad, bad)

    def tells_of_a_bug(self, line):
        if "Sanitizer" in line or "runtime error:" in line or "Assertion" in line:
            return True
        end = re.search(r'event="child ended" .*signal=(\d+) status=(\d+)', line)
        if end and line.split()[0] < self.joined:  # the agent waits for the one that joins to let go of its lock
            return False
        return end and end.groups() not in (("0", "0"), ("9", "0")) and not self.may_fail

    def end(self):
        """At exit: nothing stays, but for the folder of a run that failed."""
        if self.ended:
            return
        self.ended = True
        for daemon in DAEMONS:
            self.signal(daemon, signal.SIGCONT)
        try:
            self.stop()
            self.check_logs()
            if self.real:
                self.purge()
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            say.not_ok("the cloud stops", [str(e)])
            for daemon in ("virga", *DAEMONS):
                self.signal(daemon, signal.SIGKILL)
        for release in self.releases:
            release()
        if self.failed():
            say.note(f"kept: {self.prefix}")
        else:
            shutil.rmtree(self.prefix, ignore_errors=True)

    @staticmethod
    def failed():
        """Whether something was not ok, or the test ends by an exception."""
        return bool(say.failures or sys.exc_info()[0] or getattr(sys, "last_type", None))

    # ---- what there is ----

    def query(self, text, *arguments):
        connection = open_tables(self.database)
        try:
            return [tuple(row) for row in connection.execute(text, arguments)]
        finally:
            connection.close()

    def login(self):
        words = {}
        with open(os.path.join(self.etc, "openrc"), encoding="utf-8") as file:
            for line in file:
                name, equals, value = line.strip().removeprefix("export ").partition("=")
                if equals:
                    words[name] = value.strip("'\"")
        return words

    def api(self, **options):
        return Api(options.pop("urls", self.url), self.login(), **options)

    def ground(self, api, image=None, cidr="10.32.0.0/16", ram=256):
        """A flavor, an image (of a qcow2 file), a network, and no quotas: what servers need."""
        api.authenticate()
        project = api.project_id
        numbers = {name: -1 for name in ("instances", "cores", "ram", "server_group_members")}
        api.call("PUT", f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": numbers})
        api.call("PUT", f"/network/v2.0/quotas/{project}", {"quota": {"port": -1}})
        flavor = api.call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "sim", "ram": ram, "vcpus": 1, "disk": 1}})
        words = {"name": "sim", "disk_format": "qcow2" if image else "raw", "container_format": "bare", "visibility": "public"}
        image_id = api.call("POST", "/image/v2/images", words).json["id"]
        data = bytes(65536)
        if image:
            with open(image, "rb") as file:
                data = file.read()
        api.call("PUT", f"/image/v2/images/{image_id}/file", data, kind="application/octet-stream")
        network = api.call("POST", "/network/v2.0/networks", {"network": {"name": "sim", "shared": True}}).json["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": cidr}
        api.call("POST", "/network/v2.0/subnets", {"subnet": subnet})
        return {"flavor": flavor.json["flavor"]["id"], "image": image_id, "network": network}

    def busy(self):
        """What is still under way, as text; "" at rest."""
        rows = self.query("""SELECT 'waits for a host', server_id FROM placement_queue UNION ALL
            SELECT 'in transition', id FROM server WHERE deadline_us IS NOT NULL OR desired_exists = 0 UNION ALL
            SELECT 'in transition', id FROM server WHERE fault_code IS NULL AND observed_revision < desired_revision UNION ALL
            SELECT 'migrates', step || ' ' || server_id FROM migration WHERE ended = 0 AND step <> 'verifying' UNION ALL
            SELECT 'is to be confirmed', server_id FROM migration WHERE step = 'verifying' AND request <> 'none' UNION ALL
            SELECT 'is being made', image_id FROM server_image UNION ALL
            SELECT 'is not done by its host', id FROM host_task WHERE migration_id = 0 UNION ALL
            SELECT 'events not metered', max(id) FROM lifecycle_event
            HAVING max(id) > coalesce((SELECT max(position) FROM meter_cursor), 0)""")
        return "; ".join(f"{what} {which}" for what, which in rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")

    def wait_quiet(self, seconds=240):
        """Until nothing is under way any more and the hosts hold what is wanted; says whether that came."""
        state = {}

        def quiet():
            state["busy"] = self.busy() or self.hosts_differ()
            return not state["busy"]

        try:
            wait_for("rest", quiet, seconds, 0.2)
            return say.check("everything comes to rest", True)
        except TimeoutError:
            return say.check("everything comes to rest", False, [state["busy"]])

    def wait_metered(self):
        """Until the meter has seen every event that there is."""
        wait_for("the meter", lambda: not self.query("SELECT max(id) FROM lifecycle_event HAVING max(id) > coalesce((SELECT max(position) FROM meter_cursor), 0)"))

    def view(self, promises):
        return invariants.View(self.database, promises, self.agent_dirs, self.libvirt_uris, self.other_hosts, self.unseen_hosts)

    def hosts_differ(self):
        view = self.view(None)
        try:
            return "; ".join(list(invariants.hosts_hold_what_is_wanted(view))[:3])
        finally:
            view.close()

    def check_bills(self, *words, connected_s=0):
        """Says whether ledger, journals, hypervisors and invoices agree, by the operator's own commands. `connected_s`: for so long a host
        may have lost its hypervisor, which is no difference."""
        for command in (("meter", "verify", "--settled", "0", *words), ("bill", "verify")):
            end = time.monotonic() + connected_s
            while True:
                done = subprocess.run([os.path.join(BUILD, "virga"), *command, "--database", self.database], capture_output=True, text=True, timeout=120, check=False)
                if "not connected" not in done.stdout + done.stderr or time.monotonic() > end:
                    break
                time.sleep(1)
            say.check(f"virga {' '.join(command[:2])} finds no difference", done.returncode == 0 and " 0 differ" in done.stdout, (done.stdout + done.stderr).splitlines())

    def check(self, ledger, suffix="", busy=False):
        """Says for each invariant whether it holds."""
        view = self.view(ledger.promises if ledger else None)
        for sentence, violations in invariants.check(view, busy):
            say.check(sentence + suffix, not violations, violations)
        view.close()
