"""A pool at 12 % of its use consolidated by the rebalancer, on fake hosts with the Azure packing trace, and kept so for three days."""
import os
import pathlib
import re
import subprocess

from report import Row

TRACE = os.environ.get("VIRGA_AZURE_PACKING", "")  # folder of the samples


def command(build):
    """For `bench/run consolidate OPTIONS`."""
    return [f"{build}/bench/scheduler/consolidate_bench"]


def measure(context):
    path = pathlib.Path(TRACE or "/nonexistent") / "bernoulli-1pct-0.csv.gz"
    rows = []
    for name, capacity in (("1", "9600,2250"), ("10", "6400,3072")) if path.exists() else ():
        context.say(f"Azure trace, server type {name}")
        done = subprocess.run(command(context.build) + ["--trace", str(path), "--capacity", capacity], capture_output=True, text=True, check=False)
        before, once, later = done.stdout.splitlines()
        first = float(re.search(r"use ([\d.]+) %", before)[1])
        on = float(re.search(r"at ([\d.]+) %, \d+ switched off", once)[1])
        average, least = re.search(r"are on ([\d.]+) % on average, ([\d.]+) % at least", later).groups()
        rows.append(Row(f"consolidation, Azure trace, type {name}: use of the hosts that are on", on, "%", 60, reference=f"from {first} %: {before}; {once}"))
        rows.append(Row(f"consolidation, Azure trace, type {name}: the same for 72 hours, at least", float(least), "%", 60, reference=f"on average {average} %; {later}"))
    return rows
