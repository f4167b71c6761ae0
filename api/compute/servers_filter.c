/* Filters of server lists, as a table of names: who may use one from which microversion, and what it does. Names
 * outside the table are ignored before 2.75 and refused from then on. Sources: nova/api/openstack/compute/servers.py
 * (_get_server_search_options) and schemas/servers.py.
 *
 * A regular expression that is only text, dots and anchors becomes a LIKE pattern, so that the store can stop at the
 * page's end. Others run here, row by row; braces and backslashes, by which a pattern can grow without bound, are taken
 * as plain text. */
#include "api/compute/servers_filter.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef int (*apply_fn)(struct servers_filter *f, const char *name, const char *value);

static int refuse(struct servers_filter *f, const char *name, const char *value, const char *why)
{
    return error_set(&f->request->error, ERR_INVALID, "Invalid input for query parameters %s. Value: %s. %s", name,
                     value, why);
}

/* Only text, dots, ^ at the start and $ at the end. */
static bool is_simple(const char *pattern)
{
    size_t size = strlen(pattern);
    for (size_t i = 0; i < size; i++) {
        char c = pattern[i];
        if (c == '^' && i == 0)
            continue;
        if (c == '$' && i == size - 1)
            continue;
        if (strchr("^$*+?()[]|{}\\", c) != NULL)
            return false;
    }
    return true;
}

static const char *like_of(struct arena *a, const char *pattern)
{
    size_t size = strlen(pattern);
    bool start = pattern[0] == '^', end = size > 0 && pattern[size - 1] == '$';
    struct strbuf text;
    const char *like;
    strbuf_init(&text, 0);
    if (!start)
        strbuf_append_char(&text, '%');
    for (size_t i = start; i < size - end; i++) {
        if (pattern[i] == '%' || pattern[i] == '_')
            strbuf_append_char(&text, '\\');
        strbuf_append_char(&text, pattern[i] == '.' ? '_' : pattern[i]);
    }
    if (!end)
        strbuf_append_char(&text, '%');
    like = arena_strdup(a, text.data);
    strbuf_done(&text);
    return like;
}

/* After a backslash: the classes that people use, else the character itself. Back references, which cost without bound,
 * are not among them. */
static void add_escaped(struct strbuf *to, char c)
{
    if (c == 'd')
        strbuf_append_text(to, "[0-9]");
    else if (c == 'w')
        strbuf_append_text(to, "[[:alnum:]_]");
    else if (c == 's')
        strbuf_append_text(to, "[[:space:]]");
    else if (isalnum((unsigned char)c))
        strbuf_append_char(to, c);
    else
        strbuf_appendf(to, "\\%c", c);
}

static int compile(struct servers_filter *f, const char *name, const char *value, regex_t **ret)
{
    struct strbuf text;
    regex_t *expression;
    int rc = 0;
    if (strlen(value) > 255)
        return refuse(f, name, value, "It is too long");
    if (*ret != NULL)
        return 0;
    expression = arena_alloc(&f->request->arena, sizeof(*expression));
    strbuf_init(&text, 0);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            add_escaped(&text, *++p);
        else if (strchr("{}\\", *p) != NULL)
            add_escaped(&text, *p);
        else
            strbuf_append_char(&text, *p);
    }
    if (regcomp(expression, text.data, REG_EXTENDED | REG_NOSUB) != 0)
        rc = refuse(f, name, value, "It is not a regular expression");
    else
        *ret = expression;
    strbuf_done(&text);
    f->by_row = true;
    return rc;
}

static int apply_name(struct servers_filter *f, const char *name, const char *value)
{
    if (!is_simple(value))
        return compile(f, name, value, &f->name);
    if (f->query.name_part == NULL)
        f->query.name_part = like_of(&f->request->arena, value);
    return 0;
}

static int apply_hostname(struct servers_filter *f, const char *name, const char *value)
{
    return compile(f, name, value, &f->hostname);
}

static int apply_description(struct servers_filter *f, const char *name, const char *value)
{
    return compile(f, name, value, &f->description);
}

static int apply_ip(struct servers_filter *f, const char *name, const char *value)
{
    return compile(f, name, value, strcmp(name, "ip6") == 0 ? &f->ip6 : &f->ip);
}

#define APPLY_TEXT(ident, member)                                                                                      \
    static int ident(struct servers_filter *f, const char *name, const char *value)                                    \
    {                                                                                                                  \
        (void)name;                                                                                                    \
        f->member = value;                                                                                             \
        return 0;                                                                                                      \
    }
