/* virga init makes a whole cloud, changes nothing when it is run again, and completes what a crash left; doctor sees
 * what is wrong with it. */
#include "cli/bootstrap.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/pki.h"
#include "common/file.h"
#include "common/log.h"
#include "common/password.h"
#include "db/store_assignment.h"
#include "db/store_endpoint.h"
#include "db/store_operator.h"
#include "db/store_token.h"
#include "db/store_user.h"
#include "tests/unit/check.h"
#include <ftw.h>
#include <sys/stat.h>

static char prefix[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st, (void)type, (void)place;
    return remove(path);
}

static void begin(void)
{
    log_init("test", NULL, LOG_LEVEL_ERROR);
    snprintf(prefix, sizeof(prefix), "/tmp/virga-cli-test.XXXXXX");
    CHECK(mkdtemp(prefix));
}

static void end(void)
{
    nftw(prefix, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *place(const char *path)
{
    static char places[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(places[turn], sizeof(places[turn]), "%s%s", prefix, path);
    return places[turn];
}

/* Runs a command with up to four words; what it prints goes nowhere. The exit status. */
static int run(const struct command *command, const char *a, const char *b, const char *c, const char *d)
{
    char *argv[] = {(char *)a, (char *)b, (char *)c, (char *)d};
    int argc = (a != NULL) + (b != NULL) + (c != NULL) + (d != NULL);
    struct cli cli = {.command = command, .prefix = prefix};
    struct error e = {0};
    bool help = false;
    arena_init(&cli.arena);
    cli.database = command_place(&cli, "/var/lib/virga/virga.db");
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    CHECK(freopen("/dev/null", "w", stdout));
    int rc = command_parse(&cli, argc, argv, &help, &e);
    if (!rc)
        rc = command->run(&cli, &e);
    fflush(stdout);
    dup2(real, STDOUT_FILENO);
    close(real);
    db_close(&cli.db);
    arena_done(&cli.arena);
    return rc ? rc : cli.status;
}

static int init(void)
{
    return run(&init_command, NULL, NULL, NULL, NULL);
}

/* The whole file, for comparing; freed by the caller. */
static char *content(const char *path)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(file_read(place(path), &text, &e), &e);
    return strbuf_take(&text);
}

static const char *const secrets[] = {"/etc/virga/master.key", "/etc/virga/pki/ca.key", "/etc/virga/pki/agents.key",
                                      "/etc/virga/openrc", "/etc/virga/clouds.yaml"};
static const char *const kept[] = {"/etc/virga/master.key",     "/etc/virga/pki/ca.key",     "/etc/virga/pki/ca.pem",
                                   "/etc/virga/pki/agents.key", "/etc/virga/pki/agents.pem", "/etc/virga/openrc",
                                   "/etc/virga/clouds.yaml"};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

static struct db *open_db(void)
{
    struct db *db;
    struct error e = {0};
    CHECK_OK(db_open(place("/var/lib/virga/virga.db"), DB_OPEN_NO_MIGRATE, &db, &e), &e);
    return db;
}

/* Whether the password in openrc opens the administrator's account. */
static bool login_fits(void)
{
    struct db *db = open_db();
    struct cli cli = {.prefix = prefix};
    struct user_row user;
    struct error e = {0};
    struct password_cost cost = PASSWORD_COST_USUAL;
    arena_init(&cli.arena);
    CHECK_OK(store_user_find(db_reader(db), "default", "admin", &cli.arena, &user, &e), &e);
    const char *password = login_password(&cli, place("/etc/virga"));
    bool fits = password && password_matches(password, user.password_hash, &cost);
    arena_done(&cli.arena);
    db_close(&db);
    return fits;
}

TEST("init makes a cloud: keys that only the owner reads, and a login that fits")
{
    begin();
    CHECK_INT(init(), 0);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        struct stat st;
        CHECK(stat(place(secrets[i]), &st) == 0);
        CHECK_INT(st.st_mode & 07777, 0600);
    }
    CHECK(login_fits());
    char *openrc = content("/etc/virga/openrc"), *clouds = content("/etc/virga/clouds.yaml");
    CHECK_CONTAINS(openrc, "export OS_AUTH_URL='http://127.0.0.1:8774/identity/v3'\n");
    CHECK_CONTAINS(clouds, "      auth_url: 'http://127.0.0.1:8774/identity/v3'\n");
    free(openrc);
    free(clouds);
    CHECK_INT(run(&doctor_command, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(run(&status_command, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(run(&status_command, "--json", NULL, NULL, NULL), 0);
    CHECK_INT(run(&user_list_command, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(run(&db_migrate_command, NULL, NULL, NULL, NULL), 0);
    end();
}

static int count_endpoint(void *arg, const char *type, const char *name, const struct endpoint_row *row,
                          struct error *e)
{
    (void)type, (void)name, (void)row, (void)e;
    ++*(size_t *)arg;
    return 0;
}

static size_t endpoints(void)
{
    size_t count = 0;
    struct error e = {0};
    struct db *db = open_db();
    CHECK_OK(store_endpoint_each_in_catalog(db_reader(db), count_endpoint, &count, &e), &e);
    db_close(&db);
    return count;
}

TEST("init run again changes no file and no row")
{
    char *before[KEPT];
    begin();
    CHECK_INT(init(), 0);
    for (size_t i = 0; i < KEPT; i++)
        before[i] = content(kept[i]);
    size_t count = endpoints();
    CHECK_INT(count, 21);
    CHECK_INT(init(), 0);
    CHECK_INT(endpoints(), count);
    for (size_t i = 0; i < KEPT; i++) {
        char *after = content(kept[i]);
        CHECK_TEXT(after, before[i]);
        free(after);
        free(before[i]);
    }
    CHECK(login_fits());
    end();
}

TEST("whatever file a crash left out is made by the next run, and the rest stays")
{
    for (size_t missing = 0; missing < KEPT; missing++) {
        if (strstr(kept[missing], "master.key") || strstr(kept[missing], "openrc") || strstr(kept[missing], "clouds"))
            continue; /* made before anything hangs on them: see the next test */
        char *before[KEPT];
        begin();
        CHECK_INT(init(), 0);
        for (size_t i = 0; i < KEPT; i++)
            before[i] = content(kept[i]);
        CHECK_INT(remove(place(kept[missing])), 0);
        CHECK_INT(init(), 0);
        for (size_t i = 0; i < KEPT; i++) {
            char *after = content(kept[i]);
            if (i != missing && !strstr(kept[i], "agents.pem")) /* that one may be signed anew */
                CHECK_TEXT(after, before[i]);
            free(after);
            free(before[i]);
        }
        end();
    }
}

TEST("a crash between the login's files and the rows keeps the password")
{
    struct cli cli = {.prefix = prefix};
    struct login login = {"http://h/identity/v3", "admin", "it's a 'quoted' one", "admin", "RegionOne"};
    struct error e = {0};
    begin();
    arena_init(&cli.arena);
    CHECK_OK(file_make_dirs(place("/etc/virga"), 0755, &e), &e);
    CHECK_OK(login_write(&cli, place("/etc/virga"), &login, &e), &e);
    CHECK_TEXT(login_password(&cli, place("/etc/virga")), login.password);
    arena_done(&cli.arena);
    CHECK_INT(init(), 0);
    CHECK(login_fits());
    end();
}

TEST("a further address of agents is put into a new certificate of the same CA and key")
{
    begin();
    CHECK_INT(init(), 0);
    char *ca = content("/etc/virga/pki/ca.pem"), *key = content("/etc/virga/pki/agents.key"),
         *old = content("/etc/virga/pki/agents.pem");
    CHECK_INT(run(&init_command, "--agent-address", "cloud.example", "--agent-address=10.1.2.3", NULL), 0);
    char *ca2 = content("/etc/virga/pki/ca.pem"), *key2 = content("/etc/virga/pki/agents.key"),
         *new = content("/etc/virga/pki/agents.pem");
    CHECK_TEXT(ca2, ca);
    CHECK_TEXT(key2, key);
    CHECK(strcmp(old, new) != 0);
    CHECK_INT(run(&init_command, "--agent-address", "10.1.2.3", NULL, NULL), 0); /* it has that one */
    char *same = content("/etc/virga/pki/agents.pem");
    CHECK_TEXT(same, new);
    free(ca), free(ca2), free(key), free(key2), free(old), free(new), free(same);
    end();
}

TEST("doctor sees a secret that others may read, and a missing certificate")
{
    struct error e = {0};
    begin();
    CHECK_INT(init(), 0);
    CHECK_INT(chmod(place("/etc/virga/master.key"), 0640), 0);
    CHECK_INT(run(&doctor_command, NULL, NULL, NULL, NULL), 1);
    CHECK_INT(chmod(place("/etc/virga/master.key"), 0600), 0);
    CHECK_INT(run(&doctor_command, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(remove(place("/etc/virga/pki/ca.pem")), 0);
    CHECK_INT(run(&doctor_command, "--json", NULL, NULL, NULL), 1);
    CHECK_INT(pki_ensure(place("/etc/virga/pki"), NULL, 0, &e), 0);
    CHECK_INT(run(&doctor_command, NULL, NULL, NULL, NULL), 0);
    end();
}

static int grant_nobody(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    struct assignment_row row = {"user", "nobody", "system", "all", "no-role", false};
    return store_assignment_insert(c, &row, e);
}

TEST("doctor sees rows that contradict each other")
{
    struct error e = {0};
    struct db_conn *c;
    begin();
    CHECK_INT(init(), 0);
    struct db *db = open_db();
    CHECK_OK(db_conn_open(db, &c, &e), &e);
    CHECK_OK(db_transact(c, grant_nobody, NULL, &e), &e);
    db_conn_close(&c);
    db_close(&db);
    CHECK_INT(run(&doctor_command, NULL, NULL, NULL, NULL), 1);
    end();
}

static int count_revocation(void *arg, const struct token_revocation_row *row, struct error *e)
{
    (void)row, (void)e;
    ++*(size_t *)arg;
    return 0;
}

TEST("a new password by the operator fits, and voids the tokens")
{
    size_t count = 0;
    struct error e = {0};
    begin();
    CHECK_INT(init(), 0);
    CHECK_INT(run(&user_password_command, "admin", NULL, NULL, NULL), 0);
    CHECK(!login_fits()); /* openrc holds the old one */
    struct db *db = open_db();
    CHECK_OK(store_token_revocations(db_reader(db), 0, count_revocation, &count, &e), &e);
    CHECK_INT(count, 1);
    db_close(&db);
    CHECK_INT(run(&user_password_command, "nobody", NULL, NULL, NULL), ERR_NOT_FOUND);
    CHECK_INT(run(&user_password_command, "admin", "--domain", "Nowhere", NULL), ERR_NOT_FOUND);
    end();
}

TEST("words that a command does not take are refused with a sentence")
{
    begin();
    CHECK_INT(run(&init_command, "--nonsense", NULL, NULL, NULL), ERR_INVALID);
    CHECK_INT(run(&init_command, "argument", NULL, NULL, NULL), ERR_INVALID);
    CHECK_INT(run(&init_command, "--region", NULL, NULL, NULL), ERR_INVALID);
    CHECK_INT(run(&status_command, "--json=yes", NULL, NULL, NULL), ERR_INVALID);
    CHECK_INT(run(&explain_command, NULL, NULL, NULL, NULL), ERR_INVALID);
    CHECK_INT(run(&status_command, NULL, NULL, NULL, NULL), ERR_NOT_FOUND); /* no cloud there yet */
    CHECK_INT(init(), 0);
    CHECK_INT(run(&explain_command, "no-such-server", NULL, NULL, NULL), ERR_NOT_FOUND);
    end();
}

static void write_conf(const char *name, const char *text)
{
    struct error e = {0};
    CHECK_OK(file_make_dirs(place("/etc/virga"), 0755, &e), &e);
    CHECK_OK(file_replace(place(name), text, strlen(text), 0600, &e), &e);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    CHECK(stat(place(path), &st) == 0);
    return st.st_mode & 07777;
}

TEST("a database that init is told becomes the daemons' own, once, beside what their files say")
{
    begin();
    char database[128], wanted[200];
    snprintf(database, sizeof(database), "%s", place("/var/lib/virga/virga.db"));
    snprintf(wanted, sizeof(wanted), "# ours\nlisten = 127.0.0.1:1\ndatabase = %s\n", database);
    write_conf("/etc/virga/virga-api.conf", "# ours\nlisten = 127.0.0.1:1");
    for (int i = 0; i < 2; i++)
        CHECK_INT(run(&init_command, "--database", database, NULL, NULL), 0);
    char *api = content("/etc/virga/virga-api.conf"), *meter = content("/etc/virga/virga-metering.conf"),
         *own = content("/etc/virga/virga.conf");
    CHECK_TEXT(api, wanted);
    CHECK_TEXT(meter, strstr(wanted, "database"));
    CHECK_TEXT(own, meter);
    CHECK_INT(mode_of("/etc/virga/virga-api.conf"), 0600);
    CHECK_INT(mode_of("/etc/virga/virga-metering.conf"), 0640);
    free(api);
    free(meter);
    free(own);
    end();
}

TEST("without being told one, init writes no database into any file")
{
    begin();
    CHECK_INT(init(), 0);
    CHECK(access(place("/etc/virga/virga-api.conf"), F_OK) != 0 && access(place("/etc/virga/virga.conf"), F_OK) != 0);
    end();
}

TEST("a daemon that has another database stops init before anything is made")
{
    begin();
    write_conf("/etc/virga/virga-metering.conf", "  database  =  \"postgres://secret@other/virga\"  \n");
    CHECK_INT(run(&init_command, "--database", place("/var/lib/virga/virga.db"), NULL, NULL), ERR_CONFLICT);
    CHECK(access(place("/etc/virga/master.key"), F_OK) != 0 && access(place("/var/lib/virga"), F_OK) != 0);
    write_conf("/etc/virga/virga-metering.conf", "# database = elsewhere\n");
    CHECK_INT(run(&init_command, "--database", place("/var/lib/virga/virga.db"), NULL, NULL), 0);
    end();
}
