"""GET of one small thing with a token, requests per second, against a bare libmicrohttpd "hello" with the same threads."""
from cloud import Cloud, cpu_seconds
from load import Hello, run_load
from report import Row, median

FLOOR_PERCENT = 50


def compare(context, cloud, hello, paths, headers, connections=64):
    """Interleaved runs of both: medians of requests per second, and processor time of the API per request."""
    ours, bare, cpu = [], [], []
    seconds = context.pick(4, 1)
    for _ in range(context.pick(5, 2)):
        bare.append(run_load(context.build, hello.port, connections=connections, seconds=seconds)["per_second"])
        before = cpu_seconds(cloud.pid("api"))
        result = run_load(context.build, cloud.port, paths=paths, headers=headers, connections=connections, seconds=seconds)
        cpu.append((cpu_seconds(cloud.pid("api")) - before) / result["good"] * 1e6)
        ours.append(result["per_second"])
    return median(ours), median(bare), median(cpu)


def row(what, figures, floor=FLOOR_PERCENT):
    ours, bare, cpu = figures
    return Row(what, ours / bare * 100, "% of hello", floor,
               reference=f"{ours:,.0f}/s against {bare:,.0f}/s; {cpu:.1f} µs CPU of the API per request")


def measure(context):
    with Cloud(context.build, {"http_threads": 2}) as cloud, Hello(context.build, 2) as hello:
        context.say("validating a token")
        token = {"X-Auth-Token": cloud.token, "X-Subject-Token": cloud.token}
        rows = [row("GET /identity/v3/auth/tokens", compare(context, cloud, hello, ["/identity/v3/auth/tokens"], token), None)]
        rows.append(row("GET /healthz", compare(context, cloud, hello, ["/healthz"], {}), None))
    return rows
