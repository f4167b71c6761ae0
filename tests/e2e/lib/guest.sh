# shellcheck shell=bash
# guest.sh (sourced): tiny guests on plain libvirt, without any daemon of Virga.
#
#   guest_image                        prints the path of the tiny image; builds it if it is missing or older than its sources
#   guest_cloudinit_image              the same of the image with Debian's cloud-init
#   guest_uefi_image                   the same of the image that starts by UEFI with secure boot
#   guest_agent_image                  the tiny image with QEMU's guest agent
#   guest_arm_image                    one for 64-bit Arm
#   guest_make_drive LABEL DIR ISO     an ISO 9660 image of DIR, as config drives are
#   guest_make_disk IMAGE DISK [SIZE]  an overlay of IMAGE, 1G unless told
#   guest_domain_xml NAME KEY=VALUE... prints a domain that looks like an OpenStack server: machine=pc memory=128 (MiB) disk= drive= bus=virtio|ide|sata
#                                      network= console= (file of the serial console)
#   guest_network_xml NAME BRIDGE A.B.C  prints a NATed network A.B.C.0/24 with DHCP
#   guest_free_subnet A.B              prints three numbers of a /24 below A.B that nothing on this machine has, nor will have by the tests
#                                      that tests/run runs beside this one
#   guest_wait_for FILE PATTERN SECONDS [COUNT]  until so many lines (1) of FILE match
#   guest_wait_gone NAME MILLISECONDS  until its emulator has ended, the time not counted in which others had the processor, and libvirt
#                                      has no such domain any more

GUEST_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GUEST_SOURCES=$(cd "$GUEST_LIB/../../../deploy/guest" && pwd)

# guest_built IMAGE SCRIPT SOURCE...: IMAGE, built by SCRIPT if it is missing or older than a source.
guest_built() {
    local image=$1 script=$2
    shift
    if [ ! -s "$image" ] || [ -n "$(cd "$GUEST_SOURCES" && find "$@" -newer "$image" -type f -print -quit)" ]; then
        mkdir -p "$(dirname "$image")"
        "$GUEST_SOURCES/$script" "$image" >&2 || return 1
    fi
    echo "$image"
}

guest_image() {
    guest_built "${VIRGA_GUEST_IMAGE:-/var/cache/virga/virga-guest.qcow2}" build-guest.sh rootfs ahci_cdrom.c
}

guest_cloudinit_image() {
    guest_built "${VIRGA_CLOUDINIT_IMAGE:-/var/cache/virga/virga-cloudinit-guest.qcow2}" build-cloudinit-guest.sh
}

guest_uefi_image() {
    guest_built "${VIRGA_UEFI_IMAGE:-/var/cache/virga/virga-uefi-guest.qcow2}" build-uefi-guest.sh rootfs ahci_cdrom.c build-guest.sh
}

guest_agent_image() {
    guest_built "${VIRGA_AGENT_IMAGE:-/var/cache/virga/virga-agent-guest.qcow2}" build-agent-guest.sh rootfs ahci_cdrom.c build-guest.sh
}

guest_arm_image() {
    guest_built "${VIRGA_ARM_IMAGE:-/var/cache/virga/virga-arm-guest.qcow2}" build-arm-guest.sh
}

guest_make_drive() {
    genisoimage -quiet -R -J -V "$1" -o "$3" "$2"
}

guest_make_disk() {
    qemu-img create -q -f qcow2 -b "$1" -F qcow2 "$2" "${3:-1G}"
}

guest_free_subnet() {
    local subnet
    local first=1 step=1
    if [ -n "${VIRGA_TEST_PORTS:-}" ]; then first=$((VIRGA_TEST_PORTS / 1000 % 8)) step=8; fi
    until subnet=$1.$((first + RANDOM % (254 / step) * step)) && [ "${subnet##*.}" != 0 ] && ! ip -4 -brief address | grep -qF " $subnet."; do :; done
    echo "$subnet"
}

guest_network_xml() {
    cat <<E
<network><name>$1</name><forward mode='nat'/><bridge name='$2' stp='off' delay='0'/>
<ip address='$3.1' prefix='24'><dhcp><range start='$3.10' end='$3.250'/></dhcp></ip></network>
E
}

guest_drive_xml() { # BUS FILE
    case $1 in
    virtio) echo "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$2'/><target dev='vdb' bus='virtio'/><readonly/></disk>" ;;
    ide) echo "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='$2'/><target dev='hda' bus='ide'/><readonly/></disk>" ;;
    sata) echo "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='$2'/><target dev='sda' bus='sata'/><readonly/></disk>" ;;
    esac
}

guest_domain_xml() {
    local name=$1 machine=pc memory=128 disk="" drive="" bus=virtio network="" console="" pair
    shift
    for pair in "$@"; do
        case ${pair%%=*} in machine | memory | disk | drive | bus | network | console) local "$pair" ;; *) return 2 ;; esac
    done
    cat <<E
<domain type='qemu'><name>$name</name><memory unit='MiB'>$memory</memory><vcpu>1</vcpu>
<sysinfo type='smbios'><system><entry name='manufacturer'>OpenStack Foundation</entry>
<entry name='product'>OpenStack Nova</entry></system></sysinfo>
<os><type arch='x86_64' machine='$machine'>hvm</type><boot dev='hd'/><smbios mode='sysinfo'/></os>
<features><acpi/><apic/></features><cpu mode='custom'><model>qemu64</model></cpu>
<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='$disk'/><target dev='vda' bus='virtio'/></disk>
$(guest_drive_xml "$bus" "$drive")
<controller type='usb' model='none'/>
<interface type='network'><source network='$network'/><model type='virtio'/></interface>
<serial type='file'><source path='$console'/><target port='0'/></serial>
<memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices></domain>
E
}

guest_wait_for() {
    local file=$1 pattern=$2 end=$((SECONDS + $3)) count=${4:-1}
    until [ "$(grep -ac -- "$pattern" "$file" 2>/dev/null)" -ge "$count" ] 2>/dev/null; do
        [ $SECONDS -lt $end ] || { tail -n 30 "$file" && return 1; }
        sleep 0.1
    done
}

# Milliseconds in which processes could have run and did not (Documentation/scheduler/sched-stats.rst).
guest_waited() { # PIDS...
    local pid
    for pid in "$@"; do cat /proc/"$pid"/task/*/schedstat 2>/dev/null; done | awk '{ waited += $2 } END { printf "%d", waited / 1e6 }'
}

guest_wait_gone() {
    local name=$1 milliseconds=$2 start pid libvirtd waited_before waited=0 now
    start=$(date +%s%3N)
    pid=$(cat "/run/libvirt/qemu/$name.pid" 2>/dev/null) && libvirtd=$(cat /run/libvirtd.pid 2>/dev/null)
    # shellcheck disable=SC2086 # words
    waited_before=$(guest_waited ${pid:-} ${libvirtd:-})
    while [ -n "$pid" ] && [ -e "/proc/$pid" ]; do
        # shellcheck disable=SC2086
        now=$(guest_waited $pid ${libvirtd:-})
        [ "$now" -lt $((waited_before + waited)) ] || waited=$((now - waited_before)) # threads that end take theirs along
        [ $(($(date +%s%3N) - start - waited)) -lt "$milliseconds" ] || { echo "$name runs after $milliseconds ms, and $waited ms without a processor" && return 1; }
        sleep 0.02
    done
    until ! virsh -q domstate "$name" >/dev/null 2>&1; do
        [ $(($(date +%s%3N) - start)) -lt 120000 ] || { echo "libvirt still has $name" && return 1; }
        sleep 0.02
    done
}
