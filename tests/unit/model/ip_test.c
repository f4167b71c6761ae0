/* Address arithmetic at its edges, and against plain integers where those can do the same. */
#include "common/model/ip.h"
#include "tests/unit/check.h"

static struct ip ip(const char *text)
{
    struct ip address;
    if (!ip_parse(text, &address))
        check_fail(__FILE__, __LINE__, "%s is no address", text);
    return address;
}

static struct ip_net net(const char *text)
{
    struct ip_net result;
    if (!ip_net_parse(text, &result))
        check_fail(__FILE__, __LINE__, "%s is no network", text);
    return result;
}

static void same(const char *text, const char *canonical)
{
    char back[IP_TEXT_SIZE];
    struct ip address = ip(text);
    CHECK_TEXT(ip_text(&address, back), canonical);
}

TEST("addresses are read strictly and written canonically")
{
    same("10.0.0.1", "10.0.0.1");
    same("0.0.0.0", "0.0.0.0");
    same("255.255.255.255", "255.255.255.255");
    same("FD00:0:0:0:0:0:0:1", "fd00::1");
    same("::", "::");
    same("::ffff:10.0.0.1", "::ffff:10.0.0.1");
    same("1:0:0:2:0:0:0:3", "1:0:0:2::3");
    static const char *const bad[] = {
        "",  "1",   "1.2.3",   "1.2.3.4.5", "256.0.0.1",         "01.2.3.4", "1.2.3.4 ",    " 1.2.3.4",  "1.2.3.-4",
        ":", ":::", "1::2::3", "fe80::1%1", "1:2:3:4:5:6:7:8:9", "g::",      "10.0.0.1/24", "0x7f.0.0.1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ip untouched = {.version = 9};
        if (ip_parse(bad[i], &untouched) || untouched.version != 9)
            check_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    }
    struct ip none;
    CHECK(!ip_parse(NULL, &none));
}

TEST("keys sort as addresses do and read back")
{
    static const char *const order[] = {"0.0.0.0",  "0.0.0.1",   "9.255.255.255", "10.0.0.0",       "10.0.0.255",
                                        "10.0.1.0", "127.0.0.1", "128.0.0.0",     "255.255.255.255"};
    char key[IP_KEY_SIZE], before[IP_KEY_SIZE] = "";
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct ip address = ip(order[i]), back;
        ip_key(&address, key);
        CHECK_INT(strlen(key), 32);
        CHECK(strcmp(before, key) < 0);
        CHECK(ip_key_parse(key, 4, &back) && ip_compare(&address, &back) == 0);
        memcpy(before, key, sizeof(before));
    }
    struct ip six = ip("fd00::ffff"), back;
    CHECK(ip_key_parse(ip_key(&six, key), 6, &back) && ip_compare(&six, &back) == 0);
    CHECK(!ip_key_parse(key, 4, &back)); /* has bits that IPv4 has not */
    CHECK(!ip_key_parse("zz", 6, &back));
    CHECK(!ip_key_parse(NULL, 6, &back));
    key[3] = 'x';
    CHECK(!ip_key_parse(key, 6, &back));
}

