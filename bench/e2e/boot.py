"""From POST /servers until the guest's console says BOOT OK, against `virsh create` of the same domain XML on a fresh disk."""
import os
import subprocess
import time

from cloud import Cloud, wait_until
from real import RealHost, shell, sleeper_image, virsh
from report import Row, median

BOOT_S = 120


def booted(console):
    with open(console, "rb") as f:
        return b"BOOT OK" in f.read()


def wait_boot(console):
    wait_until(BOOT_S, "BOOT OK", lambda: os.path.exists(console) and booted(console), 0.005)


def through_cloud(cloud, host, network):
    """The server's id, and seconds from the request."""
    begin = time.monotonic()
    server = cloud.good("POST", "/compute/v2.1/servers", cloud.server_body(network))["server"]["id"]
    wait_boot(f"{host.instances}/{server}/console.log")
    return server, time.monotonic() - begin


def through_virsh(cloud, host, server):
    """The server is stopped and gets a disk as new; its domain is then started as it is defined."""
    host.wait_status(server, "ACTIVE")
    cloud.good("POST", f"/compute/v2.1/servers/{server}/action", {"os-stop": None})
    host.wait_status(server, "SHUTOFF")
    folder = f"{host.instances}/{server}"
    xml, disk, console = f"{host.home}/domain.xml", f"{folder}/root.qcow2", f"{folder}/console.log"
    with open(xml, "w", encoding="utf-8") as f:
        f.write(virsh("dumpxml", "--inactive", "--security-info", server))
    base = shell("deploy/lib/libvirt.sh", f"qemu-img info -U {disk} | sed -n 's/^backing file: \\([^ ]*\\).*/\\1/p'")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", disk, "1G"], check=True)
    os.truncate(console, 0)
    begin = time.monotonic()
    virsh("create", xml)
    wait_boot(console)
    seconds = time.monotonic() - begin
    virsh("destroy", server)
    return seconds


def remove(cloud, host, server):
    cloud.good("DELETE", f"/compute/v2.1/servers/{server}")
    wait_until(60, "the end of a server", lambda: not os.path.exists(f"{host.instances}/{server}"), 0.05)


def measure(context):
    image = shell("tests/e2e/lib/guest.sh", "guest_image")
    with Cloud(context.build) as cloud:
        cloud.unlimited()
        cloud.flavor = cloud.make_flavor(ram=128)
        with RealHost(cloud) as host, open(image, "rb") as data:
            network = host.add_network()
            cloud.image = host.add_image("sleeper", sleeper_image(), "raw")
            keeper = cloud.good("POST", "/compute/v2.1/servers", cloud.server_body(network))["server"]["id"]
            host.wait_status(keeper, "ACTIVE")  # the network is there, as it is for all but a host's first server
            cloud.image = host.add_image("guest", data.read(), "qcow2")
            ours, bare = [], []
            for turn in range(context.pick(5, 2) + 1):
                context.say(f"boot {turn} of either")
                server, seconds = through_cloud(cloud, host, network)
                reference = through_virsh(cloud, host, server)
                if turn:  # the first one fetched the image
                    ours.append(seconds)
                    bare.append(reference)
                remove(cloud, host, server)
    return [Row("POST /servers until BOOT OK", median(ours) / median(bare), "× virsh create", 1.10, least=False,
                reference=f"medians {median(ours):.2f} s against {median(bare):.2f} s; " +
                ", ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(ours, bare)))]
