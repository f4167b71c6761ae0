/* What of the host confines its guests' processes, as libvirt's capabilities and its qemu.conf say. Pure. */
#pragma once
#include <stdbool.h>

struct security {
    bool apparmor, selinux; /* libvirt gives each guest a label of its own */
    bool user;              /* guests' processes do not run as root */
    bool seccomp;           /* their system calls are filtered */
};
/* `qemu_conf`: the file's text, NULL when there is none (then its defaults hold) or the driver is another, in which
 * case `seccomp` stays false. */
void security_xml_read(const char *capabilities, bool qemu, const char *qemu_conf, struct security *ret);
