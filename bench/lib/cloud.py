"""A cloud of its own for a benchmark: everything under one temporary folder, on free ports of the loopback interface, ended by pid."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from load import run_load

VERSION = {"OpenStack-API-Version": "compute 2.90"}  # servers without network can be asked for from 2.37 on


def free_ports(count):
    """Ports nobody listens on now, below the range from which the kernel picks those of clients."""
    found, port = [], 20000 + os.getpid() % 10000
    while len(found) < count:
        port += 1
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


def wait_until(seconds, what, ready, pause=0.005):
    end = time.monotonic() + seconds
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not happen within {seconds} s")
        time.sleep(pause)


def end_process(process, seconds=30):
    """SIGTERM to a child of ours, SIGKILL when it does not end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def proportional_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Cloud:
    """Use as a context. `options` go into the API's configuration; `without` names daemons that are left out."""

    def __init__(self, build, options=None, without=()):
        self.without = without
        self.build, self.process, self.agents, self.connection = build, None, [], None
        self.home = tempfile.mkdtemp(prefix="virga-bench.", dir=os.environ.get("VIRGA_BENCH_DIR"))
        self.port, self.agent_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.agent_url = f"https://127.0.0.1:{self.agent_port}"
        self.token = None
        self.virga("init", "--endpoint", self.url)
        self.configure("api", {"listen": f"127.0.0.1:{self.port}", "agent_listen": f"127.0.0.1:{self.agent_port}", "log_level": "warn",
                               **(options or {})})
        self.configure("scheduler", {"log_level": "warn"})
        self.configure("metering", {"log_level": "warn"})

    def __enter__(self):
        try:
            self.start()
        except BaseException as e:
            self.__exit__(e, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind and os.environ.get("VIRGA_BENCH_KEEP"):
            self.end_daemons()
            print(f"kept: {self.home}")
        else:
            self.stop()

    def place(self, path):
        return self.home + path

    def configure(self, daemon, options):
        with open(self.place(f"/etc/virga/virga-{daemon}.conf"), "w", encoding="ascii") as f:
            f.writelines(f"{name} = {value}\n" for name, value in options.items())

    def virga(self, *arguments, text=None):
        done = subprocess.run([f"{self.build}/virga", *arguments, "--prefix", self.home], input=text, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise RuntimeError(f"virga {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, wait=True):
        log = open(self.place("/var/log/virga/run.log"), "ab")
        with log:
            command = [f"{self.build}/virga", "run", "--prefix", self.home, "--bin", self.build]
            for name in ("agent", *self.without):
                command += ["--without", name]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            wait_until(20, "the API's first answer", self.answers)
            self.log_in()

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("virga run ended:\n" + self.log("run"))
        try:
            return self.call("GET", "/healthz").status == 200
        except OSError:
            return False

    def log(self, name):
        with open(self.place(f"/var/log/virga/{name}.log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def pid(self, daemon):
        with open(self.place(f"/run/virga/virga-{daemon}.pid"), encoding="ascii") as f:
            return int(f.read())

    def call(self, method, path, body=None, headers=None):
        """One request on this cloud's kept connection."""
        given = {"Accept": "application/json", **(headers or {})}
        if self.token and "X-Auth-Token" not in given:
            given["X-Auth-Token"] = self.token
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        for last in (False, True):
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.connection.request(method, path, data, given)
                answer = self.connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (OSError, http.client.HTTPException) as e:
                self.connection.close()
                self.connection = None
                if last or method != "GET":
                    raise OSError(str(e)) from e

    def good(self, method, path, body=None, headers=None):
        answer = self.call(method, path, body, headers)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:500]}")
        return answer.json() if answer.body else None

    def login_body(self):
        with open(self.place("/etc/virga/openrc"), encoding="ascii") as f:
            openrc = dict(re.findall(r"export (\w+)='(.*)'", f.read()))
        user = {"name": openrc["OS_USERNAME"], "domain": {"id": "default"}, "password": openrc["OS_PASSWORD"]}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                         "scope": {"project": {"name": openrc["OS_PROJECT_NAME"], "domain": {"id": "default"}}}}}

    def log_in(self):
        answer = self.call("POST", "/identity/v3/auth/tokens", self.login_body())
        if answer.status != 201:
            raise RuntimeError(f"login: {answer.status} {answer.body[:500]}")
        self.token = answer.headers["X-Subject-Token"]
        self.login = answer.json()["token"]

    def project_id(self):
        return self.login["project"]["id"]

    def end_daemons(self):
        if self.connection:
            self.connection.close()
            self.connection = None
        for agent in self.agents:
            end_process(agent)
        self.agents = []
        if self.process:
            end_process(self.process, 60)
            self.process = None

    def stop(self):
        self.end_daemons()
        shutil.rmtree(self.home, ignore_errors=True)

    # ---- what servers need ----

    def unlimited(self):
        """No quota for the admin project."""
        self.good("PUT", f"/compute/v2.1/os-quota-sets/{self.project_id()}",
                  {"quota_set": {"instances": -1, "cores": -1, "ram": -1, "force": True}})
        self.good("PUT", f"/network/v2.0/quotas/{self.project_id()}", {"quota": {"port": -1}})

    def make_flavor(self, vcpus=1, ram=64, disk=1):
        return self.good("POST", "/compute/v2.1/flavors",
                         {"flavor": {"name": f"bench-{vcpus}-{ram}-{disk}", "vcpus": vcpus, "ram": ram, "disk": disk}})["flavor"]["id"]

    def make_image(self, size=4096):
        image = self.good("POST", "/image/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})
        answer = self.call("PUT", f"/image/v2/images/{image['id']}/file", b"\0" * size, {"Content-Type": "application/octet-stream"})
        if answer.status != 204:
            raise RuntimeError(f"image upload: {answer.status} {answer.body[:500]}")
        return image["id"]

    def make_network(self, cidr="10.200.0.0/14"):
        network = self.good("POST", "/network/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
        self.good("POST", "/network/v2.0/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}})
        return network

    def server_body(self, network=None, **more):
        return {"server": {"name": "bench", "flavorRef": self.flavor, "imageRef": self.image,
                           "networks": [{"uuid": network}] if network else "none", **more}}

    def prepare_servers(self):
        """Flavor, image and no quota for the admin project."""
        self.unlimited()
        self.flavor = self.make_flavor()
        self.image = self.make_image()

    def load_headers(self):
        """What a client sends with each request, besides what the load generator sends itself."""
        return {"X-Auth-Token": self.token, **VERSION}

    def make_servers(self, count, network=None):
        """Creates as fast as it goes; the load generator's figures."""
        return run_load(self.build, self.port, path="/compute/v2.1/servers", method="POST", headers=self.load_headers(),
                        body=self.server_body(network), expect=202, requests=count, seconds=600)

    def wait_status(self, server, status):
        """Asks almost without a pause at first, which costs a fraction of a millisecond each, then every 2 ms."""
        begin = time.monotonic()
        while True:
            shown = self.good("GET", f"/compute/v2.1/servers/{server}")["server"]
            if shown["status"] == status and not shown["OS-EXT-STS:task_state"]:
                return
            waited = time.monotonic() - begin
            if shown["status"] == "ERROR" or waited > 120:
                raise RuntimeError(f"{server} does not become {status}: {shown.get('fault')}")
            time.sleep(0.0001 if waited < 0.03 else 0.002)

    def act(self, server, action, status):
        """Seconds from the request until the server has the status."""
        begin = time.monotonic()
        self.good("POST", f"/compute/v2.1/servers/{server}/action", {action: None})
        self.wait_status(server, status)
        return time.monotonic() - begin

    def building(self):
        return bool(self.good("GET", "/compute/v2.1/servers?status=BUILD&limit=1", None, VERSION)["servers"])

    def server_ids(self, count=1000):
        return [s["id"] for s in self.good("GET", f"/compute/v2.1/servers?limit={count}", None, VERSION)["servers"]]

    def all_server_ids(self):
        ids, page = [], ["first"]
        while page:
            marker = f"&marker={ids[-1]}" if ids else ""
            page = [s["id"] for s in self.good("GET", f"/compute/v2.1/servers?limit=1000{marker}", None, VERSION)["servers"]]
            ids += page
        return ids

    # ---- hosts that only pretend ----

    def start_fake_hosts(self, count, processes=1, options=()):
        """`count` hosts in few processes; returns when all are up, with the seconds that took."""
        begin, each = time.monotonic(), count // processes
        for n in range(processes):
            home = self.place(f"/var/lib/virga/fake{n}")
            os.makedirs(home)
            tokens = home + "/tokens"
            with open(tokens, "w", encoding="ascii") as f:
                f.write(self.virga("host", "add", f"fake{n}", "--count", str(each)))
            config = home + "/agent.conf"
            with open(config, "w", encoding="ascii") as f:
                f.write(f"hypervisor = fake\nlog_level = warn\nfake_hosts = {each}\nfake_persist = no\nstate_dir = {home}/state\n"
                        f"instances_dir = {home}/instances\nimage_dir = {home}/images\n" + "".join(f"{o}\n" for o in options))
            with open(home + "/log", "ab") as log:
                self.agents.append(subprocess.Popen([f"{self.build}/virga-agent", "--config", config, "--join", self.agent_url,
                                                     "--token-file", tokens], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        wait_until(600, f"{count} hosts up", lambda: self.hosts_up() >= count, 0.1)
        return time.monotonic() - begin

    def hosts_up(self):
        for agent in self.agents:
            if agent.poll() is not None:
                raise RuntimeError("an agent ended; see the log under its folder")
        return sum(s["state"] == "up" for s in self.good("GET", "/compute/v2.1/os-services?binary=nova-compute")["services"])

    def sql(self):
        """A connection to the database file, for filling it while the daemons are down and for looking."""
        connection = sqlite3.connect(self.place("/var/lib/virga/virga.db"), timeout=60)
        connection.row_factory = sqlite3.Row
        return connection
