"""Xen: os-start of a paravirtual guest until ACTIVE, against libvirt's call alone for the same guest; Xen and its dom0 are emulated."""
import json
import os
import pathlib
import subprocess
import sys

from report import Row, median

START = pathlib.Path(__file__).resolve().parent / "start_xen"


def measure(context):
    env = {**os.environ, "VIRGA_BUILD": str(context.build)}
    done = subprocess.run([str(START), str(context.pick(5, 2))], stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{START.name} ended with {done.returncode}")
    found = json.loads(done.stdout.splitlines()[-1])
    if "lacks" in found:
        context.say(f"no Xen: {found['lacks']}")
        return []
    ours, bare = found["ours"], found["bare"]
    return [Row("Xen (PVH, emulated): os-start until ACTIVE", median(ours) / median(bare), "× libvirt's call alone", 1.10, least=False,
                reference=f"medians {median(ours):.2f} s against {median(bare):.2f} s; " + ", ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(ours, bare)))]
