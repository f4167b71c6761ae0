/* Nothing is printed when reading fails. */
#include "cli/listing.h"

int listing_run(struct cli *cli, const char *const *headings, listing_fn read, struct listing *l, struct error *e)
{
    struct strbuf text;
    struct json_out out;
    int rc = command_open(cli, false, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    table_init(&l->table, &cli->arena, headings);
    l->out = cli->json ? &out : NULL;
    if (l->out)
        json_out_array(&out, NULL);
    rc = read(cli, l, e);
    if (l->out)
        json_out_array_end(&out);
    if (!rc && l->out)
        command_print_json(&out);
    else if (!rc)
        table_print(&l->table);
    strbuf_done(&text);
    return rc;
}
