"""What servers can do under a hypervisor's driver, tried through the REST API and compared with what docs/hypervisors.md was made from:
drivers.json beside this file holds, for each driver, "works" or the refusal's words by action, and the test that saw it. A run
with VIRGA_RECORD=1 writes what it sees there; then docs/generate makes the table."""
import fcntl
import json
import os
import sys
import time

import say

FILE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "drivers.json")
# The table's rows, with the names that the API has for them.
ACTIONS = ["create", "os-getConsoleOutput", "diagnostics", "os-stop", "os-start", "reboot SOFT", "reboot HARD", "pause", "unpause", "suspend", "resume",
           "createImage", "clone", "flatten", "attach interface", "changePassword", "resize", "migrate", "os-migrateLive", "delete"]
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
    """All actions on a server that is ACTIVE; those in `skip` are another test's."""

    def __init__(self, seen, tenant, server_id, skip=()):
        self.seen, self.tenant, self.id, self.skip = seen, tenant, server_id, skip
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

    def image(self):
        if "createImage" in self.skip:
            return
        answer = self.ask("POST", f"/servers/{self.id}/action", {"createImage": {"name": "of-a-server"}}, microversion="2.45")
        image = answer.json.get("image_id") if answer.status == 202 else None

        def active():
            end = time.monotonic() + WAIT_S
            while time.monotonic() < end:
                status = self.api.call("GET", f"/image/v2/images/{image}").json["status"]
                if status not in ("queued", "saving"):
                    return status == "active" and self.settles("ACTIVE")
                time.sleep(0.2)
            return False

        if self.judge("createImage", answer, active) and image:
            self.api.call("DELETE", f"/image/v2/images/{image}", expect=(204, 404))

    def copies(self):
        """A clone, which ends with this, and the end of what the two share."""
        answer = self.ask("POST", f"/elastic/v1/servers/{self.id}/clone", {"clone": {"name": "clone"}})
        made = answer.json["server"]["id"] if answer.status == 202 else None
        if made:
            self.tenant.ledger.note("clone", id=made)
        self.judge("clone", answer, lambda: self.tenant.wait(made, "ACTIVE", seconds=WAIT_S) is not None)
        if made:
            self.tenant.delete("clone", made)
        self.judge("flatten", self.ask("POST", f"/elastic/v1/servers/{self.id}/flatten"), lambda: self.settles("ACTIVE"))

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
        self.image()
        self.copies()
        self.interface()
