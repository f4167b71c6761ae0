#!/bin/bash
# build-guest.sh: makes Virga's tiny guest image, a bootable compressed qcow2 of Debian's cloud kernel, static busybox and
# dropbear. The same packages give the same file, byte for byte.
#
# The image is one FAT file system with syslinux, the kernel and an initial RAM disk, in which the guest lives (rootfs/ has
# its own files; rootfs/usr/lib/guest/start tells what it does). Needs no root and mounts nothing.
set -euo pipefail

usage() {
    cat <<'U'
usage: build-guest.sh [options] OUT.qcow2
  --cache DIR       where the downloaded kernel package is kept (default: /var/cache/virga for root, else ~/.cache/virga)
  --kernel-deb FILE this linux-image package instead of Debian's current linux-image-cloud-amd64
  --paravirtual     for Xen's PV guests too, which GRUB can start from an unpacked kernel only: 11 MB more
  --keep-work DIR   builds in DIR and leaves vmlinuz, initrd.gz and everything else there
U
}

HERE=$(cd "$(dirname "$0")" && pwd)
MAX_BYTES=$((18 * 1000 * 1000)) # without --paravirtual
DISK_MIB=32
VOLUME_ID=56495247
# Reproducible: every time stamp inside the image is this one.
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1
PATH=$PATH:/usr/sbin:/sbin

MODULES="virtio_pci virtio_blk virtio_net virtio_console virtio_balloon virtio-rng virtio_scsi virtio_mem
         sd_mod sr_mod ata_piix xen-blkfront xen-netfront loop isofs vfat nls_cp437 nls_ascii nls_utf8 button evdev"

fail() {
    echo "build-guest: $*" >&2
    exit 1
}

check_tools() {
    local pair missing=""
    for pair in busybox:busybox-static dropbear:dropbear-bin dropbearkey:dropbear-bin cpio:cpio modprobe:kmod depmod:kmod \
        mkfs.vfat:dosfstools mcopy:mtools syslinux:syslinux qemu-img:qemu-utils gzip:gzip dpkg-deb:dpkg cc:gcc; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
    done
    [ -z "$PARAVIRTUAL" ] || command -v lz4 >/dev/null || missing="$missing lz4"
    [ -z "$missing" ] || fail "missing packages:$missing"
    ! ldd "$(command -v busybox)" >/dev/null 2>&1 || fail "$(command -v busybox) is not static; install busybox-static"
}

current_kernel_package() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }'
}

