/* Passwords from files. */
#include "common/file.h"
#include "compute-agent/password.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *path;

static int read_of(const char *text, struct strbuf *ret, struct error *e)
{
    if (!path)
        path = scratch_file("password");
    CHECK_INT(file_replace(path, text, strlen(text), 0600, NULL), 0);
    int code = password_read(path, ret, e);
    unlink(path);
    return code;
}

TEST("a password is its file's first line, spaces and all")
{
    struct strbuf password;
    struct error e = {0};
    CHECK_INT(read_of(" pa55 word\r\nsecond\n", &password, &e), 0);
    CHECK_TEXT(password.data, " pa55 word");
    CHECK_INT(password.size, 10);
    password_done(&password);
}

TEST("a file without one, or no file, is told by its path and not by what it holds")
{
    struct strbuf password;
    struct error empty = {0}, absent = {0};
    CHECK_INT(read_of("\nsecret\n", &password, &empty), ERR_INVALID);
    CHECK(strstr(error_text(&empty), path) && !strstr(error_text(&empty), "secret"));
    password_done(&password);
    CHECK_INT(password_read("/nowhere/password", &password, &absent), ERR_NOT_FOUND);
    CHECK(strstr(error_text(&absent), "/nowhere/password"));
    password_done(&password);
}