TEST("IPv4 adds, subtracts and measures as 32-bit integers do")
{
    static const uint32_t starts[] = {0,     1,          254,        255,        256,        65535,
                                      65536, 0x0a000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    static const uint64_t deltas[] = {0,     1,          2,          255,        256,         65535,
                                      65536, 0x00ffffff, 0x7fffffff, 0xffffffff, 0x100000000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        for (size_t k = 0; k < sizeof(deltas) / sizeof(deltas[0]); k++) {
            struct ip from = {.version = 4}, to;
            for (int b = 0; b < 4; b++)
                from.bytes[12 + b] = (unsigned char)(starts[i] >> (24 - 8 * b) & 255);
            bool fits = deltas[k] <= UINT32_MAX - starts[i];
            CHECK_INT(ip_add(&from, deltas[k], &to), fits);
            if (fits) {
                struct ip back;
                CHECK_INT(ip_distance(&from, &to), deltas[k]);
                CHECK_INT(ip_distance(&to, &from), 0);
                CHECK(ip_subtract(&to, deltas[k], &back) && ip_compare(&back, &from) == 0);
            }
            CHECK_INT(ip_subtract(&from, deltas[k], &to), deltas[k] <= starts[i]);
        }
}

TEST("IPv6 carries over all bytes, and distances beyond 64 bits saturate")
{
    struct ip low = ip("fd00::ffff:ffff:ffff:ffff"), next, last = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    char text[IP_TEXT_SIZE];
    CHECK(ip_add(&low, 1, &next));
    CHECK_TEXT(ip_text(&next, text), "fd00:0:0:1::");
    CHECK(ip_subtract(&next, 1, &next));
    CHECK_TEXT(ip_text(&next, text), "fd00::ffff:ffff:ffff:ffff");
    CHECK(!ip_add(&last, 1, &next));
    struct ip zero = ip("::");
    CHECK(!ip_subtract(&zero, 1, &next));
    CHECK(ip_distance(&zero, &last) == UINT64_MAX);
    struct ip far = ip("::1:0:0:0:0");
    CHECK(ip_distance(&zero, &far) == UINT64_MAX);
    struct ip edge = ip("::ffff:ffff:ffff:ffff");
    CHECK(ip_distance(&zero, &edge) == UINT64_MAX);
    struct ip below = ip("::ffff:ffff:ffff:fffe");
    CHECK(ip_distance(&zero, &below) == UINT64_MAX - 1);
}

TEST("versions do not mix")
{
    struct ip four = ip("0.0.0.1"), six = ip("::1");
    struct ip_net any4 = net("0.0.0.0/0"), any6 = net("::/0");
    CHECK(ip_compare(&four, &six) < 0 && ip_compare(&six, &four) > 0);
    CHECK(ip_net_contains(&any4, &four) && !ip_net_contains(&any4, &six));
    CHECK(ip_net_contains(&any6, &six) && !ip_net_contains(&any6, &four));
    CHECK(!ip_net_overlaps(&any4, &any6));
}

TEST("a network is read with its host bits cleared")
{
    char text[IP_NET_TEXT_SIZE];
    struct ip_net n = net("10.1.2.3/20");
    CHECK_TEXT(ip_net_text(&n, text), "10.1.0.0/20");
    n = net("fd00:1:2:3:4::5/64");
    CHECK_TEXT(ip_net_text(&n, text), "fd00:1:2:3::/64");
    n = net("10.1.2.3");
    CHECK_TEXT(ip_net_text(&n, text), "10.1.2.3/32");
    n = net("0.0.0.0/0");
    CHECK_TEXT(ip_net_text(&n, text), "0.0.0.0/0");
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/-1",   "10.0.0.0/", "10.0.0.0/1x", "/24",
                                      "fd00::/129",  "10.0.0.0/0024", "10.0.0/24", "a/b",         ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ip_net_parse(bad[i], &n))
            check_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    CHECK(!ip_net_parse(NULL, &n));
}

TEST("every prefix length has the hosts that belong to it")
{
    for (int prefix = 0; prefix <= 32; prefix++) {
        struct ip inside = ip("172.31.213.77"), first, last;
        struct ip_net n = ip_net_of(&inside, prefix);
        struct ip end = ip_net_last(&n);
        uint64_t size = (uint64_t)1 << (32 - prefix);
        CHECK_INT(ip_distance(&n.base, &end) + 1, size);
        CHECK(ip_net_contains(&n, &inside));
        ip_net_hosts(&n, &first, &last);
        CHECK_INT(ip_distance(&first, &last) + 1, prefix >= 31 ? size : size - 2);
        CHECK_INT(ip_net_is_host(&n, &n.base), prefix >= 31);
        CHECK_INT(ip_net_is_host(&n, &end), prefix >= 31);
        struct ip outside;
        CHECK(!ip_add(&end, 1, &outside) || !ip_net_contains(&n, &outside));
        CHECK(!ip_subtract(&n.base, 1, &outside) || !ip_net_contains(&n, &outside));
    }
    for (int prefix = 0; prefix <= 128; prefix++) {
        struct ip inside = ip("fd12:3456:789a:bcde:f012:3456:789a:bcde"), first, last;
        struct ip_net n = ip_net_of(&inside, prefix);
        struct ip end = ip_net_last(&n);
        CHECK(ip_net_contains(&n, &inside) && ip_net_contains(&n, &end));
        ip_net_hosts(&n, &first, &last);
        CHECK(ip_compare(&last, &end) == 0);
        CHECK_INT(ip_net_is_host(&n, &n.base), prefix >= 127);
    }
}

TEST("networks overlap exactly when one holds the other's base")
{
    struct ip_net a = net("10.0.0.0/24"), b = net("10.0.0.128/25"), c = net("10.0.1.0/24"), all = net("10.0.0.0/8");
    CHECK(ip_net_overlaps(&a, &b) && ip_net_overlaps(&b, &a));
    CHECK(ip_net_overlaps(&a, &a));
    CHECK(!ip_net_overlaps(&a, &c) && !ip_net_overlaps(&c, &b));
    CHECK(ip_net_overlaps(&all, &c) && ip_net_overlaps(&c, &all));
}

TEST("a hole cuts a range into what is left of it")
{
    struct ip_range range = {ip("10.0.0.2"), ip("10.0.0.9")}, parts[2];
    struct ip hole = ip("10.0.0.5");
    char text[IP_TEXT_SIZE];
    CHECK_INT(ip_range_without(&range, &hole, parts), 2);
    CHECK_TEXT(ip_text(&parts[0].last, text), "10.0.0.4");
    CHECK_TEXT(ip_text(&parts[1].first, text), "10.0.0.6");
    CHECK_INT(ip_range_without(&range, &range.first, parts), 1);
    CHECK_TEXT(ip_text(&parts[0].first, text), "10.0.0.3");
    CHECK_INT(ip_range_without(&range, &range.last, parts), 1);
    CHECK_TEXT(ip_text(&parts[0].last, text), "10.0.0.8");
    hole = ip("10.0.0.10");
    CHECK_INT(ip_range_without(&range, &hole, parts), 1);
    CHECK(ip_compare(&parts[0].first, &range.first) == 0 && ip_compare(&parts[0].last, &range.last) == 0);
    struct ip_range single = {hole, hole};
    CHECK_INT(ip_range_without(&single, &hole, parts), 0);
    struct ip_range whole = {ip("0.0.0.0"), ip("255.255.255.255")};
    CHECK_INT(ip_range_without(&whole, &whole.last, parts), 1);
    CHECK_INT(ip_range_without(&whole, &whole.first, parts), 1);
    CHECK(ip_range_overlaps(&range, &whole) && ip_range_overlaps(&whole, &range));
    CHECK(!ip_range_overlaps(&range, &single));
}

TEST("MACs are read in three forms and written in one")
{
    char mac[IP_MAC_SIZE];
    CHECK(ip_mac_parse("FA:16:3E:00:aB:ff", mac));
    CHECK_TEXT(mac, "fa:16:3e:00:ab:ff");
    CHECK(ip_mac_parse("fa-16-3e-00-ab-ff", mac));
    CHECK_TEXT(mac, "fa:16:3e:00:ab:ff");
    CHECK(ip_mac_parse("fa163e00abff", mac));
    CHECK_TEXT(mac, "fa:16:3e:00:ab:ff");
    static const char *const bad[] = {"",
                                      "f",
                                      "fa:16:3e:00:ab",
                                      "fa:16:3e:00:ab:fg",
                                      "fa:16-3e:00:ab:ff",
                                      "fa:16:3e:00:ab:ff:",
                                      "fa16.3e00.abff",
                                      "fa 16 3e 00 ab ff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ip_mac_parse(bad[i], mac))
            check_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    CHECK(!ip_mac_parse(NULL, mac));
    CHECK_TEXT(ip_mac_make(0x12a0ff, mac), "fa:16:3e:12:a0:ff");
    CHECK_TEXT(ip_mac_make(0xff000001, mac), "fa:16:3e:00:00:01");
}

TEST("EUI-64 flips the universal bit and needs a /64")
{
    struct ip_net n = net("2001:db8:1:2::/64"), small = net("2001:db8::/65"), four = net("10.0.0.0/24");
    struct ip address;
    char text[IP_TEXT_SIZE];
    CHECK(ip_eui64(&n, "fa:16:3e:12:34:56", &address));
    CHECK_TEXT(ip_text(&address, text), "2001:db8:1:2:f816:3eff:fe12:3456");
    CHECK(!ip_eui64(&small, "fa:16:3e:12:34:56", &address));
    CHECK(!ip_eui64(&four, "fa:16:3e:12:34:56", &address));
    CHECK(!ip_eui64(&n, "nonsense", &address));
}

TEST("special addresses are known")
{
    struct ip a = ip("224.0.0.1"), b = ip("ff02::1"), c = ip("127.9.9.9"), d = ip("::1"), e = ip("169.254.0.9"),
              f = ip("fe80::1"), g = ip("0.0.0.0"), h = ip("10.0.0.1");
    CHECK(ip_is_multicast(&a) && ip_is_multicast(&b) && !ip_is_multicast(&h));
    CHECK(ip_is_loopback(&c) && ip_is_loopback(&d) && !ip_is_loopback(&h));
    CHECK(ip_is_link_local(&e) && ip_is_link_local(&f) && !ip_is_link_local(&h));
    CHECK(ip_is_unspecified(&g) && !ip_is_unspecified(&h));
}
