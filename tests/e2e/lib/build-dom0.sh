#!/bin/bash
# build-dom0.sh DIR: makes a machine that boots Xen with a Debian 12 as its first domain (dom0), to be run under QEMU: DIR/xen,
# vmlinuz, initrd.gz, dom0.qcow2, and key, which logs root in by ssh on port 22. Prints DIR's subfolder for these packages; one that is
# there already is not made again. Takes minutes and 2 GB.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
SUITE=bookworm MIRROR=${VIRGA_MIRROR:-http://deb.debian.org/debian}
PACKAGES=(linux-image-amd64 initramfs-tools udev kmod iproute2 procps netbase dropbear-bin busybox-static
    xen-hypervisor-4.17-amd64 xen-utils-4.17 xenstore-utils grub-xen-host
    libvirt-daemon libvirt-clients libvirt-daemon-system libvirt-daemon-driver-xen libvirt-daemon-driver-qemu
    libvirt-daemon-config-network dnsmasq-base dnsmasq-utils iptables ebtables
    qemu-utils genisoimage util-linux mount dmidecode
    libuv1 libjson-c5 libcurl3-gnutls libgnutls30 libxml2 libmicrohttpd12 libsodium23 libsystemd0 zlib1g ca-certificates)

fail() {
    echo "build-dom0: $*" >&2
    exit 1
}

[ $# -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
for tool in debootstrap mke2fs qemu-img cpio busybox ssh-keygen; do
    command -v "$tool" >/dev/null || fail "$tool is missing"
done
[ "$(id -u)" = 0 ] || fail "debootstrap needs root"
KEY=$( (cat "$0" "$HERE/dom0-init"; apt-cache policy xen-hypervisor-4.17-amd64 libvirt-daemon linux-image-amd64 | grep Candidate) | sha256sum | cut -c 1-16)
OUT=$1/dom0-$KEY
[ ! -e "$OUT/key" ] || { echo "$OUT"; exit 0; }

mkdir -p "$1/packages"
WORK=$(mktemp -d "$1/build.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
ROOT=$WORK/root
debootstrap --variant=minbase --cache-dir="$(cd "$1/packages" && pwd)" $SUITE "$ROOT" "$MIRROR" >"$WORK/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(grep -v '^I:' "$WORK/debootstrap.log" | tail -n 5)"
# The rest comes from where this machine's packages come from. Nothing is started in the folder.
rm -rf "$ROOT/etc/apt"
cp -a /etc/apt "$ROOT/etc/"
cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
chmod 755 "$ROOT/usr/sbin/policy-rc.d"
unshare --mount bash -ec "mount -t proc proc '$ROOT/proc'; export DEBIAN_FRONTEND=noninteractive
    chroot '$ROOT' apt-get -qq update
    chroot '$ROOT' apt-get -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install ${PACKAGES[*]}" >"$WORK/apt.log" 2>&1 ||
    fail "apt-get: $(tail -n 5 "$WORK/apt.log")"
install -m 755 "$HERE/dom0-init" "$ROOT/sbin/dom0-init"
install -d -m 700 "$ROOT/root/.ssh" "$ROOT/etc/dropbear"
ssh-keygen -q -t ed25519 -N '' -C dom0 -f "$WORK/key"
install -m 600 "$WORK/key.pub" "$ROOT/root/.ssh/authorized_keys"
printf 'unix_sock_group = "root"\nauth_unix_rw = "none"\n' >"$ROOT/etc/libvirt/libvirtd.conf"
# An emulated AMD processor shows no SEP and VME under Xen: libvirt shall find a model all the same.
sed -i -E "/name='(sep|vme)'/d" "$ROOT"/usr/share/libvirt/cpu_map/x86_{486,pentium,Opteron_G1,Opteron_G2,Opteron_G3}.xml
RELEASE=$(basename "$ROOT"/lib/modules/*)
rm -rf "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT"/usr/share/{doc,man,locale} "$ROOT"/boot/initrd.img-*

# What finds the root disk.
RAM=$WORK/ram
mkdir -p "$RAM"/{bin,proc,sys,dev,modules,root}
cp "$(command -v busybox)" "$RAM/bin/busybox"
depmod -b "$ROOT" "$RELEASE"
for module in virtio_pci virtio_blk crc32c_generic ext4; do
    modprobe -d "$ROOT" -S "$RELEASE" --show-depends $module
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" "$RAM/modules/"
    basename "$path" >>"$RAM/modules/order"
done
cat >"$RAM/init" <<'I'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in $($b cat /modules/order); do $b insmod /modules/$m; done
while [ ! -b /dev/vda ]; do $b sleep 0.1; done
$b mount -t ext4 -o rw,noatime /dev/vda /root && $b mount -o move /dev /root/dev
exec $b switch_root /root /sbin/dom0-init
I
chmod 755 "$RAM/init"
(cd "$RAM" && find . | cpio -o -H newc --quiet) | gzip -1 >"$WORK/initrd.gz"
zcat "$ROOT/boot/xen-4.17-amd64.gz" >"$WORK/xen"
cp "$ROOT/boot/vmlinuz-$RELEASE" "$WORK/vmlinuz"
mke2fs -q -t ext4 -O ^has_journal -d "$ROOT" "$WORK/dom0.img" 3G
qemu-img convert -f raw -O qcow2 "$WORK/dom0.img" "$WORK/dom0.qcow2"

mkdir -p "$OUT.new"
mv "$WORK"/{xen,vmlinuz,initrd.gz,dom0.qcow2,key} "$OUT.new/" # the key makes it whole
rm -rf "$OUT"
mv "$OUT.new" "$OUT"
echo "$OUT"