# Prints the path of the kernel's .deb. Without a network the newest one in the cache serves.
fetch_kernel() {
    local package version file
    package=$(current_kernel_package)
    if [ -z "$package" ] && [ "$(id -u)" = 0 ]; then
        apt-get -qq update >&2 || true
        package=$(current_kernel_package)
    fi
    if [ -n "$package" ]; then
        version=$(apt-cache policy "$package" | awk '/Candidate:/ { print $2 }')
        file=$CACHE/${package}_${version//:/%3a}_amd64.deb
        [ -s "$file" ] || download "$package" >&2 || file=""
    fi
    if [ -z "${file:-}" ]; then
        file=$(find "$CACHE" -name 'linux-image-*-cloud-amd64_*.deb' | sort -V | tail -n 1)
        [ -n "$file" ] || fail "cannot download Debian's linux-image-cloud-amd64 and none is in $CACHE (online? --kernel-deb FILE?)"
        echo "build-guest: cannot download Debian's current kernel, taking $file" >&2
    fi
    echo "$file"
}

# apt-get checks the package against the archive's signed list; the file appears in the cache only when it is whole.
download() {
    local fetched
    fetched=$(mktemp -d "$CACHE/fetch.XXXXXX")
    (cd "$fetched" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$1") || {
        rm -rf "$fetched"
        return 1
    }
    mv "$fetched"/*.deb "$CACHE/" && rmdir "$fetched"
}

unpack_kernel() {
    mkdir -p "$WORK/kernel"
    dpkg-deb -x "$1" "$WORK/kernel" || fail "$1 is not a Debian package"
    RELEASE=$(ls "$WORK/kernel/lib/modules") || fail "$1 holds no kernel modules"
    [ -f "$WORK/kernel/boot/vmlinuz-$RELEASE" ] || fail "$1 holds no kernel"
    cp "$WORK/kernel/boot/vmlinuz-$RELEASE" "$WORK/vmlinuz"
    depmod -b "$WORK/kernel" "$RELEASE"
}

# The kernel inside the boot image, as gzip packs it: GRUB 2.06 knows no LZ4.
make_paravirtual_kernel() {
    local header sectors offset length
    header=$(od -An -tu4 -j 584 -N 8 "$WORK/vmlinuz") # payload_offset and payload_length of the boot protocol
    sectors=$(od -An -tu1 -j 497 -N 1 "$WORK/vmlinuz")
    read -r offset length <<<"$header"
    dd if="$WORK/vmlinuz" of="$WORK/payload" bs=1M iflag=skip_bytes,count_bytes skip=$(((sectors + 1) * 512 + offset)) \
        count=$((length - 4)) status=none
    lz4 -dqf "$WORK/payload" "$WORK/vmlinux" 2>/dev/null || fail "the kernel's payload is no LZ4: cannot unpack it"
    [ "$(head -c 4 "$WORK/vmlinux" | tail -c 3)" = ELF ] || fail "the kernel's payload is no ELF"
    gzip -9n <"$WORK/vmlinux" >"$WORK/vmlinux.gz"
}

install_modules() {
    local module path to=$ROOT/lib/modules/$RELEASE
    mkdir -p "$to/kernel"
    for module in $MODULES; do
        modprobe -d "$WORK/kernel" -S "$RELEASE" --show-depends "$module" || fail "kernel $RELEASE has no module $module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$WORK/modules"
    while read -r path; do
        cp "$path" "$to/kernel/"
    done <"$WORK/modules"
    cp "$WORK/kernel/lib/modules/$RELEASE/modules.builtin" "$WORK/kernel/lib/modules/$RELEASE/modules.builtin.modinfo" \
        "$WORK/kernel/lib/modules/$RELEASE/modules.order" "$to/"
    depmod -b "$ROOT" "$RELEASE"
    find "$to" -maxdepth 1 -type f ! -name modules.dep ! -name modules.alias -delete
}

install_programs() {
    local applet binary library
    cp "$(command -v busybox)" "$ROOT/bin/busybox"
    for applet in $(busybox --list); do
        case $applet in busybox | poweroff | reboot | halt | bash) continue ;; esac
        ln -s busybox "$ROOT/bin/$applet"
    done
    for applet in poweroff reboot halt; do
        ln -s ../usr/lib/guest/halt "$ROOT/bin/$applet"
    done
    cp "$(command -v dropbear)" "$(command -v dropbearkey)" "$ROOT/bin/"
    cc -std=gnu11 -O2 -s -Wl,--build-id=none -o "$ROOT/bin/ahci_cdrom" "$HERE/ahci_cdrom.c" || fail "ahci_cdrom.c does not compile"
    for binary in dropbear dropbearkey ahci_cdrom; do
        ldd "$ROOT/bin/$binary" | grep -o '/[^ ]*'
    done | sort -u >"$WORK/libraries"
    while read -r library; do
        mkdir -p "$ROOT$(dirname "$library")"
        cp -L "$library" "$ROOT$library"
    done <"$WORK/libraries"
}

make_root() {
    ROOT=$WORK/root
    rm -rf "$ROOT"
    mkdir -p "$ROOT"/{bin,dev,proc,sys,run,tmp,disk,config,root,var,usr,lib,lib64}
    ln -s bin "$ROOT/sbin"
    ln -s ../bin "$ROOT/usr/bin"
    ln -s ../bin "$ROOT/usr/sbin"
    ln -s ../run "$ROOT/var/run"
    cp -r "$HERE/rootfs/." "$ROOT/"
    install_programs
    install_modules
    chmod -R u=rwX,go=rX "$ROOT"
    chmod 755 "$ROOT/init" "$ROOT/bin/bash" "$ROOT"/etc/acpi/PWRF/* "$ROOT/etc/udhcpc/default.script" "$ROOT"/usr/lib/guest/*
    chmod 600 "$ROOT/etc/shadow"
    chmod 1777 "$ROOT/tmp"
    find "$ROOT" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    (cd "$ROOT" && find . | sort | cpio -o -H newc -R 0:0 --reproducible --quiet) | gzip -9n >"$WORK/initrd.gz"
}

make_disk() {
    local image=$WORK/guest.img file
    cat >"$WORK/syslinux.cfg" <<'C'
DEFAULT guest
PROMPT 0
LABEL guest
    KERNEL vmlinuz
    INITRD initrd.gz
    APPEND console=tty0 console=ttyS0,115200 quiet panic=1 tsc=reliable no_timer_check nokaslr mitigations=off cryptomgr.notests
C
    # Xen's guests without firmware are started by GRUB (grub-xen-host), which looks for this file on their disks.
    cat >"$WORK/grub.cfg" <<'C'
set timeout=0
menuentry guest {
    if [ "$grub_platform" = xen ]; then set kernel=/vmlinux.gz; else set kernel=/vmlinuz; fi
    linux $kernel console=hvc0 quiet panic=1 nokaslr mitigations=off cryptomgr.notests
    initrd /initrd.gz
}
C
    rm -f "$image"
    truncate -s ${DISK_MIB}M "$image"
    mkfs.vfat --invariant -F 16 -i $VOLUME_ID -n VIRGAGUEST "$image" >/dev/null
    syslinux --install "$image"
    for file in vmlinuz initrd.gz syslinux.cfg grub.cfg; do
        touch -d "@$SOURCE_DATE_EPOCH" "$WORK/$file"
    done
    [ -z "$PARAVIRTUAL" ] || touch -d "@$SOURCE_DATE_EPOCH" "$WORK/vmlinux.gz"
    mcopy -m -i "$image" "$WORK"/{vmlinuz,initrd.gz,syslinux.cfg} ::
    [ -z "$PARAVIRTUAL" ] || mcopy -m -i "$image" "$WORK/vmlinux.gz" ::
    mmd -i "$image" ::boot ::boot/grub
    mcopy -m -i "$image" "$WORK/grub.cfg" ::boot/grub/
}

write_output() {
    local size
    qemu-img convert -c -f raw -O qcow2 -o cluster_size=16k "$WORK/guest.img" "$WORK/guest.qcow2"
    size=$(stat -c %s "$WORK/guest.qcow2")
    [ -n "$PARAVIRTUAL" ] || [ "$size" -le $MAX_BYTES ] || fail "the image has $size bytes, more than $MAX_BYTES"
    mkdir -p "$(dirname "$OUT")"
    cp "$WORK/guest.qcow2" "$OUT.new"
    mv "$OUT.new" "$OUT"
    echo "build-guest: $OUT: $size bytes, Linux $RELEASE"
}

OUT="" CACHE="" KERNEL_DEB="" WORK="" PARAVIRTUAL=""
while [ $# -gt 0 ]; do
    case $1 in
    --cache | --kernel-deb | --keep-work)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in --cache) CACHE=$2 ;; --kernel-deb) KERNEL_DEB=$2 ;; *) WORK=$2 ;; esac
        shift
        ;;
    --paravirtual) PARAVIRTUAL=1 DISK_MIB=48 ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && fail "unknown option $1" ;;
    *) [ -z "$OUT" ] || fail "one output file, not also $1"; OUT=$1 ;;
    esac
    shift
done
[ -n "$OUT" ] || { usage >&2; exit 2; }
if [ -z "$CACHE" ]; then
    if [ "$(id -u)" = 0 ]; then CACHE=/var/cache/virga; else CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/virga; fi
fi
check_tools
mkdir -p "$CACHE"
if [ -n "$WORK" ]; then
    mkdir -p "$WORK"
    WORK=$(cd "$WORK" && pwd)
else
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/build-guest.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
fi
[ -n "$KERNEL_DEB" ] || KERNEL_DEB=$(fetch_kernel)
[ -r "$KERNEL_DEB" ] || fail "cannot read $KERNEL_DEB"
unpack_kernel "$KERNEL_DEB"
[ -z "$PARAVIRTUAL" ] || make_paravirtual_kernel
make_root
make_disk
write_output
