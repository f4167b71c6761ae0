/* Which roles imply others. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/role_view.h"
#include "api/identity/routes.h"
#include "api/identity/users.h"
#include "db/store_assignment.h"
#include <string.h>

static int load(struct request *request, const char *param, struct role_row *ret)
{
    const char *id = request_param(request, param);
    return identity_found(request, store_role_get(request->conn, id, &request->arena, ret, &request->error), "role",
                          id);
}

static int check_read(struct request *request, const char *action)
{
    const char *limit = access_domain_limit(request);
    return access_read_domain(request, limit ? limit : "", action);
}

struct putting {
    struct request *request;
    struct reply *reply;
    char prior[65];
};

static int put_implied(void *arg, const struct role_row *row, struct error *e)
{
    (void)e;
    struct putting *p = arg;
    role_view_short(p->request, p->reply, NULL, row);
    return 0;
}

static int role_implied_list(struct request *request, struct reply *reply)
{
    struct json_out *o = &reply->out;
    struct putting p = {.request = request, .reply = reply};
    struct role_row prior;
    int rc = check_read(request, "identity:list_implied_roles");
    if (!rc)
        rc = load(request, "role_id", &prior);
    if (rc)
        return rc;
    json_out_object(o, NULL);
    json_out_object(o, "role_inference");
    role_view_short(request, reply, "prior_role", &prior);
    json_out_array(o, "implies");
    rc = store_role_each_implied(request->conn, prior.id, put_implied, &p, &request->error);
    json_out_array_end(o);
    json_out_object_end(o);
    json_out_object(o, "links");
    json_out_text(o, "self", identity_url(request, "/roles/%s/implies", prior.id));
    json_out_object_end(o);
    json_out_object_end(o);
    return rc;
}

static int put_pair(struct request *request, struct reply *reply, const struct role_row *prior,
                    const struct role_row *implied)
{
    struct json_out *o = &reply->out;
    json_out_object(o, NULL);
    json_out_object(o, "role_inference");
    role_view_short(request, reply, "prior_role", prior);
    role_view_short(request, reply, "implies", implied);
    json_out_object_end(o);
    json_out_object(o, "links");
    json_out_text(o, "self", identity_url(request, "/roles/%s/implies/%s", prior->id, implied->id));
    json_out_object_end(o);
    json_out_object_end(o);
    return 0;
}

/* Both roles, and that the one implies the other. */
static int load_pair(struct request *request, struct role_row *prior, struct role_row *implied)
{
    bool implies = false;
    int rc = load(request, "role_id", prior);
    if (!rc)
        rc = load(request, "implied_role_id", implied);
    if (!rc)
        rc = store_role_implies(request->conn, prior->id, implied->id, &implies, &request->error);
    if (!rc && !implies)
        rc = error_set(&request->error, ERR_NOT_FOUND, "%s does not imply %s.", prior->id, implied->id);
    return rc;
}

static int role_implied_show(struct request *request, struct reply *reply)
{
    struct role_row prior, implied;
    int rc = check_read(request, "identity:get_implied_role");
    if (!rc)
        rc = load_pair(request, &prior, &implied);
    if (rc)
        return rc;
    if (strcmp(request->method, "HEAD") == 0) {
        reply->status = 204;
        return 0;
    }
    return put_pair(request, reply, &prior, &implied);
}

static int role_implied_create(struct request *request, struct reply *reply)
{
    struct role_row prior, implied;
    bool circle = false;
    int rc = access_admin(request, "identity:create_implied_role");
    if (!rc)
        rc = load(request, "role_id", &prior);
    if (!rc)
        rc = load(request, "implied_role_id", &implied);
    if (rc)
        return rc;
    if (strcmp(prior.id, implied.id) == 0 || strcmp(implied.name, "admin") == 0)
        return error_set(&request->error, ERR_FORBIDDEN, "%s cannot be an implied roles.", implied.id);
    if (!*prior.domain_id && *implied.domain_id)
        return error_set(&request->error, ERR_FORBIDDEN, "Global role cannot imply a domain-specific role");
    rc = store_role_reaches(request->conn, implied.id, prior.id, &circle, &request->error);
    if (!rc && circle)
        rc = error_set(&request->error, ERR_FORBIDDEN, "%s cannot be an implied roles.", implied.id);
    if (!rc)
        rc = store_role_imply(request->conn, prior.id, implied.id, &request->error);
    reply->status = 201;
    return rc ? rc : put_pair(request, reply, &prior, &implied);
}

struct holders {
    struct arena *arena;
    struct holder {
        const char *user_id;
        struct holder *next;
    } * first;
};

static int keep_holder(void *arg, const char *user_id, const char *target_kind, const char *target_id, bool inherited,
                       struct error *e)
{
    (void)target_kind, (void)target_id, (void)inherited, (void)e;
    struct holders *holders = arg;
    struct holder *holder = arena_alloc(holders->arena, sizeof(*holder));
    *holder = (struct holder){arena_strdup(holders->arena, user_id), holders->first};
    if (!holders->first || strcmp(holders->first->user_id, user_id) != 0)
        holders->first = holder;
    return 0;
}

/* Who had the implied role by this alone loses it: tokens are void. */
static int role_implied_delete(struct request *request, struct reply *reply)
{
    struct holders holders = {.arena = &request->arena};
    struct role_row prior, implied;
    int rc = access_admin(request, "identity:delete_implied_role");
    if (!rc)
        rc = load_pair(request, &prior, &implied);
    if (!rc)
        rc = store_assignment_each_holder(request->conn, prior.id, keep_holder, &holders, &request->error);
    for (const struct holder *holder = holders.first; !rc && holder; holder = holder->next)
        rc = users_revoke(request, holder->user_id);
    if (!rc)
        rc = store_role_unimply(request->conn, prior.id, implied.id, &request->error);
    reply->status = 204;
    return rc;
}

static void close_prior(struct putting *p)
{
    if (!*p->prior)
        return;
    json_out_array_end(&p->reply->out);
    json_out_object_end(&p->reply->out);
}

static int put_inference(void *arg, const struct role_row *prior, const struct role_row *implied, struct error *e)
{
    (void)e;
    struct putting *p = arg;
    if (strcmp(p->prior, prior->id) != 0) {
        close_prior(p);
        memset(p->prior, 0, sizeof(p->prior));
        memcpy(p->prior, prior->id, strnlen(prior->id, sizeof(p->prior) - 1));
        json_out_object(&p->reply->out, NULL);
        role_view_short(p->request, p->reply, "prior_role", prior);
        json_out_array(&p->reply->out, "implies");
    }
    role_view_short(p->request, p->reply, NULL, implied);
    return 0;
}

static int role_implied_inferences(struct request *request, struct reply *reply)
{
    struct putting p = {.request = request, .reply = reply};
    int rc = check_read(request, "identity:list_role_inference_rules");
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "role_inferences");
    rc = store_role_each_inference(request->conn, put_inference, &p, &request->error);
    close_prior(&p);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

#define PAIR "/roles/{role_id}/implies/{implied_role_id}"
static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/role_inferences",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = role_implied_inferences},
    {.method = "GET",
     .pattern = "/roles/{role_id}/implies",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = role_implied_list},
    {.method = "GET", .pattern = PAIR, .permission = PERMISSION_AUTHENTICATED, .handler = role_implied_show},
    {.method = "PUT",
     .pattern = PAIR,
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = role_implied_create},
    {.method = "DELETE",
     .pattern = PAIR,
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = role_implied_delete},
};
const struct route_table role_implied_routes = ROUTE_TABLE(rows);
