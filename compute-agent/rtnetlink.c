/* Messages as rtnetlink(7) has them, with an acknowledgement asked for; each socket is used for one conversation. */
#include "compute-agent/rtnetlink.h"
#include <assert.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void rtnetlink_begin(struct rtnetlink_change *c, unsigned short type, unsigned index)
{
    *c = (struct rtnetlink_change){.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                                            .nlmsg_type = type,
                                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
                                   .link = {.ifi_index = (int)index}};
}

static struct rtattr *rtnetlink_end(struct rtnetlink_change *c)
{
    return (struct rtattr *)((char *)c + NLMSG_ALIGN(c->head.nlmsg_len));
}

void rtnetlink_add(struct rtnetlink_change *c, unsigned short type, const void *data, size_t size)
{
    struct rtattr *attr = rtnetlink_end(c);
    assert(NLMSG_ALIGN(c->head.nlmsg_len) + RTA_SPACE(size) <= sizeof(*c));
    attr->rta_type = type;
    attr->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(attr), data, size);
    c->head.nlmsg_len = NLMSG_ALIGN(c->head.nlmsg_len) + (unsigned)RTA_ALIGN(attr->rta_len);
}

struct rtattr *rtnetlink_nest(struct rtnetlink_change *c, unsigned short type)
{
    struct rtattr *nest = rtnetlink_end(c);
    rtnetlink_add(c, type, NULL, 0);
    return nest;
}

void rtnetlink_nest_end(struct rtnetlink_change *c, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)rtnetlink_end(c) - (char *)nest);
}

int rtnetlink_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int rtnetlink_send(int fd, const struct rtnetlink_change *c)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr said;
        char room[256];
    } answer;
    if (send(fd, c, c->head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
        return errno;
    return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.said.error : EPROTO;
}

int rtnetlink_bridge_deafen(const char *bridge)
{
    const struct br_boolopt_multi on = {.optval = 1u << BR_BOOLOPT_NO_LL_LEARN,
                                        .optmask = 1u << BR_BOOLOPT_NO_LL_LEARN};
    struct rtnetlink_change c;
    unsigned index = if_nametoindex(bridge);
    int fd = index ? rtnetlink_open() : -1;
    if (fd < 0)
        return errno;
    rtnetlink_begin(&c, RTM_NEWLINK, index);
    struct rtattr *info = rtnetlink_nest(&c, IFLA_LINKINFO);
    rtnetlink_add(&c, IFLA_INFO_KIND, "bridge", sizeof("bridge"));
    struct rtattr *data = rtnetlink_nest(&c, IFLA_INFO_DATA);
    rtnetlink_add(&c, IFLA_BR_MULTI_BOOLOPT, &on, sizeof(on));
    rtnetlink_nest_end(&c, data);
    rtnetlink_nest_end(&c, info);
    int why = rtnetlink_send(fd, &c);
    close(fd);
    return why;
}
