/* virga user password NAME: a new password without the old one, for an operator who is locked out. All tokens of the
 * user are void. */
#include "cli/commands.h"
#include "cli/login.h"
#include "common/clock.h"
#include "common/password.h"
#include "db/store_project.h"
#include "db/store_token.h"
#include "db/store_user.h"
#include <stdio.h>
#include <string.h>

#define TOKEN_LIFE_US (48 * 3600 * CLOCK_SECOND_US) /* no token lives longer */

static const struct command_option options[] = {
    {"domain", "NAME", "Domain of the user. Default: Default."},
    {"password-stdin", NULL, "Read the password from the first line of standard input instead of making one."},
};

struct change {
    const char *domain, *name, *hash;
    int64_t now_us;
};

static int change_row(struct db_conn *c, void *arg, struct error *e)
{
    struct change *change = arg;
    struct project_row domain;
    struct user_row user;
    struct arena a;
    int64_t seq;
    arena_init(&a);
    int rc = store_project_find(c, "", change->domain, &a, &domain, e);
    if (!rc)
        rc = store_user_find(c, domain.id, change->name, &a, &user, e);
    if (!rc) {
        struct token_revocation_row revocation = {.kind = "user", .subject = user.id, .target = ""};
        user.password_hash = change->hash;
        user.password_changed_us = change->now_us;
        user.password_expires_us = 0;
        rc = store_user_update(c, &user, e);
        if (!rc)
            rc = store_token_revocation_insert(c, &revocation, TOKEN_LIFE_US, &seq, e);
        db_wake(c, "revocation");
    }
    arena_done(&a);
    return rc == ERR_NOT_FOUND
               ? error_set(e, rc, "there is no user \"%s\" in the domain \"%s\"", change->name, change->domain)
               : rc;
}

static int user_password_run(struct cli *cli, struct error *e)
{
    const char *domain = command_value(cli, "domain"), *password;
    char hash[PASSWORD_HASH_SIZE];
    struct password_cost cost = PASSWORD_COST_USUAL;
    struct change change = {
        .domain = domain ? domain : "Default", .name = cli->arguments[0], .hash = hash, .now_us = clock_now_us()};
    struct db_conn *conn = NULL;
    bool given = command_flag(cli, "password-stdin");
    int rc = command_open(cli, false, e);
    if (!rc)
        rc = login_choose_password(cli, given, &password, e);
    if (!rc && !password_hash(password, &cost, hash))
        rc = error_set(e, ERR_UNAVAILABLE, "not enough memory to hash the password");
    if (!rc)
        rc = db_conn_open(cli->db, &conn, e);
    if (!rc)
        rc = db_transact(conn, change_row, &change, e);
    db_conn_close(&conn);
    if (!rc && !given)
        printf("%s\n", password);
    return rc;
}

const struct command user_password_command = {
    .name = "user password",
    .arguments = "NAME",
    .summary = "Give a user a new password, and void his tokens",
    .help = "Prints the password that it made. An openrc that holds the old one is not changed.",
    COMMAND_OPTIONS(options),
    .run = user_password_run,
};
