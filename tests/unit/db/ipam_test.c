/* Addresses and the ports of servers: unique, reused, exhausted, and nothing half done whatever statement fails. */
#include "common/uuid.h"
#include "db/store_port.h"
#include "db/store_secgroup.h"
#include "tests/unit/db/fixture.h"

#define PROJECT "project-one"
#define NOW     (1000 * CLOCK_SECOND_US)

struct place {
    struct db *db;
    struct db_conn *c;
    struct arena a;
    char network[UUID_SIZE], subnet[UUID_SIZE];
};

static struct network_row network_row(const char *id, const char *project, bool shared)
{
    return (struct network_row){
        .id = id,
        .project_id = project,
        .name = "net",
        .description = "",
        .admin_state_up = true,
        .shared = shared,
        .port_security = true,
        .mtu = 1500,
        .provider_type = "local",
        .zone_hints = "[]",
        .tags = "[]",
        .created_us = NOW,
        .updated_us = NOW,
    };
}

static struct subnet_row subnet_row(const char *id, const char *network, const char *cidr, const char *pools)
{
    return (struct subnet_row){
        .id = id,
        .network_id = network,
        .project_id = PROJECT,
        .name = "",
        .description = "",
        .ip_version = strchr(cidr, ':') ? 6 : 4,
        .cidr = cidr,
        .enable_dhcp = true,
        .pools = pools,
        .dns_nameservers = "[]",
        .host_routes = "[]",
        .service_types = "[]",
        .tags = "[]",
        .created_us = NOW,
        .updated_us = NOW,
    };
}

struct work {
    struct place *p;
    const struct network_row *network;
    const struct subnet_row *subnet;
    const char *server;
    const struct port_request *requests;
    size_t count;
    char *addresses;
};

static int add_network(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    return store_network_insert(c, w->network, e);
}

static int add_subnet(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    int rc = store_subnet_insert(c, w->subnet, e);
    return rc ? rc : store_ipam_fill(c, w->subnet, &w->p->a, e);
}

static int attach(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    return store_port_attach(c, w->server, PROJECT, w->requests, w->count, NOW, &w->p->a, &w->addresses, e);
}

static int detach(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    return store_port_detach_all(c, w->server, NOW, e);
}

static void run(struct place *p, db_fn fn, struct work *w)
{
    struct error e = {0};
    w->p = p;
    CHECK_OK(db_transact(p->c, fn, w, &e), &e);
}

static void put_subnet(struct place *p, const char *id, const char *network, const char *cidr, const char *pools)
{
    struct subnet_row row = subnet_row(id, network, cidr, pools);
    run(p, add_subnet, &(struct work){.subnet = &row});
}

static int set_quota(struct db_conn *c, void *arg, struct error *e)
{
    return store_network_quota_set(c, PROJECT, QUOTA_PORT, *(int64_t *)arg, e);
}

static void open_place(struct place *p, const char *cidr, const char *pools)
{
    struct error e = {0};
    *p = (struct place){0};
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &p->db, &e), &e);
    p->c = fixture_conn(p->db);
    arena_init(&p->a);
    uuid_ordered(p->network);
    uuid_ordered(p->subnet);
    struct network_row row = network_row(p->network, PROJECT, false);
    run(p, add_network, &(struct work){.network = &row});
    put_subnet(p, p->subnet, p->network, cidr, pools);
    int64_t none = -1;
    CHECK_OK(db_transact(p->c, set_quota, &none, &e), &e);
}

static void close_place(struct place *p)
{
    arena_done(&p->a);
    db_conn_close(&p->c);
    db_close(&p->db);
}

static int try_attach(struct place *p, const char *server, const char *fixed_ip, struct error *e)
{
    struct port_request request = {.network_id = p->network, .fixed_ip = fixed_ip};
    struct work w = {.p = p, .server = server, .requests = &request, .count = 1};
    return db_transact(p->c, attach, &w, e);
}

DB_STATEMENT(test_free, "SELECT first_key, last_key FROM subnet_free WHERE subnet_id = $1 ORDER BY first_key");
DB_STATEMENT(test_held, "SELECT count(*) FROM port_address WHERE subnet_id = $1");
DB_STATEMENT(test_ports, "SELECT count(*) FROM port");
DB_STATEMENT(test_groups, "SELECT count(*) FROM port_security_group");
DB_STATEMENT(test_shown, "SELECT count(*) FROM port p JOIN port_address a ON a.port_id = p.id "
                         "WHERE p.fixed_ips LIKE '%\"' || a.ip || '\"%' AND a.network_id = p.network_id");
