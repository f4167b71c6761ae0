/* virga import host: machines that a libvirt host has become servers, without being restarted. The host's agent says
 * what there is; rows are written here; the agent then marks the machines as ours. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include "db/store_agent_query.h"
#include "db/store_import.h"
#include "db/store_network.h"
#include "db/store_operator.h"
#include "db/store_project.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define GIB        ((int64_t)1 << 30)
#define LOOK_NS    (100 * 1000000)
#define WAIT_MS    20000
#define ROUNDS     3
#define EXPIRES_US (60 * CLOCK_SECOND_US)

struct importing {
    struct cli *cli;
    const char *host_id, *project_id, *network_id, *query_id, *answer;
    struct table table;
    struct import_machine machine;
    const char *problem;
    const char *warning; /* what the operator has allowed */
    size_t taken, refused;
};

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct importing *x = arg;
    int64_t now = clock_now_us();
    int rc = host_find_id(x->cli, c, &x->host_id, e);
    x->query_id = uuid_ordered(arena_alloc(&x->cli->arena, UUID_SIZE));
    return rc ? rc
              : store_agent_query_insert(c, x->query_id, x->host_id, "", "foreign", "{}", now, now + EXPIRES_US, e);
}

static int wait_for_answer(struct importing *x, struct error *e)
{
    int64_t until = clock_mono_us() + WAIT_MS * 1000;
    int rc = host_find_change(x->cli, ask, x, e);
    while (!rc && !x->answer && clock_mono_us() < until) {
        rc = store_agent_query_get(db_reader(x->cli->db), x->query_id, &x->cli->arena, &x->answer, e);
        if (!rc && !x->answer) {
            nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        }
    }
    return rc;
}

/* An answer may be lost on its way. */
static int read_host(struct importing *x, struct error *e)
{
    int rc = 0;
    for (int round = 0; round < ROUNDS && !rc && !x->answer; round++) {
        rc = wait_for_answer(x, e);
    }
    return rc || x->answer ? rc : error_set(e, ERR_TIMEOUT, "host %s does not answer", x->cli->arguments[0]);
}

/* ---- what was asked for ---- */

static int find_project(struct importing *x, struct error *e)
{
    const char *name = command_value(x->cli, "project");
    struct project_row row;
    struct error none = {0};
    if (!name) {
        return error_set(e, ERR_INVALID, "name the project that is to own the servers (--project)");
    }
    int rc = store_project_get(db_reader(x->cli->db), name, &x->cli->arena, &row, &none);
    rc = rc ? store_project_find(db_reader(x->cli->db), "default", name, &x->cli->arena, &row, e) : 0;
    x->project_id = rc ? NULL : row.id;
    return rc;
}

static int find_network(struct importing *x, struct error *e)
{
    const char *name = command_value(x->cli, "network");
    struct network_row row, *list = NULL;
    struct error none = {0};
    size_t count = 0;
    if (!name) {
        return 0;
    }
    if (store_network_get(db_reader(x->cli->db), name, x->project_id, &x->cli->arena, &row, &none) == 0) {
        x->network_id = row.id;
        return 0;
    }
    int rc = store_network_list(db_reader(x->cli->db), x->project_id, name, NULL, 2, &x->cli->arena, &list, &count, e);
    if (!rc && count != 1) {
        return error_set(e, count ? ERR_INVALID : ERR_NOT_FOUND, "%s network of the project is called \"%s\"",
                         count ? "more than one" : "no", name);
    }
    x->network_id = rc ? NULL : list[0].id;
    return rc;
}

static bool is_wanted(const struct importing *x, const char *id, const char *name)
{
    for (size_t i = 1; i < x->cli->argument_count; i++) {
        if (strcmp(x->cli->arguments[i], id) == 0 || strcmp(x->cli->arguments[i], name) == 0) {
            return true;
        }
    }
    return x->cli->argument_count < 2;
}

