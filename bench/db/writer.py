"""Group commit through the writer against a bare loop over SQLite with as many requests per commit (writer_bench.c)."""
import re

from programs import run_program
from report import Row

LINE = re.compile(r"^ *(\d+) +(\d+) +\d+ +([\d.]+) +(\d+) +(\d+) +(\d+) +\d+ +\d+ +(\d+) +([\d.]+)$")
TWO = re.compile(r"^two processes.*: (\d+) and (\d+) requests/s.*smaller/larger ([\d.]+)")
READ = re.compile(r"^point read of ([\d,]+).*: ([\d.]+) us; .*: ([\d.]+) us")


def measure(context):
    rows = []
    for line in run_program(context, "db/writer_bench", context.pick(2, 1)):
        if found := LINE.match(line):
            submitters, rate, group, commit, p50, p99, bare, ratio = found.groups()
            rows.append(Row(f"writer, {submitters} waiting requests of 9 statements", float(rate), "/s",
                            reference=f"bare SQLite {float(bare):,.0f}/s, ratio {ratio}; {group} in a commit of {commit} µs; p50 {p50} µs, p99 {p99} µs"))
        elif found := TWO.match(line):
            rows.append(Row("two writing processes on one file, smaller share of larger", float(found[3]) * 100, "%",
                            reference=f"{float(found[1]):,.0f}/s and {float(found[2]):,.0f}/s"))
        elif found := READ.match(line):
            rows.append(Row(f"point read among {found[1]} rows", float(found[2]), "µs", reference=f"while 16 submitters write {found[3]} µs"))
    if len(rows) < 6:
        raise RuntimeError("writer_bench printed something else than it used to")
    return rows
