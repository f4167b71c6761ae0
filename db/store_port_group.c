/* The security groups that a server has through its ports, as its row shows them. */
#include "db/store_port.h"

DB_STATEMENT(port_group_names,
             "SELECT g.name, g.id FROM port p JOIN port_security_group x ON x.port_id = p.id JOIN security_group g "
             "ON g.id = x.group_id WHERE p.device_id = $1 AND p.device_id <> '' "
             "ORDER BY p.nic, p.id, g.name, g.id");
int store_port_group_names(struct db_conn *c, const char *server_id, struct arena *a, const char **ret_json,
                           struct error *e)
{
    struct db_rows rows;
    struct strbuf text;
    struct json_out out;
    int rc = db_query(c, &port_group_names, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc != 0)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    while (db_next(&rows)) {
        const char *name = db_get_text(&rows, 0);
        json_out_object(&out, NULL);
        json_out_text(&out, "name", name[0] != 0 ? name : db_get_text(&rows, 1));
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    rc = db_rows_done(&rows, e);
    if (rc == 0)
        *ret_json = arena_strdup(a, text.data);
    strbuf_done(&text);
    return rc;
}