/* ---- a machine ---- */

static const char *text_of(struct importing *x, json_value *object, const char *name)
{
    const char *text = json_in_text(json_in_member(object, name));
    return text ? arena_strdup(&x->cli->arena, text) : NULL;
}

/* Of files in a folder of the host nobody says how much they may be. */
static bool has_folder(json_value *disks)
{
    return json_in_count(disks) > 0 && json_in_text(json_in_member(json_in_item(disks, 0), "folder"));
}

/* What is not as isolated as servers are comes only when that is wanted. */
static void read_warning(struct importing *x, json_value *item)
{
    x->warning = text_of(x, item, "warning");
    if (x->warning && !x->problem && !command_flag(x->cli, "privileged")) {
        x->problem = arena_printf(&x->cli->arena, "%s (it can be had with --privileged)", x->warning);
    }
}

static void read_disks(struct importing *x, json_value *disks)
{
    for (size_t i = 0; i < json_in_count(disks); i++) {
        int64_t bytes = 0;
        json_in_int(json_in_member(json_in_item(disks, i), "bytes"), &bytes);
        int64_t gib = (bytes + GIB - 1) / GIB;
        *(i == 0 ? &x->machine.root_gib : &x->machine.ephemeral_gib) += gib;
    }
}

/* Whether "MAC=ADDRESS" is about that nic. */
static bool is_about(const char *said, const char *mac)
{
    size_t size = strcspn(said, "=");
    return mac && strlen(mac) == size && strncasecmp(said, mac, size) == 0;
}

/* What the operator says of it takes the place of what its host knows. */
static void read_nic(struct importing *x, json_value *nic, struct import_nic *ret)
{
    struct arena *a = &x->cli->arena;
    json_value *addresses = json_in_member(nic, "addresses");
    const char **texts = arena_array(a, json_in_count(addresses) + COMMAND_VALUES_MAX, sizeof(*texts)), *said;
    *ret = (struct import_nic){text_of(x, nic, "mac"), texts, 0};
    for (size_t i = 0; (said = command_value_at(x->cli, "address", i)); i++) {
        if (is_about(said, ret->mac)) {
            texts[ret->address_count++] = strchr(said, '=') + 1;
        }
    }
    bool told = ret->address_count > 0;
    for (size_t i = 0; i < json_in_count(addresses) && !told; i++) {
        texts[ret->address_count++] = arena_strdup(a, json_in_text(json_in_item(addresses, i)));
    }
}

static void read_nics(struct importing *x, json_value *nics)
{
    struct import_nic *list = arena_array(&x->cli->arena, json_in_count(nics) + 1, sizeof(*list));
    for (size_t i = 0; i < json_in_count(nics); i++) {
        read_nic(x, json_in_item(nics, i), &list[i]);
    }
    x->machine.nics = list;
    x->machine.nic_count = json_in_count(nics);
}

static const char *power_of(const char *domain)
{
    static const char *const words[][2] = {
        {"running", "running"}, {"paused", "paused"}, {"shutoff", "stopped"}, {"crashed", "stopped"}};
    for (size_t i = 0; domain && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i][0], domain) == 0) {
            return words[i][1];
        }
    }
    return NULL;
}

static void read_machine(struct importing *x, json_value *item)
{
    const char *domain = text_of(x, item, "domain");
    x->machine = (struct import_machine){.id = text_of(x, item, "id"),
                                         .name = text_of(x, item, "name"),
                                         .host_id = x->host_id,
                                         .project_id = x->project_id,
                                         .user_id = "",
                                         .network_id = x->network_id,
                                         .power = power_of(domain)};
    json_in_int(json_in_member(item, "vcpus"), &x->machine.vcpus);
    json_in_int(json_in_member(item, "memory_mib"), &x->machine.memory_mib);
    read_disks(x, json_in_member(item, "disks"));
    read_nics(x, json_in_member(item, "nics"));
    x->problem = text_of(x, item, "problem");
    if (!x->problem && !x->machine.power) {
        x->problem = "its memory is saved on disk: start it first";
    }
    if (!x->problem && x->machine.root_gib == 0 && !has_folder(json_in_member(item, "disks"))) {
        x->problem = "the size of its disk is not known";
    }
    read_warning(x, item);
}

