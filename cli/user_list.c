/* virga user list. */
#include "cli/commands.h"
#include "cli/table.h"
#include "db/store_user.h"

struct listing {
    struct table table;
    struct json_out *out; /* NULL: the table */
};

static int put_user(void *arg, const struct user_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    if (!l->out) {
        table_add(&l->table, row->name);
        table_add(&l->table, row->id);
        table_add(&l->table, row->domain_id);
        table_add(&l->table, row->enabled ? "yes" : "no");
        return 0;
    }
    json_out_object(l->out, NULL);
    json_out_text(l->out, "name", row->name);
    json_out_text(l->out, "id", row->id);
    json_out_text(l->out, "domain_id", row->domain_id);
    json_out_bool(l->out, "enabled", row->enabled);
    json_out_object_end(l->out);
    return 0;
}

static int user_list_run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"NAME", "ID", "DOMAIN", "ENABLED", NULL};
    struct user_filter filter = {.enabled = -1};
    struct listing l = {0};
    struct strbuf text;
    struct json_out out;
    int rc = command_open(cli, false, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    table_init(&l.table, &cli->arena, headings);
    if (cli->json) {
        l.out = &out;
        json_out_array(&out, NULL);
    }
    rc = store_user_each(db_reader(cli->db), &filter, NULL, put_user, &l, e);
    if (!rc && l.out) {
        json_out_array_end(&out);
        command_print_json(&out);
    } else if (!rc) {
        table_print(&l.table);
    }
    strbuf_done(&text);
    return rc;
}

const struct command user_list_command = {
    .name = "user list",
    .arguments = "",
    .summary = "List the users",
    .run = user_list_run,
};
