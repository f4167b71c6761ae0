"""A storm of password logins, and what it does to others who read a server meanwhile."""
import threading

from cloud import Cloud
from load import run_load
from report import Row


def measure(context):
    seconds = context.pick(5, 2)
    with Cloud(context.build) as cloud:
        cloud.prepare_servers()
        cloud.make_servers(1)
        path = f"/compute/v2.1/servers/{cloud.server_ids()[0]}"

        def read():
            return run_load(context.build, cloud.port, path=path, headers=cloud.load_headers(), connections=4, seconds=seconds)

        context.say("alone")
        alone = read()
        storm = {}

        def log_in():
            storm.update(run_load(context.build, cloud.port, path="/identity/v3/auth/tokens", method="POST", body=cloud.login_body(), expect=201,
                                  connections=32, seconds=seconds))

        context.say("with 32 clients that log in")
        thread = threading.Thread(target=log_in)
        thread.start()
        among = read()
        thread.join()
    return [Row("password logins, 32 clients", storm["per_second"], "/s", reference=f"p99 {storm['p99_us'] / 1000:.0f} ms (Argon2id)"),
            Row("GET /servers/{id} during that storm, 4 clients", among["p99_us"] / 1000, "ms p99",
                reference=f"{among['per_second']:,.0f}/s; alone {alone['p99_us'] / 1000:.2f} ms, {alone['per_second']:,.0f}/s")]
