/* virga init: everything that a cloud needs before its daemons start. Each step looks first whether it is done, so that
 * a second run, or one after a crash, makes only what is missing. The password reaches the files before the database: a
 * crash between the two loses nothing. */
#include "cli/bootstrap.h"
#include "cli/commands.h"
#include "cli/conf.h"
#include "cli/login.h"
#include "cli/pki.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/password.h"
#include "common/seal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command_option options[] = {
    {"admin-password-stdin", NULL,
     "Read the administrator's password from the first line of standard input instead of making one."},
    {"endpoint", "URL",
     "Where clients reach the API; written into openrc and clouds.yaml. Default: http://127.0.0.1:8774."},
    {"region", "NAME", "Name of the region. Default: RegionOne."},
    {"agent-address", "NAME",
     "A further name or address under which agents reach the API; may be given several times."},
};

static const struct {
    const char *path;
    mode_t mode;
} folders[] = {
    {"/var/lib", 0755},       {"/var/log", 0755},       {"/etc/virga", 0755},
    {"/etc/virga/pki", 0755}, {"/var/lib/virga", 0711}, {"/var/lib/virga/images", 0750},
    {"/var/log/virga", 0750}, {"/run/virga", 0755},
};

static int make_folders(struct cli *cli, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(folders) / sizeof(folders[0]); i++)
        rc = file_make_dirs(command_place(cli, folders[i].path), folders[i].mode, e);
    return rc;
}

static int make_pki(struct cli *cli, struct error *e)
{
    const char *names[COMMAND_VALUES_MAX];
    size_t count = 0;
    while (count < COMMAND_VALUES_MAX && (names[count] = command_value_at(cli, "agent-address", count)))
        count++;
    return pki_ensure(command_place(cli, "/etc/virga/pki"), names, count, e);
}

/* The password to be: given, or in an openrc that an earlier run left, or new. */
static int choose_password(struct cli *cli, const char *folder, const char **ret, struct error *e)
{
    bool given = command_flag(cli, "admin-password-stdin");
    *ret = given ? NULL : login_password(cli, folder);
    return *ret ? 0 : login_choose_password(cli, given, ret, e);
}

static int write_login(struct cli *cli, const char *folder, const char *password, struct error *e)
{
    const char *endpoint = command_value(cli, "endpoint"), *region = command_value(cli, "region");
    struct login login = {
        .auth_url = arena_printf(&cli->arena, "%s/identity/v3", endpoint ? endpoint : "http://127.0.0.1:8774"),
        .username = "admin",
        .password = password,
        .project = "admin",
        .region = region ? region : "RegionOne",
    };
    return login_write(cli, folder, &login, e);
}

static int make_rows(struct cli *cli, const char *password, struct error *e)
{
    char hash[PASSWORD_HASH_SIZE] = "";
    struct password_cost cost = PASSWORD_COST_USUAL;
    const char *region = command_value(cli, "region");
    struct bootstrap b = {.region = region ? region : "RegionOne", .now_us = clock_now_us()};
    struct db_conn *conn = NULL;
    if (password && !password_hash(password, &cost, hash))
        return error_set(e, ERR_UNAVAILABLE, "not enough memory to hash the password");
    b.password_hash = hash;
    int rc = db_conn_open(cli->db, &conn, e);
    if (!rc)
        rc = db_transact(conn, bootstrap_rows, &b, e);
    db_conn_close(&conn);
    return rc;
}

/* Who opens the database: the daemons of the controller, and this command when it is run again. */
static const char *const readers[] = {"virga-api", "virga-scheduler", "virga-metering", "virga"};

/* The database as daemons find it from wherever they run. */
static const char *whole_database(struct cli *cli)
{
    bool named = strncmp(cli->database, "sqlite:", 7) == 0;
    const char *path = named ? cli->database + 7 : cli->database;
    char *here;
    if (*path == '/' || strncmp(path, "postgres", 8) == 0)
        return cli->database;
    here = getcwd(NULL, 0);
    path = here ? arena_join(&cli->arena, named ? "sqlite:" : "", here, "/", path) : cli->database;
    free(here);
    return path;
}

/* A database that was named by --database becomes that of the daemons. Refused before anything is made when one of them
 * has another already. */
static int settle_database(struct cli *cli, bool write, struct error *e)
{
    const char *database = whole_database(cli), *old = NULL;
    int rc = 0, line = 0;
    for (size_t i = 0; !rc && command_value(cli, "database") && i < sizeof(readers) / sizeof(readers[0]); i++) {
        const char *path = command_place(cli, arena_printf(&cli->arena, "/etc/virga/%s.conf", readers[i]));
        rc = write ? conf_ensure(path, "database", database, e)
                   : conf_get(path, "database", &cli->arena, &old, &line, e);
        if (!rc && !write && old && strcmp(old, database) != 0)
            rc = error_set(e, ERR_CONFLICT, "%s:%d has another database already: change it there", path, line);
    }
    return rc;
}

static int init_run(struct cli *cli, struct error *e)
{
    const char *folder = command_place(cli, "/etc/virga"), *password = NULL;
    bool has_admin = false;
    int rc = settle_database(cli, false, e);
    if (!rc)
        rc = make_folders(cli, e);
    if (!rc)
        rc = seal_key_create(command_place(cli, "/etc/virga/master.key"), e);
    if (!rc)
        rc = make_pki(cli, e);
    if (!rc)
        rc = command_open(cli, true, e);
    if (!rc)
        rc = settle_database(cli, true, e);
    if (!rc)
        rc = bootstrap_has_admin(db_reader(cli->db), &has_admin, e);
    if (!rc && !has_admin)
        rc = choose_password(cli, folder, &password, e);
    if (!rc && password)
        rc = write_login(cli, folder, password, e);
    if (!rc)
        rc = make_rows(cli, password, e);
    if (rc)
        return rc;
    if (password)
        printf("The cloud is ready. The administrator's login: %s/openrc\n", folder);
    else
        printf("The cloud was ready already: nothing that was there has been changed.\n");
    return 0;
}

const struct command init_command = {
    .name = "init",
    .arguments = "",
    .summary = "Prepare a cloud: folders, keys, database, certificates, administrator, catalog",
    .help =
        "Makes what is missing and changes nothing that is there, so it may be run again. The administrator's\n"
        "login is written to etc/virga/openrc and etc/virga/clouds.yaml (mode 0600). A database named by --database\n"
        "is written into the configuration of virga-api, virga-scheduler, virga-metering and of this command.",
    COMMAND_OPTIONS(options),
    .run = init_run,
};
