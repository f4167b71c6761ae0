/* An interface's rules are there before the interface is, and stay while it comes and goes with reboots. Accepted is
 * what has a sender of the list, as a whole frame: MAC, and address of IPv4, ARP or IPv6; then everything is dropped.
 */
#include "compute-agent/nft/port_guard.h"
#include "compute-agent/senders.h"
#include <stdio.h>
#include <string.h>

#define PORT_GUARD_TABLE "bridge virga-%s"
#define PORT_GUARD_NOTE  "# ports"

struct port_guard {
    struct strbuf *text;
    const char *tag;
    char port[NAMES_BRIDGE_SIZE];
};

void port_guard_table(struct strbuf *s, const struct names *names)
{
    strbuf_appendf(s, "add table " PORT_GUARD_TABLE "\n", names->tag);
    strbuf_appendf(s, "add map " PORT_GUARD_TABLE " ports { type ifname : verdict; }\n", names->tag);
    strbuf_appendf(
        s, "add chain " PORT_GUARD_TABLE " guests { type filter hook prerouting priority filter; policy accept; }\n",
        names->tag);
    strbuf_appendf(s, "flush chain " PORT_GUARD_TABLE " guests\n", names->tag);
    strbuf_appendf(s, "add rule " PORT_GUARD_TABLE " guests iifname vmap @ports\n", names->tag);
}

static void port_guard_rule(const struct port_guard *g, const char *mac)
{
    strbuf_appendf(g->text, "add rule " PORT_GUARD_TABLE " %s", g->tag, g->port);
    if (mac)
        strbuf_appendf(g->text, " ether saddr %s", mac);
}

static void port_guard_accept(void *arg, const char *mac, const struct ip_net *net)
{
    const struct port_guard *g = arg;
    char text[IP_TEXT_SIZE];
    ip_text(&net->base, text);
    port_guard_rule(g, mac);
    if (net->base.version == 6) {
        strbuf_appendf(g->text, " ether type ip6 ip6 saddr %s/%d accept\n", text, net->prefix);
        return;
    }
    strbuf_appendf(g->text, " ether type ip ip saddr %s/%d accept\n", text, net->prefix);
    port_guard_rule(g, mac);
    strbuf_appendf(g->text,
                   " arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp saddr ether %s arp saddr ip %s/%d accept\n",
                   mac, text, net->prefix);
}

static void port_guard_chain(const struct port_guard *g)
{
    strbuf_appendf(g->text, "add chain " PORT_GUARD_TABLE " %s\n", g->tag, g->port);
    strbuf_appendf(g->text, "flush chain " PORT_GUARD_TABLE " %s\n", g->tag, g->port);
}

static void port_guard_element(const struct port_guard *g, const char *verb)
{
    strbuf_appendf(g->text, "%s element " PORT_GUARD_TABLE " ports { %s : jump %s }\n", verb, g->tag, g->port, g->port);
}

static void port_guard_put_one(struct strbuf *s, const struct names *names, const struct spec_nic *nic)
{
    struct port_guard g = {.text = s, .tag = names->tag};
    names_nic(nic->port_id, g.port);
    port_guard_chain(&g);
    senders_each(nic, port_guard_accept, &g);
    port_guard_rule(&g, NULL);
    strbuf_append_text(s, " drop\n");
    port_guard_element(&g, "add");
}

void port_guard_put(struct strbuf *s, const struct names *names, const struct spec *spec)
{
    const struct spec_nic *nics = spec->nics.items;
    char port[NAMES_BRIDGE_SIZE];
    size_t guarded = 0;
    for (size_t i = 0; i < spec->nics.count; i++) {
        if (nics[i].port_security)
            strbuf_appendf(s, "%s %s", guarded++ ? "" : PORT_GUARD_NOTE, names_nic(nics[i].port_id, port));
    }
    if (guarded)
        strbuf_append_char(s, '\n');
    for (size_t i = 0; i < spec->nics.count; i++) {
        if (nics[i].port_security)
            port_guard_put_one(s, names, &nics[i]);
    }
}