DB_STATEMENT(test_both, "SELECT ip FROM port_address WHERE subnet_id = $1");

static int64_t number(struct place *p, const struct db_statement *s, const char *arg)
{
    struct error e = {0};
    int64_t value = -1;
    if (arg)
        CHECK_OK(db_query_int(p->c, s, &value, &e, DB_ARGS(db_text(arg))), &e);
    else
        CHECK_OK(db_query_int(p->c, s, &value, &e, DB_NO_ARGS), &e);
    return value;
}

/* Free ranges do not overlap, hold no address of a port, and with the held ones make up the pool. */
static void check_sound(struct place *p, uint64_t pool_size)
{
    struct error e = {0};
    struct db_rows rows;
    struct ip_range ranges[600];
    size_t count = 0;
    uint64_t free = 0;
    CHECK_OK(db_query(p->c, &test_free, &rows, &e, DB_ARGS(db_text(p->subnet))), &e);
    while (db_next(&rows)) {
        CHECK(count < 600);
        CHECK(ip_key_parse(db_get_text(&rows, 0), 4, &ranges[count].first));
        CHECK(ip_key_parse(db_get_text(&rows, 1), 4, &ranges[count].last));
        CHECK(ip_compare(&ranges[count].first, &ranges[count].last) <= 0);
        CHECK(count == 0 || ip_compare(&ranges[count - 1].last, &ranges[count].first) < 0);
        free += ip_distance(&ranges[count].first, &ranges[count].last) + 1;
        count++;
    }
    CHECK_OK(db_rows_done(&rows, &e), &e);
    CHECK_OK(db_query(p->c, &test_both, &rows, &e, DB_ARGS(db_text(p->subnet))), &e);
    while (db_next(&rows)) {
        struct ip held;
        CHECK(ip_parse(db_get_text(&rows, 0), &held));
        for (size_t i = 0; i < count; i++)
            CHECK(!ip_range_contains(&ranges[i], &held));
    }
    CHECK_OK(db_rows_done(&rows, &e), &e);
    int64_t held = number(p, &test_held, p->subnet);
    CHECK_INT(free + (uint64_t)held, pool_size);
    CHECK_INT(number(p, &test_shown, NULL), held);
    CHECK_INT(number(p, &test_ports, NULL), held);
    CHECK_INT(number(p, &test_groups, NULL), held);
}

TEST("a network gives out each address once, then says that it is full, and gives again what came back")
{
    struct place p;
    struct error e = {0};
    open_place(&p, "10.0.0.0/29", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.6\"}]");
    char server[5][UUID_SIZE];
    for (int i = 0; i < 5; i++)
        CHECK_OK(try_attach(&p, uuid_ordered(server[i]), NULL, &e), &e);
    check_sound(&p, 5);
    char late[UUID_SIZE];
    CHECK_INT(try_attach(&p, uuid_ordered(late), NULL, &e), ERR_CONFLICT);
    CHECK_CONTAINS(e.text, "No more IP addresses available on network ");
    check_sound(&p, 5);
    run(&p, detach, &(struct work){.server = server[3]});
    check_sound(&p, 5);
    error_clear(&e);
    CHECK_OK(try_attach(&p, late, NULL, &e), &e);
    char *addresses = NULL;
    CHECK_OK(store_port_addresses(p.c, late, &p.a, &addresses, &e), &e);
    CHECK_CONTAINS(addresses, "{\"net\":[{\"version\":4,\"addr\":\"10.0.0.5\",\"OS-EXT-IPS:type\":\"fixed\","
                              "\"OS-EXT-IPS-MAC:mac_addr\":\"fa:16:3e:");
    close_place(&p);
}

