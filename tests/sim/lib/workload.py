"""Tenants that create servers, do things with them and delete some, several at once."""
import http.client
import random
import threading
import traceback

from client import Refused, Tenant

ACTIONS = ([{"os-stop": None}, {"os-start": None}], [{"reboot": {"type": "HARD"}}], [{"reboot": {"type": "SOFT"}}],
           [{"pause": None}, {"unpause": None}], [{"suspend": None}, {"resume": None}], [{"os-stop": None}])
SETTLED = ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR")


class Workload:
    """`servers` lives, told by `clients` threads; each life is random but for its seed."""

    def __init__(self, cloud, ledger, ground, rng, servers=200, clients=8, label="s", **options):
        self.options = options  # of cloud.api
        self.cloud = cloud
        self.ledger = ledger
        self.ground = ground
        self.names = [f"{label}-{i}" for i in range(servers)]
        self.seeds = {name: rng.randrange(1 << 32) for name in self.names}
        self.lock = threading.Lock()
        self.problems = []
        self.apis = []
        self.done = 0
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(clients)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def running(self):
        return any(thread.is_alive() for thread in self.threads)

    def join(self):
        for thread in self.threads:
            thread.join()

    def next_name(self):
        with self.lock:
            return self.names.pop() if self.names else None

    def work(self):
        tenant = Tenant(self.cloud.api(**self.options), self.ledger, self.ground)
        with self.lock:
            self.apis.append(tenant.api)
        while (name := self.next_name()) is not None:
            try:
                self.live(tenant, name, random.Random(self.seeds[name]))
            except (Refused, OSError, http.client.HTTPException) as e:
                self.problem(f"{name}: {type(e).__name__}: {e}")
            except Exception:  # a mistake of the test's own must not look like success
                self.problem(f"{name}: {traceback.format_exc(limit=3)}")
            self.done += 1

    @property
    def lost(self):
        """Connections that broke so far."""
        return sum(api.lost for api in self.apis)

    @property
    def refused(self):
        """How often clients were told to try again."""
        return sum(api.refused for api in self.apis)

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def live(self, tenant, name, rng):
        server_id = tenant.create(name)
        fate = rng.random()
        if fate < 0.2:  # deleted while it is being built
            tenant.delete(name, server_id)
            return
        if fate < 0.7:
            server = tenant.wait(server_id, *SETTLED)
            if not server or server["status"] == "ERROR":
                self.problem(f"{name} {server_id}: {server and server.get('fault')}" if server else f"{name} {server_id} did not come up")
            for action in rng.choice(ACTIONS):
                if tenant.act(server_id, action) and rng.random() < 0.8:
                    tenant.wait(server_id, *SETTLED)
        if rng.random() < 0.6:
            tenant.delete(name, server_id)
