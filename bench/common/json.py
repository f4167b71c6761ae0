"""JSON in and out, without a server around it (json_bench.c)."""
from programs import run_program
from report import Row

WHAT = {"json_in_server_create": "JSON in: the body of POST /servers, parsed and read", "json_in_throughput": "the same, bytes",
        "json_out_page_of_1000_servers": "JSON out: 1,000 small servers", "json_out_throughput": "the same, bytes"}


def measure(context):
    rows = []
    for line in run_program(context, "common/json_bench"):
        name, value, unit = line.split(" ", 2)
        rows.append(Row(WHAT[name], float(value), unit))
    return rows
