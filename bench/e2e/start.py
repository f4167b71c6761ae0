"""From the start of `virga run` until the first token: all daemons of a controller, an initialised database."""
import http.client
import json
import time

from cloud import Cloud
from report import Row, median


def first_token(cloud, body):
    """Seconds from exec to 201."""
    begin = time.monotonic()
    cloud.start(wait=False)
    while time.monotonic() - begin < 20:
        connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
        try:
            connection.request("POST", "/identity/v3/auth/tokens", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
            if status == 201:
                return time.monotonic() - begin
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.001)
    raise RuntimeError("no token within 20 s")


def measure(context):
    with Cloud(context.build) as cloud:
        body = json.dumps(cloud.login_body())
        times, logins = [], []
        for _ in range(context.pick(7, 3)):
            cloud.end_daemons()
            times.append(first_token(cloud, body) * 1000)
            begin = time.monotonic()
            cloud.log_in()
            logins.append((time.monotonic() - begin) * 1000)
    return [Row("start of all daemons until the first token", median(times), "ms", 300, least=False,
                reference=f"worst {max(times):.0f} ms; of it one login (Argon2id) {median(logins):.0f} ms")]
