/* Read whenever a connection is made, never kept: who replaces the file changes the password. */
#include "compute-agent/password.h"
#include "common/file.h"
#include <string.h>

#define PASSWORD_FILE_SIZE 4096

int password_read(const char *path, struct strbuf *ret, struct error *e)
{
    strbuf_init(ret, PASSWORD_FILE_SIZE);
    int code = file_read(path, ret, e);
    if (code)
        return code;
    ret->size = strcspn(ret->data, "\r\n");
    if (ret->size == 0)
        return error_set(e, ERR_INVALID, "%s: its first line should be a password", path);
    ret->data[ret->size] = '\0';
    return 0;
}

void password_done(struct strbuf *password)
{
    if (password->capacity)
        explicit_bzero(password->data, password->capacity);
    strbuf_done(password);
}