/* ---- taking ---- */

struct taking {
    struct importing *x;
    bool dry;
};

/* A trial is undone by its error. */
static int take(struct db_conn *c, void *arg, struct error *e)
{
    struct taking *t = arg;
    int rc = store_import_take(c, &t->x->machine, clock_now_us(), &t->x->cli->arena, e);
    return rc || !t->dry ? rc : ERR_PRECONDITION;
}

static const char *try_it(struct importing *x, bool dry)
{
    struct taking t = {x, dry};
    struct db_conn *c = NULL;
    struct error e = {0};
    int rc = db_conn_open(x->cli->db, &c, &e);
    rc = rc ? rc : db_transact(c, take, &t, &e);
    db_conn_close(&c);
    if (rc == 0 || (dry && rc == ERR_PRECONDITION)) {
        return NULL;
    }
    return arena_strdup(&x->cli->arena, error_text(&e));
}

/* For a nic whose addresses nobody knows: that its port has none. */
static const char *addresses_of(struct importing *x)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < x->machine.nic_count; i++) {
        const struct import_nic *nic = &x->machine.nics[i];
        for (size_t k = 0; k < nic->address_count; k++) {
            strbuf_appendf(&text, "%s%s", text.size ? " " : "", nic->addresses[k]);
        }
        if (nic->address_count == 0) {
            strbuf_appendf(&text, "%s%s=?", text.size ? " " : "", nic->mac ? nic->mac : "");
        }
    }
    const char *copy = text.size ? arena_strdup(&x->cli->arena, text.data) : NULL;
    strbuf_done(&text);
    return copy;
}

static const char *outcome(struct importing *x, bool dry, const char *why)
{
    const char *said = dry ? "could be" : "yes";
    if (why) {
        return arena_printf(&x->cli->arena, "no: %s", why);
    }
    return x->warning ? arena_printf(&x->cli->arena, "%s, though %s", said, x->warning) : said;
}

static int add_row(struct importing *x, bool dry, struct error *e)
{
    const struct import_machine *m = &x->machine;
    struct flavor_row flavor = {.name = "-"};
    bool made = false;
    int rc = x->problem ? 0 : store_import_flavor(db_reader(x->cli->db), m, &x->cli->arena, &flavor, &made, e);
    const char *why = rc || x->problem ? x->problem : try_it(x, dry);
    if (rc) {
        return rc;
    }
    *(why ? &x->refused : &x->taken) += 1;
    table_add(&x->table, m->name);
    table_add(&x->table, m->id);
    table_add(&x->table, m->power);
    table_addf(&x->table, "%lld", (long long)m->vcpus);
    table_addf(&x->table, "%lld", (long long)m->memory_mib);
    table_addf(&x->table, "%lld", (long long)(m->root_gib + m->ephemeral_gib));
    table_addf(&x->table, "%s%s", flavor.name, made ? " (new)" : "");
    table_add(&x->table, addresses_of(x));
    table_add(&x->table, outcome(x, dry, why));
    return 0;
}

static int take_all(struct importing *x, json_value *machines, bool dry, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < json_in_count(machines) && !rc; i++) {
        read_machine(x, json_in_item(machines, i));
        if (x->machine.id && x->machine.name && is_wanted(x, x->machine.id, x->machine.name)) {
            rc = add_row(x, dry, e);
        }
    }
    return rc;
}

