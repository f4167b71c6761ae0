/* POST /servers/{id}/action: the one member of the body names the action; a table says which microversion brought it,
 * who may do it and what it does. Actions that Nova has and this cloud does not yet are refused as not implemented, all
 * others as unknown. */
#include "api/compute/server_ability.h"
#include "api/compute/server_image_actions.h"
#include "api/compute/server_interfaces.h"
#include "api/compute/server_life.h"
#include "api/compute/server_moves.h"
#include "api/compute/server_password.h"
#include "api/compute/server_question.h"
#include "api/compute/server_security_groups.h"
#include "api/compute/server_shelf_actions.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What an action's handler gets: the member's value, and the server that is loaded and, unless the row says otherwise,
 * not locked. */
typedef int (*act_fn)(struct request *request, struct reply *reply, struct server_row *row, json_value *value);

static struct server_life_actor actor_of(const struct request *request)
{
    return (struct server_life_actor){.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
}

static int act(struct request *request, struct server_row *row, enum server_action action)
{
    struct server_life_actor actor = actor_of(request);
    return server_life_act(request->conn, row, action, &actor, request->now_us, &request->error);
}

static int act_start(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_START);
}

static int act_stop(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_STOP);
}

static int act_pause(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_PAUSE);
}

static int act_unpause(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_UNPAUSE);
}

static int act_suspend(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_SUSPEND);
}

static int act_resume(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return act(request, row, SERVER_ACTION_RESUME);
}

static int act_reboot(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    static const char *const soft[] = {"SOFT", "Soft", "soft"}, *const hard[] = {"HARD", "Hard", "hard"};
    const char *type = json_in_text(json_in_member(value, "type"));
    (void)reply;
    if (type == NULL)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute reboot. 'type' is a required property");
    if (json_in_count(value) != 1)
        return error_set(&request->error, ERR_INVALID, "Additional properties are not allowed in reboot");
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(type, soft[i]) == 0)
            return act(request, row, SERVER_ACTION_REBOOT_SOFT);
        if (strcmp(type, hard[i]) == 0)
            return act(request, row, SERVER_ACTION_REBOOT_HARD);
    }
    return error_set(
        &request->error, ERR_INVALID,
        "Invalid input for field/attribute type. Value: %s. '%s' is not one of ['HARD', 'Hard', 'hard', 'SOFT', "
        "'Soft', 'soft']",
        type, type);
}

static int record(struct request *request, const struct server_row *row, enum operation_kind kind)
{
    struct server_life_actor actor = actor_of(request);
    return server_life_record(request->conn, row, kind, &actor, request->now_us, &request->error);
}

static bool is_owner(const struct request *request, const struct server_row *row)
{
    return strcmp(row->project_id, request->credential.project_id) == 0;
}

/* null, or from 2.73 {"locked_reason": "..."}. */
static int read_lock_reason(struct request *request, json_value *value, const char **ret)
{
    const char *reason = json_in_text(json_in_member(value, "locked_reason"));
    *ret = NULL;
    if (!compute_since(request, 73) || json_in_is_null(value))
        return 0;
    if (!json_in_is_object(value) || json_in_count(value) != 1 || reason == NULL || *reason == '\0')
        return error_set(
            &request->error, ERR_INVALID,
            "Invalid input for field/attribute lock. It is null or has a locked_reason of 1 to 255 characters");
    *ret = reason;
    return compute_check_text(request, "locked_reason", reason);
}

/* nova/compute/api.py, lock: an owner's second lock changes nothing. */
static int act_lock(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    const char *reason;
    int rc = read_lock_reason(request, value, &reason);
    (void)reply;
    if (rc || (row->locked != 0 && is_owner(request, row)))
        return rc;
    row->locked = is_owner(request, row) ? 1 : 2;
    row->locked_reason = reason;
    row->updated_us = request->now_us;
    rc = record(request, row, OPERATION_LOCK);
    return rc ? rc : store_server_edit(request->conn, row, &request->error);
}

static int act_unlock(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    int rc;
    (void)reply;
    (void)value;
    if (row->locked == 2 && !compute_is_admin(request))
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.");
    row->locked = 0;
    row->locked_reason = NULL;
    row->updated_us = request->now_us;
    rc = record(request, row, OPERATION_UNLOCK);
    return rc ? rc : store_server_edit(request->conn, row, &request->error);
}

static int act_reset(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    const char *state = json_in_text(json_in_member(value, "state"));
    bool fault = state != NULL && strcmp(state, "error") == 0;
    int rc;
    (void)reply;
    if (state == NULL || json_in_count(value) != 1 || (!fault && strcmp(state, "active") != 0))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute os-resetState. 'state' is one of ['active', 'error']");
    rc = record(request, row, OPERATION_RESET_STATE);
    return rc ? rc : server_life_reset(request->conn, row, fault, request->now_us, &request->error);
}

