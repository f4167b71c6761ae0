"""POST /servers accepted and on disk, 64 connections, SQLite with synchronous=FULL."""
from cloud import Cloud
from load import run_load
from report import Row, median


def post(context, cloud, network):
    rates, p99 = [], []
    for _ in range(context.pick(5, 2)):
        result = run_load(context.build, cloud.port, path="/compute/v2.1/servers", method="POST", headers=cloud.load_headers(),
                          body=cloud.server_body(network), expect=202, connections=64, seconds=context.pick(3, 1))
        rates.append(result["per_second"])
        p99.append(result["p99_us"] / 1000)
    return median(rates), median(p99), max(rates)


def measure(context):
    rows = []
    for network in (False, True):
        # A scheduler would place them meanwhile; create_active measures them together.
        with Cloud(context.build, without=("scheduler", "metering")) as cloud:
            cloud.prepare_servers()
            context.say("with a port each" if network else "without network")
            rate, p99, most = post(context, cloud, cloud.make_network() if network else None)
        rows.append(Row("POST /servers, " + ("one port each" if network else "no network"), rate, "/s", 3000,
                        reference=f"p99 {p99:.1f} ms; best of the runs {most:,.0f}/s"))
    return rows
