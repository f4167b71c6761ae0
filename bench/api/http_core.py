"""Our HTTP core with handlers that do next to nothing, by wrk, against libmicrohttpd alone (http_bench.c)."""
import re

from programs import run_program
from report import Row

LINE = re.compile(r"^(\S.*?) +(\d+) /s +([\d.]+) %$")


def measure(context):
    rows = []
    for line in run_program(context, "api/http_bench", context.pick(2, 1)):
        found = LINE.match(line)
        if found and found[1] != "libmicrohttpd alone":
            rows.append(Row(f"HTTP core: {found[1]}", float(found[3]), "% of hello", reference=f"{float(found[2]):,.0f}/s"))
    if not rows:
        raise RuntimeError("http_bench printed something else than it used to")
    return rows
