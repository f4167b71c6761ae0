/* Traits of hosts: what agents report and what operators say are kept apart, what the scheduler sees is both. */
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/store_resource.h"
#include <string.h>

static bool has(json_value *list, const char *name)
{
    for (size_t i = 0; i < json_in_count(list); i++)
        if (strcmp(json_in_text(json_in_item(list, i)), name) == 0)
            return true;
    return false;
}

static void add_all(struct json_out *out, json_value *list, json_value *but)
{
    for (size_t i = 0; i < json_in_count(list); i++) {
        const char *name = json_in_text(json_in_item(list, i));
        if (name != NULL && (but == NULL || !has(but, name)))
            json_out_text(out, NULL, name);
    }
}

static int join(const char *reported, const char *own, struct strbuf *text, struct error *e)
{
    struct json_doc first, second;
    struct json_out out;
    int rc = json_in_parse(reported, strlen(reported), &first, e);
    if (rc)
        return rc;
    rc = json_in_parse(own, strlen(own), &second, e);
    if (!rc) {
        json_out_init(&out, text);
        json_out_array(&out, NULL);
        add_all(&out, first.root, NULL);
        add_all(&out, second.root, first.root);
        json_out_array_end(&out);
        json_in_done(&second);
    }
    json_in_done(&first);
    return rc;
}

DB_STATEMENT(resource_traits, "SELECT reported_traits, own_traits FROM host WHERE id = $1");
static int read_both(struct db_conn *c, const char *host_id, struct arena *a, const char **reported, const char **own,
                     struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &resource_traits, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found) {
        *reported = *reported != NULL ? *reported : db_dup_text(&rows, 0, a);
        *own = *own != NULL ? *own : db_dup_text(&rows, 1, a);
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
}

DB_STATEMENT(resource_set_traits, "UPDATE host SET reported_traits = $2, own_traits = $3, traits = $4 WHERE id = $1");
int store_resource_set_traits(struct db_conn *c, const char *host_id, const char *reported, const char *own,
                              struct error *e)
{
    struct strbuf text;
    struct arena a;
    arena_init(&a);
    strbuf_init(&text, 0);
    int rc = read_both(c, host_id, &a, &reported, &own, e);
    rc = rc ? rc : join(reported, own, &text, e);
    rc = rc ? rc
            : db_exec(c, &resource_set_traits, NULL, e,
                      DB_ARGS(db_text(host_id), db_text(reported), db_text(own), db_text(text.data)));
    strbuf_done(&text);
    arena_done(&a);
    return rc;
}

int store_resource_own_traits(struct db_conn *c, const char *host_id, struct arena *a, const char **ret,
                              struct error *e)
{
    const char *reported = NULL, *own = NULL;
    int rc = read_both(c, host_id, a, &reported, &own, e);
    if (!rc)
        *ret = own;
    return rc;
}
