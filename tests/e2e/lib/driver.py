"""What servers can do under a hypervisor's driver, tried through the REST API and compared with what docs/hypervisors.md was made from:
drivers.json beside this file holds, for each driver, "works" or the refusal's words by action, and the test that saw it. A run
with VIRGA_RECORD=1 writes what it sees there; then docs/generate makes the table."""
import fcntl
import json
import os
import re
import sys
import time

import say

FILE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "drivers.json")
# The table's rows, with the names that the API has for them.
ACTIONS = ["create", "os-getConsoleOutput", "diagnostics", "os-stop", "os-start", "reboot SOFT", "reboot HARD", "pause", "unpause", "suspend", "resume",
           "createImage", "createBackup", "shelve", "unshelve", "clone", "flatten", "attach interface", "changePassword", "resize", "migrate", "os-migrateLive",
           "evacuate", "import host", "release", "delete"]
WAIT_S = 240
PATIENCE_S = 30
SLOW_S = 10


class Seen:
    """By one test, of one driver (named as its profile names it)."""

    def __init__(self, driver):
        self.driver, self.test, self.actions = driver, os.path.relpath(sys.argv[0], os.path.join(os.path.dirname(FILE), "../../..")), {}

    def note(self, action, good, message=None):
        """`message`: of a refusal with status 501."""
        assert action in ACTIONS, action
        self.actions[action] = {"seen": message if message else "works" if good else "failed", "test": self.test}

    def tried(self, actions, part, *words):
        """They work when no check of that part of a test fails."""
        before = say.failures
        part(*words)
        for action in actions:
            self.note(action, say.failures == before)

    def end(self):
        with open(FILE, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = json.load(file)
            if os.environ.get("VIRGA_RECORD"):
                had = known.setdefault(self.driver, {})
                had.update({action: now for action, now in self.actions.items() if now["seen"] != "failed"})
                known[self.driver] = {action: had[action] for action in ACTIONS if action in had}
                file.seek(0)
                file.truncate()
                file.write(json.dumps({name: known[name] for name in sorted(known)}, indent=1) + "\n")
        had = known.get(self.driver, {})
        if not had:
            say.note(f"nothing is noted of {self.driver} yet, VIRGA_RECORD=1 notes it: {self.actions}")
            had = {action: now for action, now in self.actions.items() if now["seen"] != "failed"}
        new = [action for action in self.actions if action not in had]
        if new:
            say.note(f"nothing is noted yet of {self.driver} and {', '.join(new)}, VIRGA_RECORD=1 notes it")
        wrong = [f"{action}: {now['seen']}, not {had.get(action, {}).get('seen')}" for action, now in self.actions.items()
                 if action in had and had[action]["seen"] != now["seen"] or action in new and now["seen"] == "failed"]
        say.check(f"{self.driver} does and refuses what docs/hypervisors.md says ({len(self.actions)} actions)", not wrong, wrong)


class Trial:
    """All actions on a server that is ACTIVE; those in `skip` are another test's, as is the evacuation of a host. The server's disk is
    a new one afterwards, made of what was on it."""

    def __init__(self, cloud, seen, tenant, server_id, skip=()):
        self.cloud, self.seen, self.tenant, self.id, self.skip = cloud, seen, tenant, server_id, skip
        self.api = tenant.api

    def ask(self, method, path, body=None, microversion="2.1"):
        """A conflict is asked again: the host is slow to answer, or something is still under way."""
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self.api.call(method, path if path.startswith("/elastic") else f"/compute/v2.1{path}", body, expect=(200, 202, 204, 409, 501), microversion=microversion)
            if answer.status != 409 or time.monotonic() > end:
                return answer
            time.sleep(1)

    def settles(self, state):
        """In that state, with nothing under way."""
        return self.tenant.wait(self.id, state, seconds=WAIT_S) is not None

    def judge(self, action, answer, works):
        start = time.monotonic()
        message = next(iter(answer.json.values()))["message"] if answer.status == 501 else None
        self.seen.note(action, message is None and answer.status < 300 and works(), message)
        if time.monotonic() - start > SLOW_S:
            say.note(f"{action} took {time.monotonic() - start:.0f} s")
        return message is None

    def act(self, action, body, state):
        """Whether the driver takes it."""
        name, _, kind = action.partition(" ")
        if action in self.skip:
            return False
        return self.judge(action, self.ask("POST", f"/servers/{self.id}/action", {name: body}), lambda: self.settles(state) if state else True)

    def pair(self, there, back, state):
        if self.act(there, None, state):
            self.act(back, None, "ACTIVE")
        else:
            self.act(back, None, "ACTIVE")

    def image(self, action, body):
        if action in self.skip:
            return
        answer = self.ask("POST", f"/servers/{self.id}/action", {action: body}, microversion="2.45")
        image = answer.json.get("image_id") if answer.status == 202 else None

        def active():
            end = time.monotonic() + WAIT_S
            while time.monotonic() < end:
                status = self.api.call("GET", f"/image/v2/images/{image}").json["status"]
                if status not in ("queued", "saving"):
                    return status == "active" and self.settles("ACTIVE")
                time.sleep(0.2)
            return False

        if self.judge(action, answer, active) and image:
            self.api.call("DELETE", f"/image/v2/images/{image}", expect=(204, 404))

    def copies(self):
        """A clone, which ends with this, and the end of what the two share."""
        if "clone" in self.skip:
            return
        answer = self.ask("POST", f"/elastic/v1/servers/{self.id}/clone", {"clone": {"name": "clone"}})
        made = answer.json["server"]["id"] if answer.status == 202 else None
        if made:
            self.tenant.ledger.note("clone", id=made)
        self.judge("clone", answer, lambda: self.tenant.wait(made, "ACTIVE", seconds=WAIT_S) is not None)
        if made:
            self.tenant.delete("clone", made)
        self.judge("flatten", self.ask("POST", f"/elastic/v1/servers/{self.id}/flatten"), lambda: self.settles("ACTIVE"))

    def shelf(self):
        """There and back."""
        if self.act("shelve", None, "SHELVED_OFFLOADED"):
            self.act("unshelve", None, "ACTIVE")

    def foreign(self):
        """Machines that were there before; tests/e2e/import does it where that can be."""
        host = self.tenant.show(self.id)["OS-EXT-SRV-ATTR:host"]
        try:
            said, good = self.cloud.run("virga", "import", "host", host, "--project", "admin", "--dry-run", "--prefix", self.cloud.prefix), True
        except RuntimeError as failure:
            said, good = str(failure), False
        refused = re.search(r"The hypervisor \w+'s machines cannot be imported", said)
        if refused or "import host" not in self.skip:
            self.seen.note("import host", good, refused and refused[0] + ".")

    def interface(self):
        path = f"/servers/{self.id}/os-interface"
        answer = self.ask("POST", path, {"interfaceAttachment": {"net_id": self.tenant.ground["network"]}})
        if self.judge("attach interface", answer, lambda: self.settles("ACTIVE")):
            self.ask("DELETE", f"{path}/{answer.json['interfaceAttachment']['port_id']}")

    def run(self):
        self.seen.note("create", True)
        self.act("os-getConsoleOutput", {"length": 10}, None)
        self.judge("diagnostics", self.ask("GET", f"/servers/{self.id}/diagnostics", microversion="2.48"), lambda: True)
        self.act("changePassword", {"adminPass": "Tr1al-of-all"}, None)
        self.act("resize", {"flavorRef": self.tenant.ground["flavor"]}, None)
        self.act("migrate", None, None)
        self.act("os-migrateLive", {"host": None, "block_migration": False, "disk_over_commit": False}, None)
        self.act("os-stop", None, "SHUTOFF")
        self.act("os-start", None, "ACTIVE")
        for kind in ("SOFT", "HARD"):
            self.judge(f"reboot {kind}", self.ask("POST", f"/servers/{self.id}/action", {"reboot": {"type": kind}}), lambda: self.settles("ACTIVE"))
        self.pair("pause", "unpause", "PAUSED")
        self.pair("suspend", "resume", "SUSPENDED")
        self.image("createImage", {"name": "of-a-server"})
        self.image("createBackup", {"name": "backup", "backup_type": "daily", "rotation": 1})
        self.copies()
        self.interface()
        self.foreign()
        self.shelf()