TEST("an address that came back rests until the others were used")
{
    struct place p;
    struct error e = {0};
    open_place(&p, "10.0.0.0/29", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.6\"}]");
    char first[UUID_SIZE], next[UUID_SIZE], *addresses = NULL;
    CHECK_OK(try_attach(&p, uuid_ordered(first), NULL, &e), &e);
    run(&p, detach, &(struct work){.server = first});
    static const char *const expected[] = {"10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"};
    for (int i = 0; i < 5; i++) {
        CHECK_OK(try_attach(&p, uuid_ordered(next), NULL, &e), &e);
        CHECK_OK(store_port_addresses(p.c, next, &p.a, &addresses, &e), &e);
        CHECK_CONTAINS(addresses, expected[i]);
    }
    close_place(&p);
}

TEST("whatever is attached and detached at random, addresses are neither lost nor given twice")
{
    struct place p;
    unsigned seed = 7;
    enum { SERVERS = 60, POOL = 50 };
    char server[SERVERS][UUID_SIZE];
    bool there[SERVERS] = {0};
    int64_t held = 0;
    open_place(&p, "10.0.0.0/26",
               "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.31\"},"
               "{\"start\":\"10.0.0.40\",\"end\":\"10.0.0.59\"}]");
    for (int i = 0; i < SERVERS; i++)
        uuid_ordered(server[i]);
    for (int step = 0; step < 400; step++) {
        struct error e = {0};
        int i = rand_r(&seed) % SERVERS;
        if (there[i]) {
            run(&p, detach, &(struct work){.server = server[i]});
            there[i] = false;
            held--;
        } else {
            char chosen[IP_TEXT_SIZE];
            bool choose = rand_r(&seed) % 3 == 0;
            snprintf(chosen, sizeof chosen, "10.0.0.%d", 2 + rand_r(&seed) % 30);
            int rc = try_attach(&p, server[i], choose ? chosen : NULL, &e);
            there[i] = rc == 0;
            held += rc == 0;
            CHECK(rc == 0 || (choose ? rc == ERR_INVALID : rc == ERR_CONFLICT && held == POOL));
        }
        CHECK_INT(number(&p, &test_held, p.subnet), held);
        if (step % 20 == 0)
            check_sound(&p, POOL);
    }
    check_sound(&p, POOL);
    close_place(&p);
}

TEST("a large pool is cut into ranges that together are the pool")
{
    struct place p;
    open_place(&p, "10.0.0.0/16", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.255.254\"}]");
    check_sound(&p, 65533);
    close_place(&p);
    open_place(&p, "fd00::/48", "[{\"start\":\"fd00::1\",\"end\":\"fd00::ffff:ffff:ffff:ffff:ffff\"}]");
    struct error e = {0};
    char server[UUID_SIZE], *addresses = NULL;
    CHECK_OK(try_attach(&p, uuid_ordered(server), NULL, &e), &e);
    CHECK_OK(store_port_addresses(p.c, server, &p.a, &addresses, &e), &e);
    CHECK_CONTAINS(addresses, "\"version\":6,\"addr\":\"fd00::1\"");
    close_place(&p);
}

TEST("a chosen address must be a host's, free, and in the network")
{
    struct place p;
    struct error e = {0};
    char server[UUID_SIZE], other[UUID_SIZE];
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    CHECK_OK(try_attach(&p, uuid_ordered(server), "10.0.0.77", &e), &e);
    CHECK_INT(try_attach(&p, uuid_ordered(other), "10.0.0.77", &e), ERR_INVALID);
    char expected[120];
    snprintf(expected, sizeof expected, "Fixed IP address 10.0.0.77 is already in use on instance %s.", server);
    CHECK_TEXT(e.text, expected);
    static const char *const bad[] = {"10.0.1.1", "10.0.0.0", "10.0.0.255", "fd00::1", "nonsense"};
    for (size_t i = 0; i < 5; i++) {
        error_clear(&e);
        CHECK_INT(try_attach(&p, other, bad[i], &e), ERR_INVALID);
    }
    error_clear(&e);
    CHECK_OK(try_attach(&p, other, "10.0.0.1", &e), &e); /* outside the pool, but a host's */
    run(&p, detach, &(struct work){.server = other});
    CHECK_INT(number(&p, &test_held, p.subnet), 1);
    run(&p, detach, &(struct work){.server = server});
    check_sound(&p, 253);
    close_place(&p);
}

DB_STATEMENT(test_metered,
             "SELECT count(*) FROM usage_open o JOIN usage_shape s ON s.no = o.shape_no JOIN usage_name n "
             "ON n.no = o.subject_no WHERE s.source = 'address' AND s.extra = '{\"address\":1}' AND "
             "n.text = $1");
