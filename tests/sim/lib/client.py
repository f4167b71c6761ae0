"""A client as the stock ones are: keep-alive, and it repeats what was lost (with an Idempotency-Key where a repeat would
do it twice). What it was promised goes into a ledger, against which the invariants are checked."""
import http.client
import json
import threading
import time
import urllib.parse
import uuid

RETRY_STATUS = (503, 504, 507)
CONSOLE_S = 60  # for so long a host that is busy, or whose agent has just begun, is asked again


class Refused(Exception):
    """An answer that the caller did not expect."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body[:300]!r}")
        self.status = status


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    """One connection, to the first of `urls` or, after it broke, to the next; for one thread. `lost` counts broken
    connections, `refused` answers to try again later."""

    def __init__(self, urls, login, patience_s=90, timeout_s=30):
        self.urls = [urllib.parse.urlsplit(url) for url in ([urls] if isinstance(urls, str) else urls)]
        self.login = login
        self.patience_s = patience_s
        self.timeout_s = timeout_s
        self.connection = None
        self.token = None
        self.lost = 0
        self.refused = 0

    def once(self, method, path, body=None, headers=None):
        """One attempt; OSError or HTTPException when there was no whole answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.urls[0].hostname, self.urls[0].port, timeout=self.timeout_s)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            self.urls.append(self.urls.pop(0))
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def authenticate(self):
        user = {"name": self.login["OS_USERNAME"], "domain": {"name": "Default"}, "password": self.login["OS_PASSWORD"]}
        project = {"name": self.login["OS_PROJECT_NAME"], "domain": {"name": "Default"}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
        answer = self.repeat("POST", "/identity/v3/auth/tokens", json.dumps(body), {"Content-Type": "application/json"})
        if answer.status != 201:
            raise Refused("POST", "/identity/v3/auth/tokens", answer.status, answer.body)
        self.token = answer.headers["X-Subject-Token"]
        self.project_id = answer.json["token"]["project"]["id"]

    def repeat(self, method, path, body, headers):
        end = time.monotonic() + self.patience_s
        pause = 0.02
        while True:
            try:
                answer = self.once(method, path, body, headers)
                if answer.status not in RETRY_STATUS or time.monotonic() > end:
                    return answer
                self.refused += 1
            except (OSError, http.client.HTTPException):
                self.lost += 1
                if time.monotonic() > end:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.3)

    def call(self, method, path, body=None, expect=(200, 201, 202, 204), key=None, kind="application/json", microversion="2.1"):
        """Repeats until there is an answer. A POST gets an Idempotency-Key."""
        if self.token is None:
            self.authenticate()
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": f"compute {microversion}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, bytes) else json.dumps(body)
        answer = self.repeat(method, path, body, headers)
        if answer.status not in expect:
            raise Refused(method, path, answer.status, answer.body)
        return answer


class Ledger:
    """What clients were promised, by server name; each change is a line of a file."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.promises = {}
        self.file = open(path, "a", encoding="utf-8")

    def note(self, name, **changes):
        with self.lock:
            promise = self.promises.setdefault(name, {"name": name, "id": None, "delete_sent": False, "deleted": False})
            promise.update(changes)
            self.file.write(json.dumps(promise) + "\n")
            self.file.flush()

    def living(self):
        with self.lock:
            return [p for p in self.promises.values() if p["id"] and not p["delete_sent"]]


class Tenant:
    """What a tenant does with servers; keeps the ledger."""

    def __init__(self, api, ledger, ground):
        self.api = api
        self.ledger = ledger
        self.ground = ground

    def create(self, name, **extra):
        server = {"name": name, "flavorRef": self.ground["flavor"], "imageRef": self.ground["image"],
                  "networks": [{"uuid": self.ground["network"]}], **extra.pop("server", {})}
        self.ledger.note(name)
        answer = self.api.call("POST", "/compute/v2.1/servers", {"server": server, **extra}, expect=(202,))
        server_id = answer.json["server"]["id"]
        self.ledger.note(name, id=server_id)
        return server_id

    def show(self, server_id):
        return self.api.call("GET", f"/compute/v2.1/servers/{server_id}").json["server"]

    def wait(self, server_id, *states, seconds=120):
        """The server once it is in one of the states, or None when the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            server = self.show(server_id)
            if server["status"] in states and not server["OS-EXT-STS:task_state"]:
                return server
            time.sleep(0.1)
        return None

    def console(self, server_id):
        """The serial console's text, or "" while it cannot be had."""
        end = time.monotonic() + CONSOLE_S
        while True:
            answer = self.api.call("POST", f"/compute/v2.1/servers/{server_id}/action", {"os-getConsoleOutput": {"length": None}},
                                   expect=(200, 404, 409, 501))
            if answer.status != 409 or time.monotonic() > end:
                return answer.json["output"] if answer.status == 200 else ""
            time.sleep(0.5)

    def act(self, server_id, action):
        """Whether it was accepted; a conflict with what is under way is no failure."""
        return self.api.call("POST", f"/compute/v2.1/servers/{server_id}/action", action, expect=(202, 204, 409)).status != 409

    def delete(self, name, server_id):
        self.ledger.note(name, delete_sent=True)
        lost = self.api.lost
        expect = (204, 404)
        answer = self.api.call("DELETE", f"/compute/v2.1/servers/{server_id}", expect=expect)
        if answer.status == 404 and self.api.lost == lost and not self.ledger.promises[name]["deleted"]:
            raise Refused("DELETE", server_id, 404, b"although nobody had deleted it")
        self.ledger.note(name, deleted=True)
