"""A guest that keeps a diary on its disk, behind what the image brings, and says what it finds there: a number in two places,
one written after the other, and a block that its first server wrote once and nobody ever changes."""
import base64
import os
import re
import subprocess

from cloud import wait_for

BOOT_S = 300
DIARY = r"""#!/bin/sh
rm -f /disk/instance # it is to run with each boot
disk=/dev/vda
[ -b $disk ] || disk=/dev/xvda
(
    look() { dd if=$disk bs=512 skip=$1 count=1 2>/dev/null | tr -d '\000' | sed 's/ *$//'; }
    put() { printf '%-512s' "$2" | dd of=$disk bs=512 seek=$1 count=1 conv=notrunc,fsync 2>/dev/null; }
    block() { echo 3 >/proc/sys/vm/drop_caches; dd if=$disk bs=1M skip=960 count=1 2>/dev/null | md5sum | cut -c 1-32; }
    echo "FOUND name=[$(look 1843200)] first=[$(look 1843201)] second=[$(look 1845201)]" >/dev/console
    n=$(look 1843201)
    [ -n "$n" ] || dd if=/dev/urandom of=$disk bs=1M seek=960 count=1 conv=notrunc,fsync 2>/dev/null
    put 1843200 "$(hostname)"
    while :; do
        n=$((n + 1))
        put 1843201 $n
        put 1845201 $n
        [ $((n % 20)) != 5 ] || echo "WROTE $n BLOCK $(block)" >/dev/console
        sleep 0.1
    done
) </dev/null >/dev/null 2>&1 &
"""
USER_DATA = base64.b64encode(DIARY.encode()).decode()


class Reader:
    """What guests say on their consoles."""

    def __init__(self, tenant):
        self.tenant = tenant

    def says(self, server_id, pattern, more=0):
        """The last words of that kind, when there are more than so many."""
        said = lambda: (lambda found: found if len(found) > more else None)(re.findall(pattern, self.tenant.console(server_id)))  # noqa: E731
        return wait_for(pattern, said, BOOT_S, 0.5)[-1]

    def finds(self, server_id, more=0):
        name, one, two = self.says(server_id, r"FOUND name=\[(.*?)\] first=\[(.*?)\] second=\[(.*?)\]", more)
        return name, int(one or 0), int(two or 0)

    def wrote(self, server_id):
        """What it writes from now on, and the block that it reads meanwhile."""
        had = len(re.findall("WROTE", self.tenant.console(server_id)))
        number, block = self.says(server_id, r"WROTE (\d+) BLOCK (\w{32})", had)
        return int(number), block

    def boots(self, server_id):
        return self.tenant.console(server_id).count("BOOT OK")


def behind(disk):
    """The files that it is based on, the nearest first."""
    found = []
    while disk:
        told = subprocess.run(["qemu-img", "info", "-U", disk], capture_output=True, text=True, check=True).stdout
        disk = (re.findall(r"backing file: (\S+)", told) or [None])[0]
        found += [disk] if disk else []
    return found


def layers(instances):
    """Of the servers whose folders are there."""
    folder = os.path.join(instances, ".layers")
    return sorted(name for name in os.listdir(folder) if name.endswith(".qcow2")) if os.path.isdir(folder) else []
