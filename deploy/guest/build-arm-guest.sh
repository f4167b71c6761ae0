#!/bin/bash
# build-arm-guest.sh: a tiny guest for 64-bit Arm that starts by UEFI: Debian's arm64 cloud kernel, GRUB and static busybox on one FAT
# file system. It brings its interface up by DHCP and says BOOT OK with its machine's name on the console. Needs no root, mounts nothing
# and leaves this machine's own package lists alone.
set -euo pipefail
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1
PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "build-arm-guest: $*" >&2
    exit 1
}

[ $# = 1 ] || { echo "usage: build-arm-guest.sh OUT.qcow2" >&2; exit 2; }
OUT=$1
WORK=$(mktemp -d "${TMPDIR:-/tmp}/build-arm-guest.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
APT=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State=$WORK/state" -o "Dir::Cache=$WORK/cache"
    -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Retries=3)
mkdir -p "$WORK"/state/lists/partial "$WORK"/cache/archives/partial "$WORK"/debs
apt-get "${APT[@]}" update >&2
KERNEL=$(apt-cache "${APT[@]}" depends linux-image-cloud-arm64 | awk '/Depends: linux-image-/ { print $2; exit }')
(cd "$WORK/debs" && apt-get "${APT[@]}" download "$KERNEL" busybox-static grub-efi-arm64-signed >&2) || fail "cannot download Debian's packages for arm64"
for deb in "$WORK"/debs/*.deb; do
    dpkg-deb -x "$deb" "$WORK/files"
done
RELEASE=$(ls "$WORK/files/lib/modules")
depmod -b "$WORK/files" "$RELEASE"

ROOT=$WORK/root
mkdir -p "$ROOT"/{bin,dev,proc,sys,etc/udhcpc,lib/modules}
cp "$WORK/files/bin/busybox" "$ROOT/bin/"
for module in virtio_pci virtio_net virtio_blk virtio-rng button; do
    modprobe -d "$WORK/files" -S "$RELEASE" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' >"$WORK/modules"
while read -r module; do
    cp "$module" "$ROOT/lib/modules/"
    echo "${module##*/}" >>"$ROOT/lib/modules/order"
done <"$WORK/modules"
cat >"$ROOT/etc/udhcpc/default.script" <<'S'
#!/bin/sh
[ "$1" != bound ] || ip addr add "$ip/${mask:-24}" dev "$interface"
S
cat >"$ROOT/init" <<'S'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
[ ! -f /lib/modules/order ] || while read -r module; do insmod "/lib/modules/$module"; done </lib/modules/order
ip link set eth0 up
udhcpc -q -n -t 10 -i eth0 -s /etc/udhcpc/default.script >/dev/null
address=$(ip -4 -o addr show dev eth0 | awk '{ print $4 }')
echo "BOOT OK $(uname -m) ${address:-none} efi=$(ls -d /sys/firmware/efi) cpus=$(nproc)"
while :; do sleep 3600; done
S
ln -s bin "$ROOT/sbin"
ln -s busybox "$ROOT/bin/sh"
chmod 755 "$ROOT/init" "$ROOT/etc/udhcpc/default.script"
(cd "$ROOT" && find . | sort | cpio -o -H newc -R 0:0 --quiet) | gzip -9n >"$WORK/initrd.gz"

cat >"$WORK/grub.cfg" <<'C'
set timeout=0
linux /vmlinuz console=ttyAMA0 quiet panic=1 nokaslr mitigations=off
initrd /initrd.gz
boot
C
image=$WORK/guest.img
truncate -s 96M "$image"
mkfs.vfat --invariant -F 32 -i 56495247 -n VIRGAGUEST "$image" >/dev/null
mmd -i "$image" ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -i "$image" "$WORK/files/usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed" ::/EFI/BOOT/BOOTAA64.EFI
mcopy -i "$image" "$WORK/grub.cfg" ::/EFI/debian/grub.cfg
mcopy -i "$image" "$WORK/files/boot/vmlinuz-$RELEASE" ::/vmlinuz
mcopy -i "$image" "$WORK/initrd.gz" ::/initrd.gz
qemu-img convert -c -f raw -O qcow2 "$image" "$WORK/guest.qcow2"
mkdir -p "$(dirname "$OUT")"
cp "$WORK/guest.qcow2" "$OUT.new"
mv "$OUT.new" "$OUT"
echo "build-arm-guest: $OUT: $(stat -c %s "$OUT") bytes, Linux $RELEASE"
