"""Live migration of a real guest (TCG, 128 MiB) between two libvirt hosts on one machine, with its disk and on shared storage."""
import json
import os
import pathlib
import subprocess

from report import Row, median

PAIR = pathlib.Path(__file__).resolve().parent / "migrate_pair"


def moved(context, kind, rounds):
    env = {**os.environ, "VIRGA_BUILD": str(context.build)}
    done = subprocess.run([str(PAIR), str(rounds), kind], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{PAIR.name} {kind}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(context):
    rows = []
    for kind, words in (("copied", "with its disk"), ("shared", "on shared storage")):
        found = moved(context, kind, context.pick(8, 2))
        rows.append(Row(f"live migration {words}, request to end", median(found["totals"]), "s", reference=", ".join(f"{s:.1f}" for s in found["totals"])))
        rows.append(Row(f"live migration {words}, guest stood still", median(found["downtimes"]), "ms",
                        reference=f"worst {max(found['downtimes'])} ms; " + ", ".join(str(ms) for ms in found["downtimes"])))
    return rows