static int act_force_delete(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct server_life_actor actor = actor_of(request);
    (void)reply;
    (void)value;
    return server_life_delete(request->conn, row, &actor, request->now_us, &request->error);
}

/* Deleted servers are gone here: there is never one to restore. */
static int act_restore(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct server_situation situation = store_server_situation(row);
    (void)reply;
    (void)value;
    return error_set(&request->error, ERR_CONFLICT, "Cannot 'restore' instance %s while it is in vm_state %s", row->id,
                     server_words(&situation).vm_state);
}

static int act_add_group(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    return server_security_groups_add(request, row, value);
}

static int act_remove_group(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    return server_security_groups_remove(request, row, value);
}

static int act_password(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    return server_password_change(request, row, value);
}

static int act_add_fixed(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    return server_fixed_ips_add(request, row, value);
}

static int act_remove_fixed(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    return server_fixed_ips_remove(request, row, value);
}

/* Up to 2.43. There are no floating addresses: the network service has no routers. */
static int act_no_address(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    const char *address = json_in_text(json_in_member(value, "address"));
    if (compute_since(request, 44))
        return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
    int rc = address != NULL ? compute_check_ip(request, "address", address, 4)
                             : error_set(&request->error, ERR_INVALID, "'address' is a required property");
    (void)reply;
    (void)row;
    return rc ? rc : error_set(&request->error, ERR_NOT_FOUND, "floating IP not found");
}

#define CONSOLE_OUTPUT "os-getConsoleOutput"

/* The console's text without control characters, as Nova gives it. */
static const char *clean(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text), *to = copy;
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t')
            *to++ = *p;
    *to = '\0';
    return copy;
}

/* {"length": number, number as text, or null}; -1 for all. */
static int read_length(struct request *request, json_value *value, int64_t *ret)
{
    json_value *length = json_in_member(value, "length");
    const char *text = json_in_is_text(length) ? json_in_text(length) : NULL;
    char *end = NULL;
    bool good = json_in_is_object(value) && json_in_count(value) == (json_in_has(value, "length") ? 1u : 0u);
    *ret = -1;
    if (good && text != NULL) {
        *ret = strtoll(text, &end, 10);
        good = *text != '\0' && *end == '\0' && *text != '+' && *text != ' ';
    } else if (good && !json_in_is_null(length)) {
        good = json_in_int(length, ret);
    }
    if (!good || *ret < -1)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute os-getConsoleOutput. 'length' is a number of at least -1");
    return 0;
}

/* Where the last `count` pieces between line feeds begin; what follows the last line feed is a piece too, as Nova
 * counts. All when negative. */
static const char *tail(const char *text, int64_t count)
{
    const char *end = text + strlen(text);
    if (count < 0)
        return text;
    if (count == 0)
        return end;
    for (const char *p = end; p > text; p--)
        if (p[-1] == '\n' && --count == 0)
            return p;
    return text;
}

static int answer_console(struct request *request, struct reply *reply)
{
    struct json_doc doc;
    bool parked = false;
    const char *text;
    int64_t lines;
    int rc = read_length(request, json_in_member(request->json, CONSOLE_OUTPUT), &lines);
    rc = rc ? rc : server_question_wait(request, &doc, &parked);
    if (rc || parked)
        return rc;
    text = json_in_text(json_in_member(doc.root, "output"));
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "output", tail(clean(&request->arena, text != NULL ? text : ""), lines));
    json_out_object_end(&reply->out);
    json_in_done(&doc);
    return 0;
}

static int act_console(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct strbuf args;
    struct json_out out;
    int64_t lines;
    int rc = read_length(request, value, &lines);
    (void)reply;
    if (rc)
        return rc;
    strbuf_init(&args, 0);
    json_out_init(&out, &args);
    json_out_object(&out, NULL);
    json_out_int(&out, "lines", lines);
    json_out_object_end(&out);
    rc = server_question_ask(request, row, "console_log", args.data, answer_console);
    strbuf_done(&args);
    return rc;
}

