#!/bin/bash
# build-cloudinit-guest.sh: makes a small image of Debian 12 with Debian's own cloud-init, as the images are that people bring
# to a cloud: for the long form of the tests. A compressed qcow2 with an MBR: syslinux, kernel and initial RAM disk on a FAT
# partition, the root file system (label "root", grows to its disk on the first boot) on the second.
#
# Needs root (debootstrap) and Debian's archive; mounts no image. Users log in as "debian" with their key.
set -euo pipefail

usage() {
    cat <<'U'
usage: build-cloudinit-guest.sh [options] OUT.qcow2
  --cache DIR      where downloaded packages are kept (default: /var/cache/virga/debian)
  --mirror URL     Debian's archive (default: http://deb.debian.org/debian)
  --keep-work DIR  builds in DIR and leaves everything there
U
}

SUITE=bookworm
# debootstrap does not see that python3-cffi-backend provides what cloud-init asks for.
PACKAGES=(linux-image-cloud-amd64 initramfs-tools systemd-sysv systemd-resolved udev dbus kmod zstd ca-certificates
    cloud-init python3-cffi-backend cloud-guest-utils e2fsprogs fdisk iproute2 iputils-ping openssh-server sudo netbase less procps
    dmidecode)
BOOT_MIB=96
ROOT_MIB=1400
PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "build-cloudinit-guest: $*" >&2
    exit 1
}

check_tools() {
    local pair missing=""
    for pair in debootstrap:debootstrap mkfs.ext4:e2fsprogs sfdisk:fdisk mkfs.vfat:dosfstools mcopy:mtools syslinux:syslinux \
        qemu-img:qemu-utils; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
    done
    [ -e "$MBR" ] || missing="$missing syslinux-common"
    [ -z "$missing" ] || fail "missing packages:$missing"
    [ "$(id -u)" = 0 ] || fail "debootstrap needs root"
}

make_root() {
    local include
    include=$(IFS=,; echo "${PACKAGES[*]}")
    rm -rf "$ROOT"
    mkdir -p "$CACHE" "$ROOT"
    debootstrap --variant=minbase --cache-dir="$CACHE" --include="$include" "$SUITE" "$ROOT" "$MIRROR" >"$WORK/debootstrap.log" 2>&1 ||
        fail "debootstrap failed: $(grep -v '^I:' "$WORK/debootstrap.log" | tail -n 5) (all of it: --keep-work DIR, DIR/debootstrap.log)"
}

configure_root() {
    printf 'LABEL=root / ext4 defaults,errors=remount-ro 0 1\n' >"$ROOT/etc/fstab"
    printf 'deb %s %s main\ndeb http://security.debian.org/debian-security %s-security main\n' "$MIRROR" $SUITE $SUITE \
        >"$ROOT/etc/apt/sources.list"
    # Made anew by each server: identity, keys, name.
    : >"$ROOT/etc/machine-id"
    rm -f "$ROOT"/etc/ssh/ssh_host_* "$ROOT/etc/hostname" "$ROOT/etc/resolv.conf" "$ROOT/var/lib/dbus/machine-id"
    ln -s /run/systemd/resolve/stub-resolv.conf "$ROOT/etc/resolv.conf"
    ln -sf /lib/systemd/system/systemd-networkd.service "$ROOT/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
        ln -sf /dev/null "$ROOT/etc/systemd/system/$unit"
    done
    # A small initial RAM disk: what finds the root file system on a virtio disk.
    printf 'virtio_pci\nvirtio_blk\nvirtio_scsi\nsd_mod\next4\n' >"$ROOT/etc/initramfs-tools/modules"
    printf 'MODULES=list\nCOMPRESS=zstd\n' >"$ROOT/etc/initramfs-tools/conf.d/small"
    chroot "$ROOT" update-initramfs -u >>"$WORK/debootstrap.log" 2>&1 || fail "update-initramfs failed in the new root"
    rm -rf "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/log/*.log "$ROOT"/usr/share/{doc,man,info,locale}/* \
        "$ROOT/debootstrap"
}

make_boot_partition() {
    local boot=$WORK/boot.img
    cat >"$WORK/syslinux.cfg" <<'C'
DEFAULT debian
PROMPT 0
LABEL debian
    KERNEL vmlinuz
    INITRD initrd.img
    APPEND root=LABEL=root rw console=tty0 console=ttyS0,115200 quiet net.ifnames=0 tsc=reliable no_timer_check
C
    rm -f "$boot"
    truncate -s ${BOOT_MIB}M "$boot"
    mkfs.vfat -F 16 -n BOOT "$boot" >/dev/null
    syslinux --install "$boot"
    mcopy -i "$boot" "$WORK/syslinux.cfg" ::
    mcopy -i "$boot" "$(echo "$ROOT"/boot/vmlinuz-*)" ::vmlinuz
    mcopy -i "$boot" "$(echo "$ROOT"/boot/initrd.img-*)" ::initrd.img
}

make_disk() {
    local disk=$WORK/disk.img root_start=$((1 + BOOT_MIB))
    rm -f "$disk"
    truncate -s $((root_start + ROOT_MIB + 1))M "$disk"
    printf 'start=1MiB, size=%dMiB, type=e, bootable\nstart=%dMiB, size=%dMiB, type=83\n' $BOOT_MIB $root_start $ROOT_MIB |
        sfdisk -q --label dos "$disk"
    dd if="$MBR" of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if="$WORK/boot.img" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
    mkfs.ext4 -q -F -L root -d "$ROOT" -E offset=$((root_start * 1024 * 1024)) "$disk" ${ROOT_MIB}M 2>"$WORK/mkfs.log" ||
        fail "mkfs.ext4 failed: $(tail -n 3 "$WORK/mkfs.log")"
}

write_output() {
    qemu-img convert -c -f raw -O qcow2 "$WORK/disk.img" "$WORK/disk.qcow2"
    mkdir -p "$(dirname "$OUT")"
    cp "$WORK/disk.qcow2" "$OUT.new"
    mv "$OUT.new" "$OUT"
    echo "build-cloudinit-guest: $OUT: $(stat -c %s "$OUT") bytes, cloud-init" \
        "$(chroot "$ROOT" dpkg-query -W cloud-init | cut -f 2)"
}

OUT="" CACHE=/var/cache/virga/debian MIRROR=http://deb.debian.org/debian WORK="" MBR=/usr/lib/syslinux/mbr/mbr.bin
while [ $# -gt 0 ]; do
    case $1 in
    --cache | --mirror | --keep-work)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in --cache) CACHE=$2 ;; --mirror) MIRROR=$2 ;; *) WORK=$2 ;; esac
        shift
        ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && fail "unknown option $1" ;;
    *) [ -z "$OUT" ] || fail "one output file, not also $1"; OUT=$1 ;;
    esac
    shift
done
[ -n "$OUT" ] || { usage >&2; exit 2; }
check_tools
if [ -n "$WORK" ]; then
    mkdir -p "$WORK"
    WORK=$(cd "$WORK" && pwd)
else
    WORK=$(mktemp -d /var/tmp/build-cloudinit-guest.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
fi
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
ROOT=$WORK/root
make_root
configure_root
make_boot_partition
make_disk
write_output
