"""What a benchmark measured, judged against its floor, as a table."""
import dataclasses
import datetime
import os
import re
import statistics


@dataclasses.dataclass
class Row:
    """One line of the table. `value` is compared with `floor`: at least when `least`, else at most. Without a floor it only informs."""
    what: str
    value: float
    unit: str
    floor: float = None
    least: bool = True
    reference: str = ""  # what was measured beside it, in words
    note: str = ""

    def passed(self):
        if self.floor is None:
            return None
        return self.value >= self.floor if self.least else self.value <= self.floor


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def cells(row):
    floor = "" if row.floor is None else ("≥ " if row.least else "≤ ") + number(row.floor)
    verdict = {None: "", True: "pass", False: "FAIL"}[row.passed()]
    return [row.what, f"{number(row.value)} {row.unit}", row.reference, floor, verdict]


HEAD = ["what", "measured", "reference and details, same run", "floor", ""]


def as_markdown(rows):
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def as_text(rows):
    table = [HEAD] + [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def as_json(rows):
    return [{**dataclasses.asdict(row), "passed": row.passed()} for row in rows]


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1])
    kernel = re.match(r"[\d.]+", os.uname().release)[0]
    return f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, {round(memory / 1024 / 1024)} GB, Linux {kernel}"


def load_average():
    """The load before, and whether we go before it (chrt -r 1 bench/run ...)."""
    real_time = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    return f"{os.getloadavg()[0]:.1f}" + (", all of this with real-time priority" if real_time else "")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def median(values):
    return statistics.median(values)
