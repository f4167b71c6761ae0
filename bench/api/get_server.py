"""GET /servers/{id} with a token, requests per second, against a bare libmicrohttpd "hello" with the same threads."""
import time

from cloud import Cloud, cpu_seconds
from load import Hello, run_load
from report import Row, median

THREADS, CONNECTIONS = 2, 64


def compare(context, cloud, hello, paths, headers):
    """Runs of both by turns: medians of requests per second, and processor time of either server per request."""
    ours, bare, our_cpu, bare_cpu = [], [], [], []
    for _ in range(context.pick(7, 2)):
        for pid, port, what, rates, cpus in ((hello.process.pid, hello.port, {"path": "/"}, bare, bare_cpu),
                                             (cloud.pid("api"), cloud.port, {"paths": paths, "headers": headers}, ours, our_cpu)):
            before = cpu_seconds(pid)
            result = run_load(context.build, port, connections=CONNECTIONS, threads=2, seconds=context.pick(3, 1), **what)
            cpus.append((cpu_seconds(pid) - before) / result["good"] * 1e6)
            rates.append(result["per_second"])
    return [median(values) for values in (ours, bare, our_cpu, bare_cpu)]


def row(what, figures, floor=None):
    ours, bare, our_cpu, bare_cpu = figures
    return Row(what, ours / bare * 100, "% of hello", floor, reference=f"{ours:,.0f}/s against {bare:,.0f}/s; processor time of the server per "
               f"request {our_cpu:.1f} µs against {bare_cpu:.1f} µs, {bare_cpu / our_cpu * 100:.0f} % of it")


def measure(context):
    with Cloud(context.build, {"http_threads": THREADS}) as cloud, Hello(context.build, THREADS) as hello:
        cloud.prepare_servers()
        cloud.start_fake_hosts(10)
        cloud.make_servers(1000)
        while cloud.building():
            pass
        paths = [f"/compute/v2.1/servers/{id}" for id in cloud.server_ids()]
        context.say("GET /servers/{id}, 1,000 active servers in turn")
        rows = [row("GET /servers/{id}", compare(context, cloud, hello, paths, cloud.load_headers()), 50)]
        context.say("GET /servers/{id}, more servers than answers are kept of")
        cloud.make_servers(context.pick(15000, 5000))
        while cloud.building():
            time.sleep(0.1)
        paths = [f"/compute/v2.1/servers/{id}" for id in cloud.all_server_ids()]
        rows.append(row(f"the same, {len(paths):,} servers in turn: each answer is made anew", compare(context, cloud, hello, paths, cloud.load_headers())))
        context.say("GET /healthz")
        rows.append(row("GET /healthz (our HTTP core alone)", compare(context, cloud, hello, ["/healthz"], {})))
        token = {"X-Auth-Token": cloud.token, "X-Subject-Token": cloud.token}
        context.say("GET /identity/v3/auth/tokens")
        rows.append(row("GET /identity/v3/auth/tokens", compare(context, cloud, hello, ["/identity/v3/auth/tokens"], token)))
    return rows
