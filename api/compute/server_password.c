/* os-server-password: the password that a guest posted, encrypted with its keypair. No guest of ours posts one: it is
 * always empty. And the action changePassword: QEMU's guest agent sets it; on its way through the database it is
 * sealed. Sentences: nova/virt/libvirt/driver.py, set_admin_password. */
#include "api/compute/server_password.h"
#include "api/api.h"
#include "api/compute/compute.h"
#include "api/compute/server_image_properties.h"
#include "api/compute/server_life.h"
#include "api/compute/server_question.h"
#include "api/identity/token.h"
#include "common/model/machine.h"
#include "common/seal.h"
#include "db/store_server.h"
#include <string.h>

static int check_agent(struct request *request, const struct server_row *row)
{
    const char *word;
    int rc = server_image_properties_word(request, row, "hw_qemu_guest_agent", "", &word);
    if (!rc && !machine_word_is_on(word))
        rc = error_set(&request->error, ERR_CONFLICT,
                       "Failed to set admin password on %s because QEMU guest agent is not enabled "
                       "(hw_qemu_guest_agent of the image)",
                       row->id);
    return rc;
}

static char *print_args(struct request *request, const char *user, const char *password)
{
    struct seal_key key;
    struct strbuf text;
    struct json_out out;
    token_master_key(request->api->tokens, &key);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "user", user);
    json_out_text(&out, "sealed", seal_close(&key, password, strlen(password), &request->arena));
    json_out_object_end(&out);
    seal_key_wipe(&key);
    char *copy = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static int answer_change(struct request *request, struct reply *reply)
{
    struct json_doc doc;
    bool parked = false;
    int rc = server_question_wait(request, &doc, &parked);
    if (rc || parked)
        return rc;
    json_in_done(&doc);
    reply->status = 202;
    return 0;
}

int server_password_change(struct request *request, struct server_row *row, json_value *value)
{
    const char *password = json_in_text(json_in_member(value, "adminPass")), *user = NULL;
    struct server_life_actor actor = {.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
    struct server_situation situation = store_server_situation(row);
    struct server_words words = server_words(&situation);
    bool active = strcmp(words.vm_state, "active") == 0;
    if (!json_in_is_object(value) || json_in_count(value) != 1 || password == NULL || strlen(password) > 255)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute changePassword. 'adminPass' is a required property");
    if (!active || words.task_state != NULL)
        return error_set(&request->error, ERR_CONFLICT, "Cannot 'changePassword' instance %s while it is in %s %s",
                         row->id, active ? "task_state" : "vm_state", active ? words.task_state : words.vm_state);
    int rc = check_agent(request, row);
    rc = rc ? rc : server_image_properties_word(request, row, "os_admin_user", "root", &user);
    rc = rc ? rc
            : server_life_record(request->conn, row, OPERATION_CHANGE_PASSWORD, &actor, request->now_us,
                                 &request->error);
    return rc ? rc
              : server_question_ask(request, row, "set_password", print_args(request, user, password), answer_change);
}

static int server_password_show(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "password", "");
    json_out_object_end(&reply->out);
    return 0;
}

static int server_password_clear(struct request *request, struct reply *reply)
{
    struct server_row row;
    reply->status = 204;
    return compute_server(request, &row);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/os-server-password",
     .permission = PERMISSION_READER,
     .handler = server_password_show},
    {.method = "DELETE",
     .pattern = "/servers/{id}/os-server-password",
     .permission = PERMISSION_MEMBER,
     .handler = server_password_clear},
};
const struct route_table server_password_routes = ROUTE_TABLE(rows);
