"""Machines of a dom0 that somebody made with virsh, before there was a cloud: with a disk on a block device and one that is a file."""
import os
import re
import uuid

from cloud import shell, wait_for

VIRSH = "virsh -q -c xen:///system "
PLACE = "/srv/machines"
# Says on the console since which boot it lives, and for how long.
LIVES = """#!/bin/sh
( while :; do echo "LIVES $(cat /proc/sys/kernel/random/boot_id) $(cut -d. -f1 /proc/uptime)" >/dev/console; sleep 2; done ) </dev/null >/dev/null 2>&1 &
"""
DOMAIN = """<domain type='xen'><name>{name}</name><uuid>{id}</uuid><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='xenpvh'>xenpvh</type><kernel>/usr/lib/grub-xen/grub-i386-xen_pvh.bin</kernel></os>
<clock offset='utc'><timer name='tsc' mode='native'/></clock><on_reboot>restart</on_reboot><devices>
{disks}
<interface type='network'><source network='old'/></interface><console type='pty'><target type='xen' port='0'/></console></devices></domain>
"""
NETWORK = "<network><name>old</name><bridge name='old0'/><ip address='{net}.1' netmask='255.255.255.0'><dhcp><range start='{net}.10' end='{net}.99'/></dhcp></ip></network>"


def disk(kind, source, target, more=""):
    return f"<disk type='{kind}' device='disk'><driver name='phy' type='raw'/><source {source}/><target dev='{target}' bus='xen'/>{more}</disk>"


class Machine:
    """`image`: a raw image on the dom0, which is left alone."""

    def __init__(self, test, name, image):
        self.test, self.name, self.folder, self.id = test, name, f"{PLACE}/{name}", str(uuid.uuid4())
        work = os.path.join(test.cloud.prefix, name)
        os.makedirs(os.path.join(work, "openstack/latest"))
        for file, words in (("user_data", LIVES), ("meta_data.json", '{"uuid":"1","hostname":"old"}')):
            with open(os.path.join(work, "openstack/latest", file), "w", encoding="ascii") as out:
                out.write(words)
        shell("tests/e2e/lib/guest.sh", f"guest_make_drive config-2 {work} {work}.iso")
        with open(work + ".iso", "rb") as file:
            self.put("config.iso", file.read())
        self.run(f"cp --sparse=always {image} {self.folder}/root; truncate -s 64M {self.folder}/data")
        self.device = self.run(f"losetup --find --show {self.folder}/root").strip()
        disks = [disk("block", f"dev='{self.device}'", "xvda"), disk("file", f"file='{self.folder}/data'", "xvdb"),
                 disk("file", f"file='{self.folder}/config.iso'", "xvdz", "<readonly/>")]
        self.define(disks)

    def run(self, words, check=True):
        return self.test.dom0.run(words, check=check)

    def put(self, name, data):
        self.test.dom0.put(f"{self.folder}/{name}", data)

    def define(self, disks):
        self.put("domain.xml", DOMAIN.format(name=self.name, id=self.id, disks="\n".join(disks)).encode())
        self.run(f"{VIRSH} define {self.folder}/domain.xml")

    def xml(self, *where):
        return self.run(f"{VIRSH} dumpxml {self.name} " + " ".join(where))

    def lives(self, pause=3):
        """The last that it said of itself: boot id and uptime."""
        said = self.run(f"timeout {pause} cat $({VIRSH} ttyconsole {self.name})", check=False)
        return (re.findall(r"LIVES (\S+) (\d+)", said) or [None])[-1]

    def goes_on(self, before):
        later = wait_for("the guest says so again", lambda: (n := self.lives()) and int(n[1]) > int(before[1]) + 1 and n, 120, 0.1)
        return later[0] == before[0]

    def remove(self):
        self.run(f"{VIRSH} destroy {self.name}; {VIRSH} undefine {self.name}; losetup -d {self.device}; rm -rf {self.folder}", check=False)


def begin(test, net):
    """libvirt's network, and the image that machines are copied of: where it is."""
    test.dom0.put(f"{PLACE}/old.xml", NETWORK.format(net=net).encode())
    test.dom0.run(f"{VIRSH} net-create {PLACE}/old.xml")
    with open(test.guest, "rb") as file:
        test.dom0.put(f"{PLACE}/guest.qcow2", file.read())
    test.dom0.run(f"qemu-img convert -O raw {PLACE}/guest.qcow2 {PLACE}/guest.raw")
    return f"{PLACE}/guest.raw"


def end(test):
    test.dom0.run(f"{VIRSH} net-destroy old; rm -rf {PLACE}", check=False)
