/* The file is read, and replaced as a whole: a crash leaves the old or the new one. */
#include "cli/conf.h"
#include "common/file.h"
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *trim(char *text)
{
    size_t size;
    while (isspace((unsigned char)*text))
        text++;
    size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

/* The value of a line "key = value", NULL when it is none of this key. */
static char *value_of(char *line, const char *key)
{
    char *equals = strchr(line, '='), *value;
    size_t size;
    if (*trim(line) == '#' || equals == NULL)
        return NULL;
    *equals = '\0';
    if (strcmp(trim(line), key) != 0)
        return NULL;
    value = trim(equals + 1);
    size = strlen(value);
    if (size >= 2 && value[0] == '"' && value[size - 1] == '"') {
        value[size - 1] = '\0';
        value++;
    }
    return value;
}

/* As file_read; a file that is not there is empty. */
static int read_all(const char *path, struct strbuf *ret, struct error *e)
{
    struct error found = {0};
    int rc = file_read(path, ret, &found);
    return rc == 0 || rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&found));
}

int conf_get(const char *path, const char *key, struct arena *a, const char **ret, int *ret_line, struct error *e)
{
    struct strbuf text;
    char *rest, *line;
    int rc, number = 0;
    *ret = NULL;
    strbuf_init(&text, (size_t)1 << 20);
    rc = read_all(path, &text, e);
    rest = rc == 0 && text.size > 0 ? arena_strdup(a, text.data) : NULL;
    strbuf_done(&text);
    while (rest != NULL && *ret == NULL) {
        line = strsep(&rest, "\n");
        number++;
        *ret = value_of(line, key);
    }
    *ret_line = number;
    return rc;
}

static int write_file(const char *path, const struct strbuf *text, struct error *e)
{
    struct stat old;
    struct group *virga = getgrnam("virga");
    bool there = stat(path, &old) == 0;
    int rc = file_replace(path, text->data, text->size, there ? old.st_mode & 07777 : 0640, e);
    if (rc != 0 || geteuid() != 0 || (!there && virga == NULL))
        return rc;
    if (chown(path, there ? old.st_uid : 0, there ? old.st_gid : virga->gr_gid) != 0)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    return 0;
}

static int add(const char *path, const char *key, const char *value, struct error *e)
{
    struct strbuf text;
    int rc;
    strbuf_init(&text, (size_t)1 << 20);
    rc = read_all(path, &text, e);
    if (rc == 0 && text.size > 0 && text.data[text.size - 1] != '\n')
        strbuf_append_char(&text, '\n');
    if (rc == 0)
        strbuf_appendf(&text, "%s = %s\n", key, value);
    if (rc == 0)
        rc = write_file(path, &text, e);
    strbuf_done(&text);
    return rc;
}

int conf_ensure(const char *path, const char *key, const char *value, struct error *e)
{
    struct arena a;
    const char *old = NULL;
    int line = 0, rc;
    if (value[strcspn(value, "\r\n")] != '\0' || *value == '\0')
        return error_set(e, ERR_INVALID, "%s is one line of text", key);
    arena_init(&a);
    rc = conf_get(path, key, &a, &old, &line, e);
    if (rc == 0 && old == NULL)
        rc = add(path, key, value, e);
    else if (rc == 0 && strcmp(old, value) != 0)
        rc = error_set(e, ERR_CONFLICT, "%s:%d has another %s already: change it there", path, line, key);
    arena_done(&a);
    return rc;
}
