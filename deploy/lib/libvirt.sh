# shellcheck shell=bash
# libvirt.sh (sourced): the machine's libvirt daemon, and further libvirt hosts on the same machine for tests.
#
#   libvirt_ensure_running             starts the system's libvirtd unless one answers; changes none that does
#   libvirt_wait_ready [URI [SECONDS]] waits until a connection is served (the first one takes some seconds)
#
#   libvirt_node_start NAME DIR ADDRESS   a second host: a libvirtd with its state in DIR, in network, mount, UTS and IPC
#                                         namespaces of its own, at ADDRESS; this machine is .1 of that /24
#   libvirt_node_start_daemons NAME       starts those of its daemons that do not run, for example after a kill -9
#   libvirt_node_exec NAME COMMAND...     runs a command inside it, say an agent, whose qemu:///system is the node's libvirtd
#   libvirt_node_uri NAME                 prints the URI of its libvirtd for use from outside
#   libvirt_node_stop NAME                ends it and everything that runs in it; DIR stays
#
# All need root and return 0, or 1 after a sentence on stderr. Daemons listen on unix sockets only (LIBVIRT_NODE_TCP=1 makes
# nodes listen on ADDRESS too, without authentication, for live migration; LIBVIRT_NODE_CGROUPS=shared leaves out the subtree of
# cgroups of the node's own, in which LXC does not find its containers, but for that of pids, which libvirt does not use and
# agents do). A node's processes are ended by their ids: those of its pid files, then whatever else is in its network namespace.

LIBVIRT_NODES=${LIBVIRT_NODES:-/run/virga-nodes}

libvirt_fail() {
    echo "libvirt: $*" >&2
    return 1
}

libvirt_answers() {
    timeout 15 virsh -q -c "${1:-qemu:///system}" version >/dev/null 2>&1
}

