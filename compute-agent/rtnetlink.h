/* Links of the network namespace that a thread is in: what ioctl(2) and /sys do not offer, or not to a service whose
 * /sys is read-only. Blocking; any thread. */
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>

/* One change, which happens as a whole or not at all. */
struct rtnetlink_change {
    struct nlmsghdr head;
    struct ifinfomsg link;
    char room[128];
};

/* Begins a change of the link with this index. */
void rtnetlink_begin(struct rtnetlink_change *c, unsigned short type, unsigned index);
/* Attributes follow each other; asserts that there is room. */
void rtnetlink_add(struct rtnetlink_change *c, unsigned short type, const void *data, size_t size);
/* What is added until the end is inside this one. */
struct rtattr *rtnetlink_nest(struct rtnetlink_change *c, unsigned short type);
void rtnetlink_nest_end(struct rtnetlink_change *c, struct rtattr *nest);
/* A socket of the thread's present network namespace, which the caller closes; -1 with errno. */
int rtnetlink_open(void);
/* Returns 0 or an errno. */
int rtnetlink_send(int fd, const struct rtnetlink_change *c);

/* A bridge believes what link-local frames (those of LLDP, spanning tree and their like) say of where a MAC is, though
 * no rule of the packet filter ever sees them: a guest could have frames sent to it that are another's. From now on it
 * does not. 0 or an errno; ENODEV: there is no such bridge. */
int rtnetlink_bridge_deafen(const char *bridge);