DB_STATEMENT(test_was_metered,
             "SELECT sum(u.end_us - u.begin_us) FROM usage_closed u JOIN usage_name n ON n.no = u.subject_no "
             "WHERE n.kind = 'address' AND n.text = $1");
static int delete_port(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    struct port_row row;
    int rc = store_port_get(c, w->server, NULL, &w->p->a, &row, e);
    return rc ? rc : store_port_delete(c, &row, NOW + 7, &w->p->a, e);
}
static int make_port(struct db_conn *c, void *arg, struct error *e)
{
    struct work *w = arg;
    const struct ip_assigned address = {w->p->subnet, "10.0.0.1"}; /* outside the pool */
    struct port_row row = {.id = w->server,
                           .network_id = w->p->network,
                           .project_id = PROJECT,
                           .name = "",
                           .description = "",
                           .device_id = "",
                           .device_owner = "",
                           .address_pairs = "[]",
                           .dhcp_opts = "[]",
                           .tags = "[]",
                           .vnic_type = "normal",
                           .binding_profile = "{}",
                           .binding_host = "",
                           .created_us = NOW,
                           .updated_us = NOW,
                           .revision = 1};
    return store_port_insert(c, &row, &address, 1, NULL, 0, &w->p->a, e);
}

TEST("an address is metered while a port holds it that is no server's")
{
    struct place p;
    struct error e = {0};
    char id[UUID_SIZE], server[UUID_SIZE];
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    struct work w = {.p = &p, .server = uuid_ordered(id)};
    run(&p, make_port, &w);
    CHECK_INT(number(&p, &test_metered, id), 1);
    struct port_request request = {.port_id = id};
    struct work bind = {.p = &p, .server = uuid_ordered(server), .requests = &request, .count = 1};
    run(&p, attach, &bind);
    CHECK_INT(number(&p, &test_metered, id), 0); /* its server's interval counts it */
    run(&p, detach, &bind);
    CHECK_INT(number(&p, &test_metered, id), 1);
    run(&p, delete_port, &w);
    CHECK_INT(number(&p, &test_metered, id), 0);
    CHECK_INT(number(&p, &test_was_metered, id), 7);
    CHECK_OK(try_attach(&p, server, NULL, &e), &e);
    CHECK_INT(number(&p, &test_was_metered, id), 7);
    close_place(&p);
}

TEST("a server's interfaces keep their order, and ports of the tenant outlive it")
{
    struct place p;
    struct error e = {0};
    char server[UUID_SIZE], other[UUID_SIZE], *addresses = NULL;
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    CHECK_OK(try_attach(&p, uuid_ordered(server), "10.0.0.9", &e), &e);
    struct port_row *ports = NULL;
    size_t count = 0;
    CHECK_OK(store_port_list(p.c, &(struct port_filter){.device_id = server}, NULL, 10, &p.a, &ports, &count, &e), &e);
    CHECK_INT(count, 1);
    CHECK_TEXT(ports[0].device_owner, "compute:nova");
    struct port_request taken = {.port_id = ports[0].id};
    struct work w = {.p = &p, .server = uuid_ordered(other), .requests = &taken, .count = 1};
    CHECK_INT(db_transact(p.c, attach, &w, &e), ERR_CONFLICT);
    CHECK_CONTAINS(e.text, "is still in use.");

    /* Unbind it, as the tenant's own; then give it to another server, between two new ones. */
    ports[0].device_id = ports[0].device_owner = "";
    ports[0].made_for_server = false;
    error_clear(&e);
    CHECK_OK(store_port_update(p.c, &ports[0], &e), &e);
    struct port_request three[] = {{.network_id = p.network, .fixed_ip = "10.0.0.200"},
                                   {.port_id = ports[0].id},
                                   {.network_id = p.network, .fixed_ip = "10.0.0.3"}};
    w = (struct work){.p = &p, .server = other, .requests = three, .count = 3};
    CHECK_OK(db_transact(p.c, attach, &w, &e), &e);
    CHECK_OK(store_port_addresses(p.c, other, &p.a, &addresses, &e), &e);
    CHECK_TEXT(addresses, w.addresses);
    const char *a = strstr(addresses, "10.0.0.200"), *b = strstr(addresses, "10.0.0.9\""),
               *d = strstr(addresses, "10.0.0.3\"");
    CHECK(a && b && d && a < b && b < d);

    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    CHECK_OK(store_port_write_nics(p.c, other, &out, &p.a, &e), &e);
    json_out_object_end(&out);
    CHECK_CONTAINS(text.data, "\"addresses\":[{\"ip\":\"10.0.0.200\",\"prefix\":24}]");
    CHECK_CONTAINS(text.data, "\"cidr\":\"10.0.0.0/24\",\"gateway\":null,\"dhcp\":true,\"dns\":[],"
                              "\"pool_start\":\"10.0.0.2\",\"pool_end\":\"10.0.0.254\"");
    strbuf_done(&text);

    run(&p, detach, &(struct work){.server = other});
    CHECK_INT(number(&p, &test_ports, NULL), 1);
    CHECK_OK(store_port_get(p.c, ports[0].id, PROJECT, &p.a, &ports[0], &e), &e);
    CHECK_TEXT(ports[0].device_id, "");
    CHECK_TEXT(ports[0].device_owner, "");
    run(&p, detach, &(struct work){.server = other}); /* again: nothing to do */
    close_place(&p);
}