APPLY_TEXT(apply_user, query.user_id)
APPLY_TEXT(apply_image, query.image_id)
APPLY_TEXT(apply_flavor, query.flavor_id)
APPLY_TEXT(apply_key, query.key_name)
APPLY_TEXT(apply_reservation, query.reservation_id)
APPLY_TEXT(apply_host, query.host)
APPLY_TEXT(apply_zone, query.zone)
APPLY_TEXT(apply_id, query.id)
APPLY_TEXT(apply_marker, query.marker)
#define APPLY_ROW(ident, member)                                                                                       \
    static int ident(struct servers_filter *f, const char *name, const char *value)                                    \
    {                                                                                                                  \
        (void)name;                                                                                                    \
        f->member = value;                                                                                             \
        f->by_row = true;                                                                                              \
        return 0;                                                                                                      \
    }
APPLY_ROW(apply_tags, tags)
APPLY_ROW(apply_tags_any, tags_any)
APPLY_ROW(apply_not_tags, not_tags)
APPLY_ROW(apply_not_tags_any, not_tags_any)
APPLY_ROW(apply_task, task_state)
APPLY_ROW(apply_access4, access4)
APPLY_ROW(apply_access6, access6)
APPLY_ROW(apply_created, created)
APPLY_ROW(apply_launched, launched)

/* Only by administrators over all projects; otherwise the project is the token's. */
static int apply_project(struct servers_filter *f, const char *name, const char *value)
{
    (void)name;
    f->query.project_id = value;
    return 0;
}

static int apply_all_tenants(struct servers_filter *f, const char *name, const char *value)
{
    static const char *const lies[] = {"0", "f", "false", "off", "n", "no"};
    f->all_tenants = *value == '\0' || compute_text_bool(value);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        if (strcasecmp(value, lies[i]) == 0)
            return 0;
    if (!f->all_tenants)
        return refuse(f, name, value, "It is not a boolean");
    if (!compute_is_admin(f->request))
        return error_set(&f->request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:servers:%s:get_all_tenants to be performed.",
                         strstr(f->request->path, "/detail") != NULL ? "detail" : "index");
    return 0;
}

static int apply_status(struct servers_filter *f, const char *name, const char *value)
{
    static const char *const known[] = {
        "ACTIVE",      "BUILD",   "SHUTOFF",           "PAUSED",       "SUSPENDED", "REBOOT",  "ERROR",
        "HARD_REBOOT", "RESIZE",  "VERIFY_RESIZE",     "MIGRATING",    "PASSWORD",  "REBUILD", "REVERT_RESIZE",
        "RESCUE",      "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED", "UNKNOWN"};
    (void)name;
    if (strcasecmp(value, "DELETED") == 0) {
        f->deleted = true;
        if (compute_is_admin(f->request))
            return 0;
        return error_set(&f->request->error, ERR_FORBIDDEN, "Only administrators may list deleted instances");
    }
    if (f->query.statuses == NULL)
        f->query.statuses = ",";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(value, known[i]) == 0)
            f->query.statuses = arena_printf(&f->request->arena, "%s%s,", f->query.statuses, known[i]);
    return 0;
}

static int apply_vm_state(struct servers_filter *f, const char *name, const char *value)
{
    (void)name;
    if (strchr(value, ',') != NULL || strpbrk(value, "%_") != NULL)
        f->nothing = true;
    f->query.vm_states =
        arena_printf(&f->request->arena, "%s%s,", f->query.vm_states != NULL ? f->query.vm_states : ",", value);
    return 0;
}

static int apply_power(struct servers_filter *f, const char *name, const char *value)
{
    char *end;
    (void)name;
    f->by_power = f->by_row = true;
    f->power = strtoll(value, &end, 10);
    f->nothing = f->nothing || *end != '\0' || end == value;
    return 0;
}

static int apply_index(struct servers_filter *f, const char *name, const char *value)
{
    char *end;
    (void)name;
    f->by_index = f->by_row = true;
    f->index = strtoll(value, &end, 10);
    f->nothing = f->nothing || *end != '\0' || end == value;
    return 0;
}

static int apply_drive(struct servers_filter *f, const char *name, const char *value)
{
    (void)name;
    f->by_drive = f->by_row = true;
    f->drive = compute_text_bool(value);
    return 0;
}

/* What is the same for all servers here. */
static int apply_constant(struct servers_filter *f, const char *name, const char *value)
{
    const char *constant = "";
    if (strcmp(name, "root_device_name") == 0)
        constant = "/dev/vda";
    else if (strcmp(name, "progress") == 0)
        constant = "0";
    f->nothing = f->nothing || strcmp(value, constant) != 0;
    return 0;
}

