#!/bin/bash
# build-uefi-guest.sh: the tiny guest (build-guest.sh) as an image that starts by UEFI with secure boot: Debian's signed shim, GRUB and
# kernel on the same FAT file system. Needs the work folder that build-guest.sh --keep-work left. Needs no root and mounts nothing.
set -euo pipefail
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1
PATH=$PATH:/usr/sbin:/sbin
HERE=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "build-uefi-guest: $*" >&2
    exit 1
}

# fetch PACKAGE: prints the newest .deb of it; from the cache when there is no network. apt checks it against the archive's signed list.
fetch() {
    local fetched file
    fetched=$(mktemp -d "$CACHE/fetch.XXXXXX")
    if (cd "$fetched" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$1") >&2; then
        mv "$fetched"/*.deb "$CACHE/"
    fi
    rm -rf "$fetched"
    file=$(find "$CACHE" -name "$1_*.deb" | sort -V | tail -n 1)
    [ -n "$file" ] || fail "cannot download $1 and none is in $CACHE"
    echo "$file"
}

[ $# = 1 ] || { echo "usage: build-uefi-guest.sh OUT.qcow2" >&2; exit 2; }
OUT=$1
CACHE=${VIRGA_CACHE:-/var/cache/virga}
mkdir -p "$CACHE"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/build-uefi-guest.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
"$HERE/build-guest.sh" --cache "$CACHE" --keep-work "$WORK" "$WORK/plain.qcow2" >&2
for package in shim-signed grub-efi-amd64-signed; do
    dpkg-deb -x "$(fetch "$package")" "$WORK/efi"
done
cat >"$WORK/grub.cfg" <<'C'
set timeout=0
linux /vmlinuz console=tty0 console=ttyS0,115200 quiet panic=1 tsc=reliable no_timer_check nokaslr mitigations=off cryptomgr.notests
initrd /initrd.gz
boot
C
image=$WORK/guest.img
mmd -i "$image" ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -i "$image" "$WORK/efi/usr/lib/shim/shimx64.efi.signed" ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$image" "$WORK/efi/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::/EFI/BOOT/grubx64.efi
mcopy -i "$image" "$WORK/grub.cfg" ::/EFI/debian/grub.cfg
qemu-img convert -c -f raw -O qcow2 "$image" "$WORK/guest.qcow2"
mkdir -p "$(dirname "$OUT")"
cp "$WORK/guest.qcow2" "$OUT.new"
mv "$OUT.new" "$OUT"
echo "build-uefi-guest: $OUT: $(stat -c %s "$OUT") bytes"