libvirt_wait_ready() {
    local uri=${1:-qemu:///system} seconds=${2:-60} end
    end=$((SECONDS + seconds))
    until libvirt_answers "$uri"; do
        [ $SECONDS -lt $end ] || libvirt_fail "$uri does not answer after $seconds seconds" || return 1
        sleep 0.2
    done
}

# True if PID_FILE names a live process called NAME.
libvirt_daemon_runs() { # PID_FILE NAME
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status"
}

# Where no udev gave /dev/kvm its group, libvirtd (root) takes KVM for usable and QEMU (libvirt-qemu) does not, and every
# start of a domain probes QEMU again for a minute. So it gets what Debian's udev gives it.
libvirt_prepare_kvm_device() {
    [ -e /dev/kvm ] && [ ! -d /run/udev ] && getent group kvm >/dev/null || return 0
    [ "$(stat -c %G:%a /dev/kvm)" != root:600 ] || { chgrp kvm /dev/kvm && chmod 660 /dev/kvm; }
}

# Prints the words to put before a daemon that leaves children behind. QEMU's parent is process 1; where that reaps slowly,
# libvirt takes an ended guest for a running one meanwhile, so a small reaper stands between them.
libvirt_reaper() {
    if [ ! -d /run/systemd/system ] && command -v tini >/dev/null; then echo "tini -s --"; fi
}

# One at a time: of two that start a daemon at once, one would see it fail.
libvirt_start_by_hand() {
    mkdir -p /run/libvirt
    (flock 9 && libvirt_start_daemons 9>&-) 9>/run/libvirt/virga-start.lock
}

libvirt_start_daemons() {
    local log=/var/log/libvirt
    mkdir -p $log /var/lib/libvirt/images
    libvirt_prepare_kvm_device
    libvirt_daemon_runs /run/virtlogd.pid virtlogd || virtlogd -d || libvirt_fail "virtlogd does not start" || return 1
    # A libvirtd that is there but slow is waited for, not started twice.
    libvirt_daemon_runs /run/libvirtd.pid libvirtd && return 0
    # shellcheck disable=SC2046 # words
    setsid $(libvirt_reaper) libvirtd </dev/null >>"$log/libvirtd.log" 2>&1 &
    disown
}

libvirt_ensure_running() {
    libvirt_answers && return 0
    [ "$(id -u)" = 0 ] || libvirt_fail "libvirtd does not run and only root can start it" || return 1
    command -v libvirtd >/dev/null || libvirt_fail "libvirtd is not installed (Debian package libvirt-daemon-system)" || return 1
    if [ -d /run/systemd/system ]; then
        systemctl start libvirtd || libvirt_fail "systemctl start libvirtd failed; see journalctl -u libvirtd" || return 1
    else
        libvirt_start_by_hand || return 1
    fi
    libvirt_wait_ready qemu:///system 60 || libvirt_fail "see /var/log/libvirt/libvirtd.log or journalctl -u libvirtd"
}

# ---- further hosts ----

libvirt_node_dir() {
    cat "$LIBVIRT_NODES/$1/dir" 2>/dev/null || libvirt_fail "no libvirt node \"$1\" runs here"
}

libvirt_node_uri() {
    local dir
    dir=$(libvirt_node_dir "$1") && echo "qemu+unix:///system?socket=$dir/run/libvirt-sock"
}

# Joins the nodes of a /24 by a bridge on this machine.
libvirt_node_connect() { # NAME ADDRESS
    local name=$1 address=$2 a b c bridge port
    IFS=. read -r a b c _ <<<"$address"
    bridge=vgn$((a * 65536 + b * 256 + c))
    port=vgp$((RANDOM * 32768 + RANDOM))
    if ! ip link show "$bridge" >/dev/null 2>&1; then
        ip link add "$bridge" type bridge && ip addr add "$a.$b.$c.1/24" dev "$bridge" && ip link set "$bridge" up || return 1
    fi
    echo "$bridge" >"$LIBVIRT_NODES/$name/bridge"
    echo "$port" >"$LIBVIRT_NODES/$name/port"
    ip netns add "$name" &&
        ip link add "$port" type veth peer name eth0 netns "$name" &&
        ip link set "$port" master "$bridge" up &&
        ip -n "$name" addr add "$address/24" dev eth0 &&
        ip -n "$name" link set eth0 up &&
        ip -n "$name" link set lo up &&
        ip -n "$name" route add default via "$a.$b.$c.1"
}

libvirt_node_write_config() { # NAME DIR ADDRESS
    local name=$1 dir=$2 address=$3
    mkdir -p "$dir"/{etc,run,log,cache,cgroup,varlib/{images,qemu}}
    [ -s "$dir/host_uuid" ] || cat /proc/sys/kernel/random/uuid >"$dir/host_uuid"
    cp -r /etc/libvirt/. "$dir/etc/"
    # Settings, not what others have defined here by now.
    rm -rf "$dir"/etc/{qemu,lxc,libxl}/*.xml "$dir"/etc/{qemu,lxc,libxl}/autostart "$dir"/etc/{qemu/networks,storage,secrets} "$dir"/etc/nwfilter/virga-*
    {
        printf 'auth_unix_rw = "none"\nunix_sock_group = "root"\nunix_sock_rw_perms = "0700"\n'
        printf 'host_uuid = "%s"\n' "$(cat "$dir/host_uuid")"
        if [ -n "${LIBVIRT_NODE_TCP:-}" ]; then
            printf 'listen_tls = 0\nlisten_tcp = 1\nlisten_addr = "%s"\nauth_tcp = "none"\n' "$address"
        fi
    } >"$dir/etc/libvirtd.conf"
    printf 'migration_host = "%s"\nmigration_address = "%s"\n' "$address" "$address" >>"$dir/etc/qemu.conf"
    printf '127.0.0.1 localhost\n%s.1 api-host\n%s %s\n' "${address%.*}" "$address" "$name" >"$dir/hosts"
}

# Prints the script (arguments: NAME DIR CGROUPS) that runs first inside the namespaces: it gives them a view of libvirt's
# directories of their own and stays, so that they live on whatever happens to the daemons.
libvirt_node_holder() {
    cat <<'E'
set -e
name=$1 dir=$2 cgroups=$3
mount --make-rprivate /
# The sysfs of this network namespace comes without the cgroups; they come back, each as a subtree of the node's own.
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
for controller in /sys/fs/cgroup/*/; do
    [ -e "$controller/cgroup.clone_children" ] || continue
    [ "$cgroups" != shared ] || [ "$controller" = /sys/fs/cgroup/pids/ ] || continue
    own=$controller/virga-node-$name
    mkdir -p "$own"
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$controller/$file" ] || cat "$controller/$file" >"$own/$file"
    done
    # Otherwise all its guests together would weigh as much as one program of this machine's.
    [ ! -e "$own/cpu.shares" ] || echo 8192 >"$own/cpu.shares"
    mount --bind "$own" "$controller"
done
# libvirt cannot cope with version 1 controllers beside a unified tree.
if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified || true; fi
mkdir -p /run/libvirt /var/log/libvirt /var/cache/libvirt
mount --bind "$dir/etc" /etc/libvirt
mount --bind "$dir/run" /run/libvirt
mount --bind "$dir/log" /var/log/libvirt
mount --bind "$dir/cache" /var/cache/libvirt
mount --bind "$dir/varlib" /var/lib/libvirt
mount --bind "$dir/hosts" /etc/hosts
if [ -d /run/dbus ]; then mount -t tmpfs tmpfs /run/dbus; fi
hostname "$name"
echo $$ >"$dir/run/holder.pid.new"
mv "$dir/run/holder.pid.new" "$dir/run/holder.pid"
exec sleep infinity
E
}

libvirt_node_enter() { # NAME DIR
    local end
    rm -f "$2"/run/*.pid
    setsid nsenter --net="/run/netns/$1" unshare -m -u -i --propagation private \
        bash -c "$(libvirt_node_holder)" holder "$1" "$2" "${LIBVIRT_NODE_CGROUPS:-own}" </dev/null >"$2/log/holder.log" 2>&1 &
    disown
    end=$((SECONDS + 20))
    until [ -s "$2/run/holder.pid" ]; do
        [ $SECONDS -lt $end ] || libvirt_fail "node $1 does not come up: $(cat "$2/log/holder.log")" || return 1
        sleep 0.05
    done
}

libvirt_node_exec() { # NAME COMMAND...
    local name=$1 dir holder
    shift
    dir=$(libvirt_node_dir "$name") || return 1
    holder=$(cat "$dir/run/holder.pid" 2>/dev/null) || libvirt_fail "the libvirt node $name is not up" || return 1
    nsenter -t "$holder" -m -n -u -i --wd="$PWD" -- "$@"
}

libvirt_node_start_daemons() { # NAME
    local name=$1 dir listen=""
    dir=$(libvirt_node_dir "$name") || return 1
    libvirt_prepare_kvm_device
    [ -z "${LIBVIRT_NODE_TCP:-}" ] || listen=--listen
    libvirt_daemon_runs "$dir/run/virtlogd.pid" virtlogd ||
        libvirt_node_exec "$name" virtlogd -d -p /run/libvirt/virtlogd.pid || return 1
    if ! libvirt_daemon_runs "$dir/run/libvirtd.pid" libvirtd; then
        # shellcheck disable=SC2046,SC2086 # words
        libvirt_node_exec "$name" setsid $(libvirt_reaper) libvirtd -p /run/libvirt/libvirtd.pid $listen \
            </dev/null >>"$dir/log/libvirtd.log" 2>&1 &
        disown
    fi
    libvirt_wait_ready "$(libvirt_node_uri "$name")" 60 || libvirt_fail "see $dir/log/libvirtd.log"
}

libvirt_node_start() { # NAME DIR ADDRESS
    local name=$1 dir=$2 address=$3
    [[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || libvirt_fail "\"$name\" is not a name for a node (a-z, 0-9, -)" || return 1
    [[ $address =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ ]] || libvirt_fail "\"$address\" is not an IPv4 address" || return 1
    [ ! -e "$LIBVIRT_NODES/$name" ] || libvirt_fail "the libvirt node $name is there already; libvirt_node_stop $name?" || return 1
    mkdir -p "$LIBVIRT_NODES/$name" "$dir" && dir=$(cd "$dir" && pwd) && echo "$dir" >"$LIBVIRT_NODES/$name/dir" || return 1
    libvirt_node_write_config "$name" "$dir" "$address" && libvirt_node_connect "$name" "$address" &&
        libvirt_node_enter "$name" "$dir" && libvirt_node_start_daemons "$name" && return 0
    libvirt_node_stop "$name"
    libvirt_fail "node $name was not started"
}

libvirt_process_lives() {
    case $(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) in '' | Z | X) return 1 ;; esac
}

# Ends processes; those that do not go within SECONDS are killed.
libvirt_end_processes() { # SECONDS PIDS...
    local end=$((SECONDS + $1)) pid
    shift
    for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
    for pid in "$@"; do
        while libvirt_process_lives "$pid"; do
            [ $SECONDS -lt $end ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.05
        done
    done
}

# Ends what is still in them: containers that lost their libvirtd.
libvirt_node_remove_cgroups() { # NAME
    local controller
    # shellcheck disable=SC2046 # process ids
    libvirt_end_processes 0 $(find /sys/fs/cgroup/*/"virga-node-$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
    for controller in /sys/fs/cgroup/*/"virga-node-$1"; do
        [ ! -d "$controller" ] || find "$controller" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    done
}

libvirt_node_stop() { # NAME
    local name=$1 dir bridge domain daemon
    dir=$(libvirt_node_dir "$name") || return 1
    if libvirt_daemon_runs "$dir/run/libvirtd.pid" libvirtd; then
        for domain in $(timeout 15 virsh -q -c "$(libvirt_node_uri "$name")" list --uuid 2>/dev/null); do
            timeout 30 virsh -q -c "$(libvirt_node_uri "$name")" destroy "$domain" >/dev/null 2>&1 || true
        done
    fi
    for daemon in libvirtd virtlogd; do
        ! libvirt_daemon_runs "$dir/run/$daemon.pid" $daemon || libvirt_end_processes 10 "$(cat "$dir/run/$daemon.pid")"
    done
    # What is left in the node's own network namespace: an agent, dnsmasq, QEMU that lost its libvirtd, the holder.
    if [ -e "/run/netns/$name" ]; then
        # shellcheck disable=SC2046 # process ids
        libvirt_end_processes 5 $(ip netns pids "$name")
        ip netns del "$name"
    fi
    # The kernel takes its time to remove the links of a namespace.
    ip link del "$(cat "$LIBVIRT_NODES/$name/port" 2>/dev/null)" 2>/dev/null || true
    bridge=$(cat "$LIBVIRT_NODES/$name/bridge" 2>/dev/null) || bridge=""
    # The last node of a subnet takes the bridge with it.
    if [ -n "$bridge" ] && [ -z "$(ip -o link show master "$bridge" 2>/dev/null)" ]; then ip link del "$bridge" || true; fi
    libvirt_node_remove_cgroups "$name"
    rm -rf "${LIBVIRT_NODES:?}/$name" "$dir"/run/*.pid
}