static int apply_time(struct servers_filter *f, const char *name, const char *value)
{
    bool since = strcmp(name, "changes-since") == 0;
    int64_t us;
    if (!clock_parse(value, &us))
        return refuse(f, name, value, arena_printf(&f->request->arena, "'%.64s' is not a 'date-time'", value));
    if (since)
        f->query.changed_since_us = us > 0 ? us : 1;
    else
        f->query.changed_before_us = us > 0 ? us : 1;
    return 0;
}

static int apply_deleted(struct servers_filter *f, const char *name, const char *value)
{
    (void)name;
    f->deleted = compute_text_bool(value);
    return 0;
}

static int apply_locked(struct servers_filter *f, const char *name, const char *value)
{
    static const char *const known[] = {"1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(value, known[i]) == 0) {
            f->query.by_lock = true;
            f->query.locked = i < 6;
            return 0;
        }
    }
    return refuse(f, name, value, "It is not a boolean");
}

static int apply_limit(struct servers_filter *f, const char *name, const char *value)
{
    char *end;
    long long limit = strtoll(value, &end, 10);
    if (*end != '\0' || !isdigit((unsigned char)value[0]))
        return error_set(&f->request->error, ERR_INVALID,
                         "Invalid input for query parameters %s. Value: %s. It must be a number of at least 0", name,
                         value);
    if (limit < f->limit)
        f->limit = limit;
    return 0;
}

static int apply_nothing(struct servers_filter *f, const char *name, const char *value)
{
    (void)f;
    (void)name;
    (void)value;
    return 0;
}

static int apply_joined(struct servers_filter *f, const char *name, const char *value)
{
    (void)value;
    return error_set(&f->request->error, ERR_INVALID, "Invalid filter field: %s.", name);
}

#define NEVER 1000 /* administrators only */
struct filter_row {
    const char *name;
    int since;    /* the schema knows it from this microversion */
    int everyone; /* not only administrators may use it, from this one; others' is ignored */
    apply_fn apply;
};
static const struct filter_row filter_rows[] = {
    {"limit", 1, 1, apply_limit},
    {"marker", 1, 1, apply_marker},
    {"sort_key", 1, 1, apply_nothing}, /* read_sort */
    {"sort_dir", 1, 1, apply_nothing},
    {"name", 1, 1, apply_name},
    {"display_name", 1, NEVER, apply_name},
    {"status", 1, 1, apply_status},
    {"image", 1, 1, apply_image},
    {"image_ref", 1, NEVER, apply_image},
    {"flavor", 1, 1, apply_flavor},
    {"reservation_id", 1, 1, apply_reservation},
    {"ip", 1, 1, apply_ip},
    {"ip6", 1, 5, apply_ip},
    {"changes-since", 1, 1, apply_time},
    {"changes-before", 66, 66, apply_time},
    {"all_tenants", 1, 1, apply_all_tenants},
    {"project_id", 1, NEVER, apply_project},
    {"tenant_id", 1, NEVER, apply_project},
    {"user_id", 1, 83, apply_user},
    {"host", 1, NEVER, apply_host},
    {"node", 1, NEVER, apply_host},
    {"uuid", 1, NEVER, apply_id},
    {"availability_zone", 1, 83, apply_zone},
    {"key_name", 1, 83, apply_key},
    {"config_drive", 1, 83, apply_drive},
    {"created_at", 1, 83, apply_created},
    {"launched_at", 1, 83, apply_launched},
    {"terminated_at", 1, 83, apply_constant},
    {"power_state", 1, 83, apply_power},
    {"task_state", 1, 83, apply_task},
    {"vm_state", 1, 83, apply_vm_state},
    {"progress", 1, 83, apply_constant},
    {"hostname", 1, 90, apply_hostname},
    {"description", 1, NEVER, apply_description},
    {"display_description", 1, NEVER, apply_description},
    {"deleted", 1, NEVER, apply_deleted},
    {"soft_deleted", 1, NEVER, apply_nothing},
    {"locked", 73, 73, apply_locked},
    {"locked_by", 1, NEVER, apply_nothing},
    {"tags", 26, 26, apply_tags},
    {"tags-any", 26, 26, apply_tags_any},
    {"not-tags", 26, 26, apply_not_tags},
    {"not-tags-any", 26, 26, apply_not_tags_any},
    {"launch_index", 1, NEVER, apply_index},
    {"kernel_id", 1, NEVER, apply_constant},
    {"ramdisk_id", 1, NEVER, apply_constant},
    {"root_device_name", 1, NEVER, apply_constant},
    {"access_ip_v4", 1, NEVER, apply_access4},
    {"access_ip_v6", 1, NEVER, apply_access6},
    {"auto_disk_config", 1, NEVER, apply_nothing},
    {"page_size", 1, 1, apply_nothing},
    {"offset", 1, 1, apply_nothing},
    {"block_device_mapping", 1, NEVER, apply_joined},
    {"services", 1, NEVER, apply_joined},
    {"metadata", 1, NEVER, apply_joined},
    {"system_metadata", 1, NEVER, apply_joined},
    {"info_cache", 1, NEVER, apply_joined},
    {"security_groups", 1, NEVER, apply_joined},
    {"pci_devices", 1, NEVER, apply_joined},
};