TEST("SLAAC and stateful IPv6 subnets each give an address beside the IPv4 one")
{
    struct place p;
    struct error e = {0};
    char server[UUID_SIZE], slaac[UUID_SIZE], *addresses = NULL;
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    put_subnet(&p, uuid_ordered(slaac), p.network, "fd00:1::/64",
               "[{\"start\":\"fd00:1::2\",\"end\":\"fd00:1::ffff:ffff:ffff:ffff\"}]");
    struct subnet_row row = subnet_row(uuid_ordered(slaac), p.network, "fd00:2::/64",
                                       "[{\"start\":\"fd00:2::2\",\"end\":\"fd00:2::ffff:ffff:ffff:ffff\"}]");
    row.ipv6_address_mode = row.ipv6_ra_mode = "slaac";
    run(&p, add_subnet, &(struct work){.subnet = &row});
    CHECK_OK(try_attach(&p, uuid_ordered(server), NULL, &e), &e);
    CHECK_OK(store_port_addresses(p.c, server, &p.a, &addresses, &e), &e);
    CHECK_CONTAINS(addresses, "10.0.0.2");
    CHECK_CONTAINS(addresses, "fd00:1::2");
    CHECK_CONTAINS(addresses, "fd00:2::f816:3eff:fe");
    close_place(&p);
}

TEST("a server cannot be given what its project may not see, nor more ports than its quota")
{
    struct place p;
    struct error e = {0};
    char server[UUID_SIZE], foreign[UUID_SIZE], external[UUID_SIZE], empty[UUID_SIZE];
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    struct network_row row = network_row(uuid_ordered(foreign), "somebody", false);
    run(&p, add_network, &(struct work){.network = &row});
    row.id = uuid_ordered(external);
    row.external = true;
    run(&p, add_network, &(struct work){.network = &row});
    row = network_row(uuid_ordered(empty), PROJECT, false);
    run(&p, add_network, &(struct work){.network = &row});
    const struct {
        struct port_request request;
        int code;
        const char *sentence;
    } cases[] = {
        {{.network_id = foreign}, ERR_INVALID, "could not be found."},
        {{.network_id = external}, ERR_FORBIDDEN, "It is not allowed to create an interface on external network"},
        {{.network_id = empty}, ERR_INVALID, "requires a subnet in order to boot instances on."},
        {{.port_id = foreign}, ERR_INVALID, "could not be found."},
    };
    uuid_ordered(server);
    for (size_t i = 0; i < 4; i++) {
        struct work w = {.p = &p, .server = server, .requests = &cases[i].request, .count = 1};
        error_clear(&e);
        CHECK_INT(db_transact(p.c, attach, &w, &e), cases[i].code);
        CHECK_CONTAINS(e.text, cases[i].sentence);
    }
    int64_t two = 2;
    error_clear(&e);
    CHECK_OK(db_transact(p.c, set_quota, &two, &e), &e);
    struct port_request three[] = {{.network_id = p.network}, {.network_id = p.network}, {.network_id = p.network}};
    struct work w = {.p = &p, .server = server, .requests = three, .count = 3};
    CHECK_INT(db_transact(p.c, attach, &w, &e), ERR_QUOTA);
    CHECK_TEXT(e.text, "Maximum number of ports exceeded");
    CHECK_INT(number(&p, &test_ports, NULL), 0);
    w.count = 2;
    error_clear(&e);
    CHECK_OK(db_transact(p.c, attach, &w, &e), &e);
    close_place(&p);
}

