/* The rows that make the scheduler go. */
#include "db/store_migration_begin.h"
#include "common/uuid.h"
#include "db/store_operation.h"

static enum server_operation shown(enum migration_kind kind)
{
    if (kind == MIGRATION_LIVE)
        return SERVER_OPERATION_MIGRATING;
    return kind == MIGRATION_EVACUATION ? SERVER_OPERATION_REBUILDING : SERVER_OPERATION_RESIZE_PREP;
}

int store_migration_begin_refuse(const struct server_row *row, const struct migration_wish *wish, struct error *e)
{
    struct server_situation s = store_server_situation(row);
    const char *value = "", *what = server_refusal(&s, wish->action, &value);
    return error_set(e, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s",
                     wish->operation == OPERATION_MIGRATE ? "migrate" : server_action_name(wish->action), row->id, what,
                     value);
}

static int insert(struct db_conn *c, struct server_row *row, const struct migration_wish *wish,
                  const struct migration_actor *actor, int64_t now_us, struct arena *a, struct error *e)
{
    struct operation_row operation = {
        .id = uuid_ordered(arena_alloc(a, UUID_SIZE)),
        .server_id = row->id,
        .project_id = actor->project_id,
        .user_id = actor->user_id,
        .request_id = actor->request_id,
        .action = operation_name(wish->operation),
        .started_us = now_us,
    };
    struct migration_row migration = {
        .uuid = uuid_ordered(arena_alloc(a, UUID_SIZE)),
        .server_id = row->id,
        .operation_id = operation.id,
        .project_id = actor->project_id,
        .user_id = actor->user_id,
        .kind = wish->kind,
        .source_host = row->host_id,
        .wanted_host = wish->wanted_host,
        .drain_host = wish->drain_host,
        .power = row->desired_power,
        .old_flavor = store_migration_flavor(row, a),
        .new_flavor = store_migration_flavor(wish->as ? wish->as : row, a),
        .options = wish->options ? wish->options : "{}",
        .created_us = now_us,
        .deadline_us = now_us + migration_limit_us(MIGRATION_QUEUED),
    };
    int rc = store_operation_insert(c, &operation, false, e);
    row->operation_id = operation.id;
    return rc ? rc : store_migration_insert(c, &migration, e);
}

int store_migration_begin(struct db_conn *c, struct server_row *row, const struct migration_wish *wish,
                          const struct migration_actor *actor, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_situation s = store_server_situation(row);
    enum server_power power;
    if (!server_allows(&s, wish->action, &power))
        return store_migration_begin_refuse(row, wish, e);
    if (server_operation_moves(row->operation))
        return error_set(e, ERR_CONFLICT, "Instance %s is being migrated", row->id);
    int rc = store_operation_end(c, row->operation_id, OPERATION_FAIL, "Another action took its place", now_us, e);
    rc = rc ? rc : insert(c, row, wish, actor, now_us, a, e);
    if (rc)
        return rc;
    row->operation = shown(wish->kind);
    row->deadline_us = 0;
    row->updated_us = now_us;
    return store_server_move(c, row, e);
}
