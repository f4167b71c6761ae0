/* What confines guests' processes, from capabilities as libvirt 9 prints them. */
#include "compute-agent/xml/security_xml.h"
#include "tests/unit/check.h"

#define CAPABILITIES(models) "<capabilities><host><uuid>x</uuid>" models "</host><guest/></capabilities>"
#define NONE                 "<secmodel><model>none</model><doi>0</doi></secmodel>"
#define APPARMOR             "<secmodel><model>apparmor</model><doi>0</doi></secmodel>"
#define SELINUX                                                                                                        \
    "<secmodel><model>selinux</model><doi>0</doi><baselabel type='kvm'>system_u:system_r:svirt_t:s0</baselabel>"       \
    "</secmodel>"
#define DAC(user)                                                                                                      \
    "<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>" user "</baselabel><baselabel type='qemu'>" user   \
    "</baselabel></secmodel>"

static struct security read_of(const char *capabilities, bool qemu, const char *conf)
{
    struct security s;
    security_xml_read(capabilities, qemu, conf, &s);
    return s;
}

TEST("labels, an unprivileged user and seccomp are told apart")
{
    struct security s = read_of(CAPABILITIES(APPARMOR DAC("+64055:+64055")), true, NULL);
    CHECK(s.apparmor && !s.selinux && s.user && s.seccomp);
    s = read_of(CAPABILITIES(SELINUX DAC("+107:+107")), true, "");
    CHECK(!s.apparmor && s.selinux && s.user && s.seccomp);
    s = read_of(CAPABILITIES(NONE DAC("+0:+0")), true, "seccomp_sandbox = 1\n");
    CHECK(!s.apparmor && !s.selinux && !s.user && s.seccomp);
}

TEST("seccomp is off when qemu.conf says so, and unknown to other drivers")
{
    CHECK(!read_of(CAPABILITIES(NONE), true, "user = \"root\"\n  seccomp_sandbox=0\n").seccomp);
    CHECK(read_of(CAPABILITIES(NONE), true, "#seccomp_sandbox = 0\nseccomp_sandbox = -1\n").seccomp);
    CHECK(!read_of(CAPABILITIES(NONE), false, NULL).seccomp);
    struct security s = read_of("no XML", true, NULL);
    CHECK(!s.apparmor && !s.selinux && !s.user);
    s = read_of(NULL, false, NULL);
    CHECK(!s.apparmor && !s.user && !s.seccomp);
}
