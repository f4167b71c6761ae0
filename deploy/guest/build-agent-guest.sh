#!/bin/bash
# build-agent-guest.sh: the tiny guest (build-guest.sh) with Debian's qemu-guest-agent and the libraries that it needs, for tests of what
# the agent does. The guest's user data starts it. Needs no root and mounts nothing.
set -euo pipefail
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1
HERE=$(cd "$(dirname "$0")" && pwd)

[ $# = 1 ] || { echo "usage: build-agent-guest.sh OUT.qcow2" >&2; exit 2; }
OUT=$1
WORK=$(mktemp -d "${TMPDIR:-/tmp}/build-agent-guest.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
"$HERE/build-guest.sh" --keep-work "$WORK" "$WORK/plain.qcow2" >&2
(cd "$WORK" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download qemu-guest-agent >&2)
dpkg-deb -x "$WORK"/qemu-guest-agent_*.deb "$WORK/agent"
MORE=$WORK/more
mkdir -p "$MORE/bin"
cp "$WORK/agent/usr/sbin/qemu-ga" "$MORE/bin/"
ldd "$MORE/bin/qemu-ga" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$MORE$(dirname "$library")"
    cp -L "$library" "$MORE$library"
done
# The agent sets passwords by chpasswd(8), which busybox here has not.
cat >"$MORE/bin/chpasswd" <<'S'
#!/bin/sh
while IFS=: read -r user password; do
    [ "${1:-}" = -e ] || password=$(mkpasswd -m sha512 "$password")
    sed -i "s,^$user:[^:]*:,$user:$password:," /etc/shadow
done
S
chmod 755 "$MORE/bin/chpasswd"
# The kernel unpacks one archive after the other.
(cd "$MORE" && find . | sort | cpio -o -H newc -R 0:0 --quiet) | gzip -9n >>"$WORK/initrd.gz"
mcopy -o -i "$WORK/guest.img" "$WORK/initrd.gz" ::initrd.gz
qemu-img convert -c -f raw -O qcow2 "$WORK/guest.img" "$WORK/guest.qcow2"
mkdir -p "$(dirname "$OUT")"
cp "$WORK/guest.qcow2" "$OUT.new"
mv "$OUT.new" "$OUT"
echo "build-agent-guest: $OUT: $(stat -c %s "$OUT") bytes"