TEST("the network of a server that names none is the only one there is")
{
    struct place p;
    struct error e = {0};
    char other[UUID_SIZE];
    const char *found = NULL;
    open_place(&p, "10.0.0.0/24", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.254\"}]");
    CHECK_OK(store_network_auto(p.c, PROJECT, &p.a, &found, &e), &e);
    CHECK_TEXT(found, p.network);
    CHECK_OK(store_network_auto(p.c, "somebody", &p.a, &found, &e), &e);
    CHECK_TEXT(found, NULL);
    struct network_row row = network_row(uuid_ordered(other), "somebody", true);
    run(&p, add_network, &(struct work){.network = &row});
    CHECK_OK(store_network_auto(p.c, "third", &p.a, &found, &e), &e);
    CHECK_TEXT(found, other);
    CHECK_INT(store_network_auto(p.c, PROJECT, &p.a, &found, &e), ERR_CONFLICT);
    CHECK_TEXT(e.text, "Multiple possible networks found, use a Network ID to be more specific.");
    close_place(&p);
}

TEST("whichever statement of an attach or a detach fails, nothing of it remains")
{
    struct place p;
    char server[UUID_SIZE];
    open_place(&p, "10.0.0.0/28", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.14\"}]");
    struct port_request two[] = {{.network_id = p.network}, {.network_id = p.network, .fixed_ip = "10.0.0.8"}};
    struct work w = {.p = &p, .server = uuid_ordered(server), .requests = two, .count = 2};
    db_fn fns[] = {attach, detach};
    for (int f = 0; f < 2; f++) {
        int64_t held = number(&p, &test_held, p.subnet), n = 1;
        for (;; n++) {
            struct error e = {0};
            db_fail_at(p.c, n, ERR_IO, false);
            int rc = db_transact(p.c, fns[f], &w, &e);
            db_fail_at(p.c, 0, 0, false);
            if (rc == 0)
                break;
            CHECK_INT(rc, ERR_IO);
            CHECK_INT(number(&p, &test_held, p.subnet), held);
            check_sound(&p, 13);
        }
        CHECK(n > 8);
        check_sound(&p, 13);
    }
    CHECK_INT(number(&p, &test_ports, NULL), 0);
    close_place(&p);
}

struct racer {
    struct place *p;
    pthread_t thread;
    int attached;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct place own = *r->p;
    own.c = fixture_conn(r->p->db);
    arena_init(&own.a);
    for (int i = 0; i < 15; i++) {
        struct error e = {0};
        char server[UUID_SIZE];
        int rc;
        uuid_ordered(server);
        do { /* PostgreSQL: the race may be lost more often than a transaction is repeated */
            error_clear(&e);
            rc = try_attach(&own, server, NULL, &e);
        } while (rc == ERR_SERIALIZATION);
        CHECK(rc == 0 || rc == ERR_CONFLICT);
        r->attached += rc == 0;
    }
    arena_done(&own.a);
    db_conn_close(&own.c);
    return NULL;
}

TEST("writers at the same time get different addresses and use them all")
{
    struct place p;
    struct racer racers[4] = {0};
    struct error e = {0};
    char server[UUID_SIZE];
    open_place(&p, "10.0.0.0/26", "[{\"start\":\"10.0.0.2\",\"end\":\"10.0.0.51\"}]");
    CHECK_OK(try_attach(&p, uuid_ordered(server), NULL, &e), &e); /* makes the default group */
    int attached = 1;
    for (int i = 0; i < 4; i++) {
        racers[i].p = &p;
        CHECK_INT(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(racers[i].thread, NULL);
        attached += racers[i].attached;
    }
    CHECK_INT(attached, number(&p, &test_held, p.subnet));
    check_sound(&p, 50);
    CHECK_INT(attached, 50);
    close_place(&p);
}