static int read_argument(void *arg, const char *name, const char *value)
{
    struct servers_filter *f = arg;
    const char *text = value != NULL ? value : "";
    for (size_t i = 0; i < sizeof(filter_rows) / sizeof(filter_rows[0]); i++) {
        const struct filter_row *row = &filter_rows[i];
        if (strcmp(row->name, name) != 0 || !compute_since(f->request, row->since))
            continue;
        if (!compute_is_admin(f->request) && !compute_since(f->request, row->everyone))
            return 0;
        return row->apply(f, name, text);
    }
    if (name[0] == '_' && compute_is_admin(f->request))
        return apply_joined(f, name, text);
    if (compute_since(f->request, 75))
        return error_set(&f->request->error, ERR_INVALID, "Additional properties are not allowed ('%s' was unexpected)",
                         name);
    return 0;
}

struct sort_row {
    const char *name;
    enum server_sort sort;
};
static const struct sort_row sort_rows[] = {
    {"created_at", SERVER_SORT_CREATED},
    {"updated_at", SERVER_SORT_UPDATED},
    {"launched_at", SERVER_SORT_LAUNCHED},
    {"display_name", SERVER_SORT_NAME},
    {"name", SERVER_SORT_NAME},
    {"display_description", SERVER_SORT_CREATED},
    {"hostname", SERVER_SORT_HOSTNAME},
    {"uuid", SERVER_SORT_ID},
    {"project_id", SERVER_SORT_PROJECT},
    {"user_id", SERVER_SORT_USER},
    {"image_ref", SERVER_SORT_IMAGE},
    {"instance_type_id", SERVER_SORT_FLAVOR},
    {"key_name", SERVER_SORT_KEY},
    {"availability_zone", SERVER_SORT_ZONE},
    {"host", SERVER_SORT_HOST},
    {"node", SERVER_SORT_HOST},
    {"vm_state", SERVER_SORT_VM_STATE},
    {"task_state", SERVER_SORT_VM_STATE},
    {"power_state", SERVER_SORT_VM_STATE},
    {"locked_by", SERVER_SORT_LOCKED},
    {"access_ip_v4", SERVER_SORT_CREATED},
    {"access_ip_v6", SERVER_SORT_CREATED},
    {"auto_disk_config", SERVER_SORT_CREATED},
    {"config_drive", SERVER_SORT_CREATED},
    {"kernel_id", SERVER_SORT_CREATED},
    {"launch_index", SERVER_SORT_CREATED},
    {"progress", SERVER_SORT_CREATED},
    {"ramdisk_id", SERVER_SORT_CREATED},
    {"root_device_name", SERVER_SORT_CREATED},
    {"terminated_at", SERVER_SORT_CREATED},
};
/* Known to the schema before 2.75, and of no effect. */
static const char *const ignored_sorts[] = {"architecture",
                                            "cell_name",
                                            "cleaned",
                                            "default_ephemeral_device",
                                            "default_swap_device",
                                            "deleted",
                                            "deleted_at",
                                            "disable_terminate",
                                            "ephemeral_gb",
                                            "ephemeral_key_uuid",
                                            "id",
                                            "key_data",
                                            "launched_on",
                                            "memory_mb",
                                            "os_type",
                                            "reservation_id",
                                            "root_gb",
                                            "shutdown_terminate",
                                            "user_data",
                                            "vcpus",
                                            "vm_mode"};

