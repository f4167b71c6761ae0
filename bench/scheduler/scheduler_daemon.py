"""The scheduler's daemon on SQLite (FULL): cold start until the first decision, and waiting servers placed per second."""
import subprocess

from report import Row


def run(context, *arguments):
    done = subprocess.run([f"{context.build}/bench/scheduler/daemon_bench", *map(str, arguments)], capture_output=True, text=True, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def measure(context):
    hosts, servers = context.pick((100_000, 1_000_000), (2_000, 20_000))
    context.say(f"cold start, {hosts:,} hosts, {servers:,} servers")
    cold = run(context, "cold", hosts, servers)
    some, waiting = context.pick((10_000, 20_000), (1_000, 2_000))
    context.say(f"{waiting:,} waiting servers, {some:,} hosts")
    rate = run(context, "rate", some, waiting)
    flavors = context.pick(100, 20)
    context.say(f"room for {flavors} flavors, {some:,} hosts")
    room = run(context, "capacity", some, flavors)
    return [Row(f"virga capacity: {flavors} flavors counted by all filters, {some:,} hosts", room["reading"] + room["counting"], "s", None, least=False,
                reference=f"reading the hosts {room['reading']:.2f} s; a tenth of the flavors ask for processors of their own"),
            Row(f"scheduler, cold start: {hosts:,} hosts, {servers:,} servers, to the first decision on disk", cold["cold_start"], "s", 5, least=False,
                reference=f"reading the hosts {cold['reading_hosts']:.2f} s"),
            Row(f"scheduler: waiting servers claimed, placed and committed, {some:,} hosts", rate["placed"], "/s", 5_000,
                reference=f"SQLite's transactions take {rate['commits']:.0f} % of the time, the placement library {rate['library']:.1f} %")]