struct action_row {
    const char *name;
    act_fn act;
    int since;
    bool admin;       /* administrators only */
    bool also_locked; /* a lock does not keep it away */
    const char *lack; /* the trait of hosts whose hypervisor cannot; NULL: every one can */
};
static const struct action_row actions[] = {
    {"os-start", act_start, 1, false, false, NULL},
    {"os-stop", act_stop, 1, false, false, NULL},
    {"reboot", act_reboot, 1, false, false, NULL},
    {"pause", act_pause, 1, false, false, "CUSTOM_LACKS_PAUSE"},
    {"unpause", act_unpause, 1, false, false, "CUSTOM_LACKS_PAUSE"},
    {"suspend", act_suspend, 1, false, false, "CUSTOM_LACKS_SUSPEND"},
    {"resume", act_resume, 1, false, false, "CUSTOM_LACKS_SUSPEND"},
    {"lock", act_lock, 1, false, true, NULL},
    {"unlock", act_unlock, 1, false, true, NULL},
    {CONSOLE_OUTPUT, act_console, 1, false, true, "CUSTOM_LACKS_CONSOLE"},
    {"os-resetState", act_reset, 1, true, true, NULL},
    {"forceDelete", act_force_delete, 1, false, false, NULL},
    {"restore", act_restore, 1, false, true, NULL},
    {"addSecurityGroup", act_add_group, 1, false, true, NULL},
    {"removeSecurityGroup", act_remove_group, 1, false, true, NULL},
    {"changePassword", act_password, 1, false, false, "CUSTOM_LACKS_GUEST_AGENT"},
    {"addFixedIp", act_add_fixed, 1, false, false, NULL},
    {"removeFixedIp", act_remove_fixed, 1, false, false, NULL},
    {"addFloatingIp", act_no_address, 1, false, true, NULL},
    {"removeFloatingIp", act_no_address, 1, false, true, NULL},
    {"resize", server_moves_resize, 1, false, false, "CUSTOM_LACKS_RESIZE"},
    {"confirmResize", server_moves_confirm, 1, false, false, NULL},
    {"revertResize", server_moves_revert, 1, false, false, NULL},
    {"migrate", server_moves_migrate, 1, true, false, "CUSTOM_LACKS_MIGRATE"},
    {"os-migrateLive", server_moves_live, 1, true, false, "CUSTOM_LACKS_LIVE_MIGRATION"},
    {"createImage", server_image_actions_create, 1, false, false, "CUSTOM_LACKS_SNAPSHOT"},
    {"createBackup", server_image_actions_back_up, 1, false, false, "CUSTOM_LACKS_SNAPSHOT"},
    {"shelve", server_shelf_actions_shelve, 1, false, false, "CUSTOM_LACKS_SNAPSHOT"},
    {"shelveOffload", server_shelf_actions_offload, 1, true, false, NULL},
    {"unshelve", server_shelf_actions_unshelve, 1, false, false, NULL},
    {"evacuate", server_moves_evacuate, 1, true, true, NULL},
};
static const char *const later[] = {
    "injectNetworkInfo", "os-getRDPConsole", "os-getSPICEConsole", "os-getSerialConsole", "os-getVNCConsole",
    "rebuild",           "rescue",           "resetNetwork",       "trigger_crash_dump",  "unrescue",
};

struct wanted {
    const char *name;
    json_value *value;
};

static int take_first(void *arg, const char *name, json_value *value)
{
    *(struct wanted *)arg = (struct wanted){name, value};
    return 1;
}

static const struct action_row *find(const struct request *request, const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0 && compute_since(request, actions[i].since))
            return &actions[i];
    return NULL;
}

static int refuse(struct request *request, const char *name)
{
    struct server_row row;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (strcmp(later[i], name) == 0) {
            int rc = compute_server(request, &row);
            return rc ? rc : compute_not_served(request, arena_printf(&request->arena, "The action '%s'", name));
        }
    }
    return error_set(&request->error, ERR_INVALID, "There is no such action: %s", name);
}

static int server_actions_run(struct request *request, struct reply *reply)
{
    struct wanted wanted = {NULL, NULL};
    const struct action_row *action;
    struct server_row row;
    int rc;
    if (!json_in_is_object(request->json) || json_in_count(request->json) == 0)
        return error_set(&request->error, ERR_INVALID, "Malformed request body");
    if (json_in_count(request->json) > 1)
        return error_set(&request->error, ERR_INVALID, "Additional properties are not allowed beside the action");
    json_in_each(request->json, take_first, &wanted);
    action = find(request, wanted.name);
    if (action == NULL)
        return refuse(request, wanted.name);
    if (action->admin && !compute_is_admin(request))
        return error_set(&request->error, ERR_FORBIDDEN, "Policy doesn't allow os_compute_api:%s to be performed.",
                         action->name);
    rc = action->also_locked ? compute_server(request, &row) : compute_server_unlocked(request, &row);
    if (rc)
        return rc;
    rc = action->lack != NULL ? server_ability_check(request, &row, action->name, action->lack) : 0;
    if (rc)
        return rc;
    reply->status = 202;
    return action->act(request, reply, &row, wanted.value);
}

/* What the consoles' actions became in 2.6. */
static int remote_consoles_create(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    (void)reply;
    return rc ? rc : compute_not_served(request, "A remote console");
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/servers/{id}/remote-consoles",
     .permission = PERMISSION_MEMBER,
     .since = 6,
     .handler = remote_consoles_create},
    {.method = "POST",
     .pattern = "/servers/{id}/action",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_actions_run},
};
const struct route_table server_actions_routes = ROUTE_TABLE(rows);
