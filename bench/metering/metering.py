"""Counter measures, lifecycle events, a month's invoices and month to date, on SQLite with synchronous=FULL (metering_bench.c)."""
from programs import run_program
from report import Row

FLOORS = {"counters_metered": (300000, True), "events": (50000, True), "month": (10, False), "month_memory": (200, False), "month_to_date": (5, False), "fleet_minute": (6, False)}
WORDS = {"counters_accepted": "counter measures on disk in batches", "counters_metered": "counter measures accepted and taken over into hours",
         "fleet_minute": "a minute of 10,000 hosts, 1.26 million measures: processor time",
         "events": "lifecycle events to closed intervals", "month": "a month of 100,000 servers closed for 1,000 accounts",
         "month_memory": "memory while closing it", "month_to_date": "month to date of one project among them, p99",
         "counter_hours_bytes": "counters of 10 s on disk, by the hour", "counter_days_bytes": "the same rolled up to days",
         "counter_month_bytes": "the same rolled up to the month",
         "ledger_bytes": "the ledger on disk", "invoice_bytes": "invoices on disk"}


def measure(context):
    rows = []
    for line in run_program(context, "metering/metering_bench", context.pick(100, 5)):
        name, value, unit, words = line.split("\t")
        floor, least = FLOORS.get(name, (None, True))
        rows.append(Row(WORDS[name], float(value), unit, floor, least, reference=words))
    if len(rows) < len(WORDS):
        raise RuntimeError("metering_bench printed something else than it used to")
    return rows
