/* openrc and clouds.yaml. */
#include "cli/login.h"
#include "common/file.h"
#include "common/password.h"
#include "common/strbuf.h"
#include <stdio.h>
#include <string.h>

#define PASSWORD_LINE "export OS_PASSWORD='"

/* For a shell: within single quotes, ' becomes '\''. */
static void put_shell(struct strbuf *out, const char *name, const char *value)
{
    strbuf_appendf(out, "export %s='", name);
    for (; *value; value++)
        if (*value == '\'')
            strbuf_append_text(out, "'\\''");
        else
            strbuf_append_char(out, *value);
    strbuf_append_text(out, "'\n");
}

/* For YAML: within single quotes, ' is doubled. */
static void put_yaml(struct strbuf *out, const char *indent, const char *name, const char *value)
{
    strbuf_appendf(out, "%s%s: '", indent, name);
    for (; *value; value++) {
        strbuf_append_char(out, *value);
        if (*value == '\'')
            strbuf_append_char(out, '\'');
    }
    strbuf_append_text(out, "'\n");
}

static int write_file(struct cli *cli, const char *folder, const char *name, struct strbuf *text, struct error *e)
{
    int rc = text->error
                 ? error_set(e, ERR_TOO_LARGE, "%s would be too large", name)
                 : file_replace(arena_printf(&cli->arena, "%s/%s", folder, name), text->data, text->size, 0600, e);
    strbuf_done(text);
    return rc;
}

int login_write(struct cli *cli, const char *folder, const struct login *login, struct error *e)
{
    struct strbuf openrc, clouds;
    strbuf_init(&openrc, 65536);
    strbuf_init(&clouds, 65536);
    strbuf_append_text(&openrc, "# The administrator of this cloud: . openrc, then use the openstack command.\n");
    put_shell(&openrc, "OS_AUTH_URL", login->auth_url);
    put_shell(&openrc, "OS_IDENTITY_API_VERSION", "3");
    put_shell(&openrc, "OS_USERNAME", login->username);
    put_shell(&openrc, "OS_PASSWORD", login->password);
    put_shell(&openrc, "OS_PROJECT_NAME", login->project);
    put_shell(&openrc, "OS_USER_DOMAIN_NAME", "Default");
    put_shell(&openrc, "OS_PROJECT_DOMAIN_NAME", "Default");
    put_shell(&openrc, "OS_REGION_NAME", login->region);
    strbuf_append_text(&clouds, "clouds:\n  virga:\n    auth:\n");
    put_yaml(&clouds, "      ", "auth_url", login->auth_url);
    put_yaml(&clouds, "      ", "username", login->username);
    put_yaml(&clouds, "      ", "password", login->password);
    put_yaml(&clouds, "      ", "project_name", login->project);
    put_yaml(&clouds, "      ", "user_domain_name", "Default");
    put_yaml(&clouds, "      ", "project_domain_name", "Default");
    put_yaml(&clouds, "    ", "region_name", login->region);
    strbuf_append_text(&clouds, "    interface: public\n    identity_api_version: 3\n");
    int rc = write_file(cli, folder, "clouds.yaml", &clouds, e);
    int rc2 = write_file(cli, folder, "openrc", &openrc, e); /* last: its presence says that both are there */
    return rc ? rc : rc2;
}

const char *login_password(struct cli *cli, const char *folder)
{
    struct strbuf text, password;
    struct error ignored = {0};
    const char *found = NULL;
    strbuf_init(&text, 65536);
    strbuf_init(&password, 65536);
    if (file_read(arena_printf(&cli->arena, "%s/openrc", folder), &text, &ignored) == 0)
        found = strstr(text.data, PASSWORD_LINE);
    if (found) {
        for (found += strlen(PASSWORD_LINE); *found && (*found != '\'' || strncmp(found, "'\\''", 4) == 0); found++) {
            strbuf_append_char(&password, *found);
            if (*found == '\'')
                found += 3;
        }
        found = arena_strdup(&cli->arena, password.data);
    }
    strbuf_done(&text);
    strbuf_done(&password);
    return found && *found ? found : NULL;
}

static int read_password(struct cli *cli, const char **ret, struct error *e)
{
    char line[PASSWORD_MAX + 2];
    if (!fgets(line, sizeof(line), stdin))
        return error_set(e, ERR_INVALID, "no password came on standard input");
    size_t size = strcspn(line, "\r\n");
    if (size == 0 || size > PASSWORD_MAX)
        return error_set(e, ERR_INVALID, "a password has 1 to %d bytes", PASSWORD_MAX);
    line[size] = 0;
    *ret = arena_strdup(&cli->arena, line);
    return 0;
}

int login_choose_password(struct cli *cli, bool from_stdin, const char **ret, struct error *e)
{
    char random[PASSWORD_RANDOM_SIZE];
    if (from_stdin)
        return read_password(cli, ret, e);
    password_random(random);
    *ret = arena_strdup(&cli->arena, random);
    return 0;
}
