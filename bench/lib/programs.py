"""The benchmarks written in C, bench/<room>/NAME_bench.c, as functions."""
import subprocess


def run_program(context, name, *arguments):
    """What bench/<name> prints, as lines."""
    done = subprocess.run([f"{context.build}/bench/{name}", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()}")
    return done.stdout.splitlines()
