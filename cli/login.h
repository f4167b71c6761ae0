/* The files by which clients log in: openrc and clouds.yaml, mode 0600. */
#pragma once
#include "cli/command.h"

struct login {
    const char *auth_url, *username, *password, *project, *region;
};
int login_write(struct cli *cli, const char *folder, const struct login *login, struct error *e);
/* A password from the first line of standard input, or a new random one; in the arena. */
int login_choose_password(struct cli *cli, bool from_stdin, const char **ret, struct error *e);
/* The password that an openrc there holds, in the arena; NULL when there is none. */
const char *login_password(struct cli *cli, const char *folder);