static bool has_nic(struct importing *x, json_value *machines, const char *said)
{
    for (size_t i = 0; i < json_in_count(machines); i++) {
        read_machine(x, json_in_item(machines, i));
        bool wanted = x->machine.id && x->machine.name && is_wanted(x, x->machine.id, x->machine.name);
        for (size_t n = 0; n < x->machine.nic_count && wanted; n++) {
            if (is_about(said, x->machine.nics[n].mac)) {
                return true;
            }
        }
    }
    return false;
}

/* Before anything is taken. */
static int check_addresses(struct importing *x, json_value *machines, struct error *e)
{
    const char *said;
    for (size_t i = 0; (said = command_value_at(x->cli, "address", i)); i++) {
        if (!strchr(said, '=')) {
            return error_set(e, ERR_INVALID, "--address: \"%s\" is not MAC=ADDRESS", said);
        }
        if (!has_nic(x, machines, said)) {
            return error_set(e, ERR_INVALID, "--address: no machine that is to be imported has a nic %.*s",
                             (int)strcspn(said, "="), said);
        }
    }
    return 0;
}

static int read_answer(struct importing *x, bool dry, struct error *e)
{
    static const char *const headings[] = {"machine",  "id",     "power",     "vcpus",    "memory MiB",
                                           "disk GiB", "flavor", "addresses", "imported", NULL};
    json_value *machines;
    struct json_doc doc;
    int rc = json_in_parse(x->answer, strlen(x->answer), &doc, e);
    if (rc) {
        return rc;
    }
    const char *error = json_in_text(json_in_member(doc.root, "error"));
    table_init(&x->table, &x->cli->arena, headings);
    machines = json_in_member(json_in_member(doc.root, "output"), "machines");
    rc = error ? error_set(e, ERR_PEER, "%s", error) : check_addresses(x, machines, e);
    rc = rc ? rc : take_all(x, machines, dry, e);
    json_in_done(&doc);
    if (rc) {
        return rc;
    }
    table_print(&x->table);
    x->cli->status = x->refused ? 1 : 0;
    return x->taken + x->refused ? 0 : error_set(e, ERR_NOT_FOUND, "the host has no such machine beside its servers");
}

static int import_host_run(struct cli *cli, struct error *e)
{
    struct importing x = {.cli = cli};
    int rc = command_open(cli, false, e);
    rc = rc ? rc : find_project(&x, e);
    rc = rc ? rc : find_network(&x, e);
    rc = rc ? rc : read_host(&x, e);
    return rc ? rc : read_answer(&x, command_flag(cli, "dry-run"), e);
}

static const struct command_option options[] = {
    {"project", "PROJECT",
     "Who owns the servers and pays for them from now on: an id, or a name in the default domain."},
    {"network", "NETWORK",
     "Where their nics get ports, with the MAC and the addresses that they have: these must be in the network's "
     "subnets. Needed for machines with nics."},
    {"address", "MAC=ADDRESS",
     "What address the nic with that MAC has, where its host does not know it (VMware tells none) or is wrong; may be "
     "repeated. A nic of unknown addresses, shown as MAC=?, gets a port without."},
    {"privileged", NULL,
     "Take containers, too, whose root is the host's root. Whoever breaks out of one has the host and the tenants on "
     "it."},
    {"dry-run", NULL, "Change nothing; say what would be."},
};

const struct command import_host_command = {
    .name = "import host",
    .arguments = "HOST [MACHINE] ...",
    .summary = "Make servers of machines that a host had before",
    .help =
        "Machines of the host's libvirt that are nobody's server, all or those named (by name or UUID), become servers "
        "as they are: they go on running, their disks stay where they are, a flavor of their size is found or made, "
        "and they are billed from now on. Stop, start, pause, reboot and deletion work; what would change the machine "
        "or move it is refused. Deleting such a server deletes its disks, but neither block devices nor, of "
        "containers, folders; \"virga release\" gives it back. What cannot be imported is said with the reason, and "
        "the exit status is 1.",
    COMMAND_OPTIONS(options),
    .run = import_host_run,
};
