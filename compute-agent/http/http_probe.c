/* The socket is bound to the guest's bridge (SO_BINDTODEVICE), so that a tenant who gives her port an address of the
 * operator's network reaches nothing there: the packets go to her own bridge only. */
#include "compute-agent/http/http_probe.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_BODY 65536 /* bytes of an answer's body that are taken before it is broken off */

static bool is_same(const struct sockaddr *a, const char *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (a && a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text, sizeof(text));
    else if (a && a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text, sizeof(text));
    return strcmp(text, address) == 0;
}

/* An address from which others of its family can be asked. */
static bool is_source(const struct sockaddr *a, int family)
{
    if (!a || a->sa_family != family)
        return false;
    return family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* What this host calls its own; and whether it has on `interface` from where to ask the address. */
static void look(const char *address, const char *interface, bool *ret_own, bool *ret_reaches)
{
    struct ifaddrs *all = NULL;
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    *ret_own = *ret_reaches = false;
    if (getifaddrs(&all))
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        *ret_own = *ret_own || is_same(i->ifa_addr, address);
        *ret_reaches = *ret_reaches || (strcmp(i->ifa_name, interface) == 0 && is_source(i->ifa_addr, family));
    }
    freeifaddrs(all);
}

static bool is_address(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static size_t drop(char *data, size_t size, size_t count, void *arg)
{
    size_t *left = arg;
    (void)data;
    if (size * count > *left)
        return 0;
    *left -= size * count;
    return size * count;
}

static void set_up(CURL *easy, const struct hypervisor_probe *p, const char *url, const char *interface, size_t *left)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_INTERFACE, interface);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "virga-health-check");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)p->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, left);
}

static int judge(CURL *easy, CURLcode outcome, const struct hypervisor_probe *p, bool *ret_asked, struct error *e)
{
    long status = 0, why = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &why);
    *ret_asked = outcome != CURLE_INTERFACE_FAILED && why != ENETUNREACH && why != ENODEV && why != EPERM;
    if (outcome == CURLE_OK || (outcome == CURLE_WRITE_ERROR && status != 0)) {
        if (status >= p->status_from && status <= p->status_to)
            return 0;
        return error_set(e, ERR_PEER, "it answers with status %ld", status);
    }
    if (outcome == CURLE_OPERATION_TIMEDOUT)
        return error_set(e, ERR_TIMEOUT, "no answer within %lld s", (long long)(p->timeout_ms / 1000));
    if (why == ECONNREFUSED)
        return error_set(e, ERR_PEER, "nothing listens on port %lld", (long long)p->port);
    return error_set(e, ERR_PEER, "%s", curl_easy_strerror(outcome));
}

int http_probe(const struct hypervisor_probe *p, const char *interface, bool *ret_asked, struct error *e)
{
    struct strbuf url, bound;
    size_t left = PROBE_BODY;
    bool own, reaches;
    *ret_asked = false;
    look(p->address, interface, &own, &reaches);
    if (!is_address(p->address) || own)
        return error_set(e, ERR_INVALID, "the address %.64s is no guest's", p->address);
    if (!reaches)
        return error_set(e, ERR_UNAVAILABLE, "its host has no address in its network");
    CURL *easy = curl_easy_init();
    if (!easy)
        abort();
    strbuf_init(&url, 0);
    strbuf_init(&bound, 0);
    strbuf_appendf(&url, strchr(p->address, ':') ? "http://[%s]:%lld%s" : "http://%s:%lld%s", p->address,
                   (long long)p->port, p->path);
    strbuf_appendf(&bound, "if!%s", interface);
    set_up(easy, p, url.data, bound.data, &left);
    int code = judge(easy, curl_easy_perform(easy), p, ret_asked, e);
    curl_easy_cleanup(easy);
    strbuf_done(&url);
    strbuf_done(&bound);
    return code;
}
