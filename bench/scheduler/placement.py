"""Placement: decisions per second, latency, memory and packing, through the library that the scheduler links."""
import json
import os
import pathlib
import subprocess

from report import Row

TRACE = os.environ.get("VIRGA_AZURE_PACKING")  # folder of the Azure packing samples; without it the trace is left out


def command(build):
    """For `bench/run placement OPTIONS`."""
    return [f"{build}/bench/scheduler/placement_bench"]


def run(context, *options):
    done = subprocess.run(command(context.build) + [*options, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def words(r):
    return (f"policy {r['policy']}; p50 {r['p50_us']:.1f}, p99.9 {r['p999_us']:.1f}, max {r['max_us']:.0f} µs; {r['refused']} of {r['decisions']:,} refused; "
            f"{r['peak']:,} hosts at peak, bound {r['peak_bound']:,}; "
            f"stranded: VCPU {r['stranded_vcpus']:.1%}, memory {r['stranded_memory']:.1%}")


def measure_loads(context):
    """Every policy is judged where there is a floor; the other loads are shown for the usual one."""
    hosts, decisions = context.pick(100_000, 5_000), context.pick(200_000, 20_000)
    rows = []
    for load, floor in (("churn90", 20), ("churn95", None), ("mixed", 60), ("uniform", None), ("heavy-tailed", None), ("hosts", None), ("cells", None)):
        context.say(f"{load}, {hosts:,} hosts")
        for r in run(context, "--hosts", str(hosts), "--load", load, "--policy", "all" if floor else "weights", "--decisions", str(decisions)):
            what = f"placement, {hosts:,} hosts, {load}, {r['policy']}"
            rows.append(Row(f"{what}: p99", r["p99_us"], "µs", floor, least=False, reference=words(r)))
            rows.append(Row(f"{what}: decisions", r["decisions_per_second"], "/s", 150_000 if load == "churn90" else None))
            if load == "hosts":
                rows.append(Row(f"{what}: a host changes, p99", r["set_host_p99_us"], "µs"))
    return rows


def measure_million(context):
    hosts = context.pick(1_000_000, 50_000)
    rows = []
    for policy in ("weights", "first-fit", "pack"):
        context.say(f"churn90, {hosts:,} hosts, {policy}")
        r = run(context, "--hosts", str(hosts), "--load", "churn90", "--policy", policy, "--decisions", str(context.pick(200_000, 20_000)))[0]
        rows.append(Row(f"placement, {hosts:,} hosts, churn90, {policy}: p99", r["p99_us"], "µs", 60, least=False, reference=words(r)))
        rows.append(Row(f"placement, {hosts:,} hosts, {policy}: memory a host", r["bytes_per_host"], "bytes", context.pick(200, None), least=False,
                        reference=f"{r['bytes_per_server']:.1f} bytes a server: servers are sums on their hosts"))
    return rows


def measure_trace(context, cores, ram, name):
    path = pathlib.Path(TRACE) / "bernoulli-1pct-0.csv.gz"
    context.say(f"Azure trace, server type {name}")
    results = {r["policy"]: r for r in run(context, "--trace", str(path), "--capacity", f"{cores},{ram}", "--policy", "all")}

    def above(policy):
        """Percent above the bound: hosts at peak, and host-days."""
        r = results[policy]
        return 100 * (r["peak"] / r["peak_bound"] - 1), 100 * (r["host_days"] / r["host_days_bound"] - 1)

    plain = [above("first-fit"), above("best-fit")]
    rows = []
    for policy, r in results.items():
        peak, days = above(policy)
        judged = policy == "lifetime"  # better than both plain ones
        what = f"Azure trace, type {name}, {policy}"
        rows.append(Row(f"{what}: hosts at peak above the bound", peak, "%", min(p for p, _ in plain) - 0.001 if judged else None, least=False,
                        reference=f"{r['peak']} hosts, bound {r['peak_bound']}; stranded at peak: VCPU {r['stranded_vcpus']:.1%}, memory {r['stranded_memory']:.1%}"))
        rows.append(Row(f"{what}: host-days above the bound", days, "%", min(d for _, d in plain) - 0.001 if judged else None, least=False,
                        reference=f"{r['host_days']:.1f}, bound {r['host_days_bound']:.1f}"))
    return rows


def measure(context):
    rows = measure_loads(context) + measure_million(context)
    if TRACE:
        rows += measure_trace(context, 9600, 2250, "1") + measure_trace(context, 6400, 3072, "10")
    return rows