static int find_sort(struct servers_filter *f, const char *key, bool *ret_found, enum server_sort *ret)
{
    *ret_found = false;
    for (size_t i = 0; i < sizeof(sort_rows) / sizeof(sort_rows[0]); i++) {
        if (strcmp(sort_rows[i].name, key) == 0) {
            *ret_found = true;
            *ret = sort_rows[i].sort;
            if (*ret == SERVER_SORT_HOST && !compute_is_admin(f->request))
                return error_set(&f->request->error, ERR_FORBIDDEN, "Only administrators can sort servers by %s", key);
            return 0;
        }
    }
    if (strcmp(key, "locked") == 0 && compute_since(f->request, 73)) {
        *ret_found = true;
        *ret = SERVER_SORT_LOCKED;
        return 0;
    }
    for (size_t i = 0; i < sizeof(ignored_sorts) / sizeof(ignored_sorts[0]); i++)
        if (strcmp(ignored_sorts[i], key) == 0 && !compute_since(f->request, 75))
            return 0;
    if (strcmp(key, "locked") == 0 && !compute_since(f->request, 73))
        return 0;
    return refuse(f, "sort_key", key, "It is not a key to sort by");
}

static int check_direction(struct servers_filter *f, const char *direction)
{
    if (direction == NULL || strcmp(direction, "asc") == 0 || strcmp(direction, "desc") == 0)
        return 0;
    return error_set(&f->request->error, ERR_INVALID, "Unknown sort direction, must be one of: asc, desc");
}

static bool is_sorted_by(const struct servers_filter *f, enum server_sort sort)
{
    for (size_t i = 0; i < f->sort_count; i++)
        if (f->sorts[i].sort == sort)
            return true;
    return false;
}

/* Keys that have an effect, each with its own direction or the first one; ties are broken by id. */
static int read_sort(struct servers_filter *f)
{
    const char *key, *first = request_query(f->request, "sort_dir");
    int rc = check_direction(f, first);
    for (size_t i = 0; !rc && (key = request_query_at(f->request, "sort_key", i)) != NULL; i++) {
        const char *own = request_query_at(f->request, "sort_dir", i);
        enum server_sort sort = SERVER_SORT_CREATED;
        bool known = false;
        own = own != NULL ? own : first;
        rc = find_sort(f, key, &known, &sort);
        rc = rc ? rc : check_direction(f, own);
        if (!rc && known && f->sort_count < SERVER_SORT_COUNT && !is_sorted_by(f, sort))
            f->sorts[f->sort_count++] = (struct servers_sort){sort, own != NULL && strcmp(own, "asc") == 0};
    }
    if (rc)
        return rc;
    if (f->sort_count == 0)
        f->sorts[f->sort_count++] =
            (struct servers_sort){SERVER_SORT_CREATED, first != NULL && strcmp(first, "asc") == 0};
    f->query.sort = f->sorts[0].sort;
    f->query.ascending = f->sorts[0].ascending;
    f->query.from_place = f->sort_count > 1 && f->query.marker != NULL;
    return 0;
}

static void choose_scope(struct servers_filter *f)
{
    const struct credential *who = &f->request->credential;
    if (f->all_tenants)
        return;
    f->query.project_id = who->project_id;
    if (who->project_id[0] == '\0') {
        f->query.project_id = NULL;
        f->query.user_id = who->user_id;
    }
}

static int check_status(struct servers_filter *f)
{
    if (f->query.statuses == NULL || strcmp(f->query.statuses, ",") != 0)
        return 0;
    f->nothing = true;
    if (compute_since(f->request, 38))
        return error_set(&f->request->error, ERR_INVALID, "Invalid status value");
    return 0;
}

int servers_filter_read(struct request *request, struct servers_filter *ret)
{
    struct servers_filter *f = ret;
    int rc;
    *f = (struct servers_filter){.request = request, .limit = COMPUTE_PAGE_MAX};
    rc = request_query_each(request, read_argument, f);
    if (!rc)
        rc = read_sort(f);
    if (!rc)
        rc = check_status(f);
    if (!rc && f->query.changed_since_us != 0 && f->query.changed_before_us != 0 &&
        f->query.changed_since_us > f->query.changed_before_us)
        rc = error_set(&request->error, ERR_INVALID,
                       "The value of changes-since must be less than or equal to changes-before.");
    choose_scope(f);
    f->live = !f->deleted;
    if (request_query(request, "deleted") == NULL &&
        (f->query.changed_since_us != 0 || f->query.changed_before_us != 0) && f->query.statuses == NULL)
        f->deleted = true;
    f->query.now_us = request->now_us;
    f->query.limit = f->by_row || f->sort_count > 1 ? INT64_MAX : f->limit;
    return rc;
}

static void free_expression(regex_t *expression)
{
    if (expression != NULL)
        regfree(expression);
}

void servers_filter_done(struct servers_filter *f)
{
    free_expression(f->name);
    free_expression(f->hostname);
    free_expression(f->description);
    free_expression(f->ip);
    free_expression(f->ip6);
}
