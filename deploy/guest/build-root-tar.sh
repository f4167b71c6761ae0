#!/bin/bash
# build-root-tar.sh FILE: the root of a tiny container as an archive: a static busybox, and an init that takes an address by
# DHCP (or the one of its network_data.json, where DHCP is off), says BOOT OK on the console and ends when it is told to.
# Needs busybox-static.
set -eu
[ $# = 1 ] || { sed -n '2,4p' "$0" | cut -c3- >&2; exit 2; }
busybox=/bin/busybox
[ -x "$busybox" ] || { echo "build-root-tar: $busybox is missing (Debian package busybox-static)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,sbin,dev,proc,sys,etc,tmp,run,root,var/lib,usr/share/udhcpc}
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | grep -vx busybox | while read -r name; do ln -s busybox "$root/bin/$name"; done
echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
echo root:x:0: >"$root/etc/group"
cat >"$root/usr/share/udhcpc/default.script" <<'S'
#!/bin/sh
case $1 in bound | renew)
    ifconfig "$interface" "$ip" netmask "${subnet:-255.255.255.0}"
    for gateway in $router; do route add default gw "$gateway" dev "$interface" 2>/dev/null; done
    : >/etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done ;;
esac
S
cat >"$root/sbin/init" <<'I'
#!/bin/sh
export PATH=/bin:/sbin HOME=/root
trap 'echo "SHUT DOWN"; sleep 0.3; exit 0' TERM INT PWR # the terminal closes with the container, read or not
seed=/var/lib/cloud/seed/config_drive/openstack/latest
name=$(sed -n 's/.*"hostname": *"\([^"]*\)".*/\1/p' $seed/meta_data.json 2>/dev/null | head -n 1)
[ -z "$name" ] || hostname "$name"
ifconfig lo 127.0.0.1 up
if [ -d /sys/class/net/eth0 ] || ifconfig eth0 >/dev/null 2>&1; then
    ifconfig eth0 up
    static=$(sed -n 's/.*"type":"ipv4",[^}]*"ip_address":"\([^"]*\)","netmask":"\([^"]*\)".*/\1 netmask \2/p' $seed/network_data.json 2>/dev/null)
    if [ -n "$static" ]; then
        # shellcheck disable=SC2086 # words
        ifconfig eth0 $static
        gateway=$(sed -n 's/.*"network":"0.0.0.0","netmask":"0.0.0.0","gateway":"\([^"]*\)".*/\1/p' $seed/network_data.json)
        [ -z "$gateway" ] || route add default gw "$gateway"
    else
        udhcpc -i eth0 -q -n -t 10 -T 1 -s /usr/share/udhcpc/default.script >/dev/null 2>&1
    fi
fi
address=$(ifconfig eth0 2>/dev/null | sed -n 's/.*inet addr:\([0-9.]*\).*/\1/p')
echo "BOOT OK $(hostname) ip=$address boots=$(cat /root/boots 2>/dev/null)"
echo "x$(cat /root/boots 2>/dev/null)" >/root/boots
# shellcheck disable=SC2046 # words
set -- $(cat /proc/self/uid_map)
echo "root is $1 $2 $3 capabilities $(sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/self/status)"
[ ! -s $seed/user_data ] || { cp $seed/user_data /run/user-data && chmod 700 /run/user-data && /run/user-data; }
while :; do
    sleep 3600 &
    wait $!
done
I
chmod 755 "$root/sbin/init" "$root/usr/share/udhcpc/default.script"
tar --create --gzip --numeric-owner --owner 0 --group 0 --sort name --mtime @0 --file "$1" --directory "$root" .
echo "build-root-tar: $1: $(stat -c %s "$1") bytes"