bool port_guard_next(const char **at, char ret[NAMES_BRIDGE_SIZE])
{
    size_t note = strlen(PORT_GUARD_NOTE);
    if (strncmp(*at, PORT_GUARD_NOTE, note) == 0)
        *at += note;
    if (**at != ' ')
        return false;
    size_t size = strcspn(++*at, " \n");
    bool whole = size > 0 && size < NAMES_BRIDGE_SIZE;
    if (whole)
        snprintf(ret, NAMES_BRIDGE_SIZE, "%.*s", (int)size, *at);
    *at += size;
    return whole;
}

static bool port_guard_names(const char *text, const char *wanted)
{
    char port[NAMES_BRIDGE_SIZE];
    for (const char *at = text; port_guard_next(&at, port);) {
        if (strcmp(port, wanted) == 0)
            return true;
    }
    return false;
}

static void port_guard_name_all(struct strbuf *s, const char *text, const char *except)
{
    char port[NAMES_BRIDGE_SIZE];
    for (const char *at = text; port_guard_next(&at, port);) {
        if (!port_guard_names(except, port))
            strbuf_appendf(s, " %s", port);
    }
}

/* Whether the line is a command about the port: its chain, a rule in that, or its element. */
static bool port_guard_concerns(const char *line, size_t size, const char *port)
{
    size_t length = strlen(port);
    for (size_t i = 1; i + length <= size; i++) {
        if (line[i - 1] == ' ' && strncmp(line + i, port, length) == 0 &&
            (i + length == size || line[i + length] == ' '))
            return true;
    }
    return false;
}

static void port_guard_copy(struct strbuf *s, const char *text, const char *port)
{
    for (const char *line = text + strcspn(text, "\n"); *line++;) {
        size_t size = strcspn(line, "\n");
        if (port_guard_concerns(line, size, port))
            strbuf_appendf(s, "%.*s\n", (int)size, line);
        line += size;
    }
}

void port_guard_join(struct strbuf *s, const char *had, const char *wanted)
{
    struct strbuf more;
    char port[NAMES_BRIDGE_SIZE];
    strbuf_init(&more, 0);
    port_guard_name_all(&more, had, wanted);
    if (more.size) {
        strbuf_appendf(s, PORT_GUARD_NOTE "%s", more.data);
        port_guard_name_all(s, wanted, "");
        strbuf_append_char(s, '\n');
        for (const char *at = had; port_guard_next(&at, port);) {
            if (!port_guard_names(wanted, port))
                port_guard_copy(s, had, port);
        }
        wanted += strcspn(wanted, "\n");
        wanted += *wanted ? 1 : 0;
    }
    strbuf_append_text(s, wanted);
    strbuf_done(&more);
}

/* What is to go is made first, for what is not there cannot be deleted. */
void port_guard_take(struct strbuf *s, const struct names *names, const char *port)
{
    struct port_guard g = {.text = s, .tag = names->tag};
    snprintf(g.port, sizeof(g.port), "%s", port);
    port_guard_chain(&g);
    port_guard_element(&g, "add");
    port_guard_element(&g, "delete");
    strbuf_appendf(s, "delete chain " PORT_GUARD_TABLE " %s\n", g.tag, g.port);
}

void port_guard_ask(struct strbuf *s, const struct names *names)
{
    strbuf_appendf(s, "list map " PORT_GUARD_TABLE " ports\n", names->tag);
}

bool port_guard_has(const char *answer, const char *port)
{
    char quoted[NAMES_BRIDGE_SIZE + 2];
    snprintf(quoted, sizeof(quoted), "\"%s\"", port);
    return strstr(answer, quoted) != NULL;
}

void port_guard_end(struct strbuf *s, const struct names *names)
{
    strbuf_appendf(s, "add table " PORT_GUARD_TABLE "\n", names->tag);
    strbuf_appendf(s, "delete table " PORT_GUARD_TABLE "\n", names->tag);
}
