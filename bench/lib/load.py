"""The load generator and the reference server, as functions."""
import json
import subprocess
import tempfile


def run_load(build, port, *, path="/", paths=None, method="GET", headers=None, body=None, expect=200, connections=64, threads=1,
             seconds=5, requests=None):
    """What bench/load/load prints, as a dictionary. Any answer with another status is an error: it would be cheaper than the real one."""
    command = [f"{build}/bench/load/load", "--method", method, "--expect", str(expect), "--connections", str(connections),
               "--threads", str(threads), "--seconds", str(seconds)]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    if body is not None:
        command += ["--body", json.dumps(body)]
    if requests is not None:
        command += ["--requests", str(requests)]
    with tempfile.NamedTemporaryFile("w") as list_of_paths:
        if paths:
            list_of_paths.write("".join(p + "\n" for p in paths))
            list_of_paths.flush()
            command += ["--paths", list_of_paths.name]
        else:
            command += ["--path", path]
        done = subprocess.run([*command, f"127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        raise RuntimeError(f"load: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result["bad"]:
        raise RuntimeError(f"load: {result['bad']} unexpected answers\n{done.stderr.strip()}")
    return result


class Hello:
    """The bare libmicrohttpd server, as a context. In a session of its own as a daemon is: the kernel shares processors among sessions."""

    def __init__(self, build, threads, size=6):
        self.command = [f"{build}/bench/load/hello", str(threads), str(size)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
