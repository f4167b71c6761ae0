/* virga explain SERVER: what a server is doing, and why it has no host. */
#include "cli/commands.h"
#include "common/clock.h"
#include "db/store_operation.h"
#include "db/store_operator.h"
#include "db/store_server.h"
#include <inttypes.h>
#include <stdio.h>

static int put_operation(void *arg, const struct operation_row *row, struct error *e)
{
    (void)arg, (void)e;
    char text[CLOCK_TEXT_SIZE];
    printf("  %s  %-12s %s%s%s\n", clock_text(row->started_us, CLOCK_ISO_Z, text), row->action, row->state,
           row->message ? ": " : "", row->message ? row->message : "");
    return 0;
}

static int put_waiting(struct cli *cli, struct db_conn *c, const struct server_row *row, struct error *e)
{
    struct store_operator_waiting w;
    char text[CLOCK_TEXT_SIZE];
    int rc = store_operator_waiting(c, row->id, &cli->arena, &w, e);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    printf("It waits for a host since %s", clock_text(w.since_us, CLOCK_ISO_Z, text));
    if (w.until_us > 0)
        printf(", until %s", clock_text(w.until_us, CLOCK_ISO_Z, text));
    printf("; looked at %" PRId64 " time%s.\n", w.attempts, w.attempts == 1 ? "" : "s");
    if (w.reason)
        printf("%s\n", w.reason);
    return 0;
}

static int put_server(struct cli *cli, const char *id, struct error *e)
{
    struct db_conn *c = db_reader(cli->db);
    struct server_row row;
    int rc = store_server_get(c, id, &cli->arena, &row, e);
    if (rc)
        return rc;
    struct server_situation situation = store_server_situation_at(&row, clock_now_us());
    struct server_words words = server_words(&situation);
    char text[CLOCK_TEXT_SIZE];
    printf("%s (%s): %s%s%s%s\n", row.name, row.id, words.status, words.task_state ? ", " : "",
           words.task_state ? words.task_state : "", row.host_id ? "" : ", on no host");
    if (row.host_id)
        printf("On host %s (%s).\n", row.host_name, row.host_id);
    rc = put_waiting(cli, c, &row, e);
    if (!rc && row.fault_code) {
        printf("Fault of %s: %s\n", clock_text(row.fault_us, CLOCK_ISO_Z, text),
               row.fault_message ? row.fault_message : "");
        if (row.fault_details && *row.fault_details)
            printf("Details: %s\n", row.fault_details);
    }
    printf("Operations, newest first:\n");
    return rc ? rc : store_operation_list(c, id, 0, 0, 0, 10, put_operation, NULL, e);
}

static int explain_run(struct cli *cli, struct error *e)
{
    const char *id;
    int rc = command_server(cli, &id, e);
    return rc ? rc : put_server(cli, id, e);
}

const struct command explain_command = {
    .name = "explain",
    .arguments = "SERVER",
    .summary = "Say what a server is doing, and why it has no host",
    .help = "SERVER is an id, or a name that only one server has.",
    .run = explain_run,
};
