/* virga user list. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "db/store_user.h"

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

static int read_users(struct cli *cli, struct listing *l, struct error *e)
{
    struct user_filter filter = {.enabled = -1};
    return store_user_each(db_reader(cli->db), &filter, NULL, put_user, l, e);
}

static int user_list_run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"NAME", "ID", "DOMAIN", "ENABLED", NULL};
    struct listing l = {0};
    return listing_run(cli, headings, read_users, &l, e);
}

const struct command user_list_command = {
    .name = "user list",
    .arguments = "",
    .summary = "List the users",
    .run = user_list_run,
};
