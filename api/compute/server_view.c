/* Servers as the API shows them: a table of keys, each with the microversion that brought it, who sees it and in which
 * answers. The order and the conditions are those of nova/api/openstack/compute/views/servers.py. */
#include "api/compute/server_view.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

/* What a key's writer gets. */
struct subject {
    struct server_view *view;
    struct json_out *out;
    const struct server_row *row;
    struct server_words words;
};
typedef void (*write_fn)(const struct subject *s, const char *key);

enum who { EVERYBODY, ADMINS };
enum where { EVERYWHERE, NOT_OLD_UPDATES /* not in answers to PUT before 2.75 */, NOT_LISTS /* nor in lists */ };

static bool is_any(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static void write_link(struct json_out *out, const char *rel, const char *base, const char *id)
{
    json_out_object(out, NULL);
    json_out_text(out, "rel", rel);
    json_out_text2(out, "href", base, id);
    json_out_object_end(out);
}

static void write_links(const struct subject *s, const char *key)
{
    json_out_array(s->out, key);
    write_link(s->out, "self", s->view->self, s->row->id);
    write_link(s->out, "bookmark", s->view->bookmark, s->row->id);
    json_out_array_end(s->out);
}

static void write_reference(const struct subject *s, const char *key, const char *bookmark, const char *id)
{
    json_out_object(s->out, key);
    json_out_text(s->out, "id", id);
    json_out_array(s->out, "links");
    write_link(s->out, "bookmark", bookmark, id);
    json_out_array_end(s->out);
    json_out_object_end(s->out);
}

static void write_time(const struct subject *s, const char *key, int64_t us, enum clock_form form)
{
    char text[CLOCK_TEXT_SIZE];
    if (us == 0)
        json_out_null(s->out, key);
    else
        json_out_text(s->out, key, clock_text(us, form, text));
}

static void write_id(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->id);
}

static void write_name(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->name);
}

static void write_status(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->words.status);
}

static void write_project(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->project_id);
}

static void write_user(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->user_id);
}

static void write_metadata(const struct subject *s, const char *key)
{
    json_out_raw(s->out, key, s->row->metadata);
}

/* SHA-224 of project and host in hex (nova/utils.py, generate_hostid). */
static void make_host_hash(const char *project_id, const char *host_id, char ret[57])
{
    unsigned char digest[28];
    char text[160];
    size_t size = (size_t)snprintf(text, sizeof(text), "%.79s%.79s", project_id, host_id);
    gnutls_hash_fast(GNUTLS_DIG_SHA224, text, size, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        ret[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        ret[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    ret[56] = '\0';
}

/* What this thread has hashed before: the same few projects and hosts come again and again. */
#define HASHES_COUNT 64
struct host_hash {
    char project_id[80], host_id[80], text[57];
};
static _Thread_local struct host_hash hashes[HASHES_COUNT];

/* The end of an id, which is random. */
static uint32_t tail(const char *id)
{
    uint32_t end = 0;
    size_t size = strlen(id);
    if (size >= sizeof(end))
        memcpy(&end, id + size - sizeof(end), sizeof(end));
    return end;
}

static const char *find_host_hash(const char *project_id, const char *host_id)
{
    uint32_t sum = (tail(project_id) ^ tail(host_id) * 31) * 2654435761u;
    struct host_hash *hash = &hashes[(sum >> 16) % HASHES_COUNT];
    if (strcmp(hash->host_id, host_id) != 0 || strcmp(hash->project_id, project_id) != 0) {
        make_host_hash(project_id, host_id, hash->text);
        snprintf(hash->project_id, sizeof(hash->project_id), "%s", project_id);
        snprintf(hash->host_id, sizeof(hash->host_id), "%s", host_id);
    }
    return hash->text;
}

void server_view_host_hash(struct json_out *out, const char *key, const char *project_id, const char *host_id)
{
    json_out_text(out, key, host_id != NULL ? find_host_hash(project_id, host_id) : "");
}

static void write_host_hash(const struct subject *s, const char *key)
{
    server_view_host_hash(s->out, key, s->row->project_id, s->row->host_id);
}

static void write_image(const struct subject *s, const char *key)
{
    if (s->row->image_id == NULL)
        json_out_text(s->out, key, "");
    else
        write_reference(s, key, s->view->image_bookmark, s->row->image_id);
}

static void write_flavor(const struct subject *s, const char *key)
{
    const struct server_row *row = s->row;
    if (s->view->microversion < 47) {
        write_reference(s, key, s->view->flavor_bookmark, row->flavor_id);
        return;
    }
    json_out_object(s->out, key);
    json_out_int(s->out, "vcpus", row->vcpus);
    json_out_int(s->out, "ram", row->memory_mib);
    json_out_int(s->out, "disk", row->root_gib);
    json_out_int(s->out, "ephemeral", row->ephemeral_gib);
    json_out_int(s->out, "swap", row->swap_mib);
    json_out_text(s->out, "original_name", row->flavor_name);
    json_out_raw(s->out, "extra_specs", row->flavor_extra);
    json_out_object_end(s->out);
}

static void write_created(const struct subject *s, const char *key)
{
    write_time(s, key, s->row->created_us, CLOCK_ISO_Z);
}

static void write_updated(const struct subject *s, const char *key)
{
    write_time(s, key, s->row->updated_us, CLOCK_ISO_Z);
}

static void write_addresses(const struct subject *s, const char *key)
{
    if (strcmp(s->words.vm_state, "building") == 0)
        json_out_raw(s->out, key, "{}");
    else if (s->view->kind == SERVER_VIEW_UPDATE && s->view->microversion < 75)
        server_view_ips(s->view->request, s->out, key, s->row->addresses, NULL);
    else
        json_out_raw(s->out, key, s->row->addresses);
}

static void write_access4(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->access_ipv4);
}

static void write_access6(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->access_ipv6);
}

static void write_disk_config(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->disk_config);
}

static void write_fault(const struct subject *s, const char *key)
{
    const struct server_row *row = s->row;
    if (strcmp(s->words.status, "ERROR") != 0 || row->fault_code == 0)
        return;
    json_out_object(s->out, key);
    json_out_int(s->out, "code", row->fault_code);
    write_time(s, "created", row->fault_us, CLOCK_ISO_Z);
    json_out_text(s->out, "message", row->fault_message != NULL ? row->fault_message : "");
    if (row->fault_details != NULL && (s->view->admin || row->fault_code != 500))
        json_out_text(s->out, "details", row->fault_details);
    json_out_object_end(s->out);
}

static void write_progress(const struct subject *s, const char *key)
{
    static const char *const shown[] = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING", NULL};
    if (is_any(s->words.status, shown))
        json_out_int(s->out, key, 0);
}

static void write_zone(const struct subject *s, const char *key)
{
    const struct server_row *row = s->row;
    const char *zone = row->host_zone != NULL ? row->host_zone : row->zone;
    json_out_text(s->out, key, zone != NULL ? zone : "");
}

static void write_pinned_zone(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->zone);
}

static void write_config_drive(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->config_drive ? "True" : "");
}

static void write_key_name(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->key_name);
}

static void write_launched(const struct subject *s, const char *key)
{
    write_time(s, key, s->row->launched_us, CLOCK_ISO_MICRO);
}

static void write_terminated(const struct subject *s, const char *key)
{
    write_time(s, key, s->row->deleted_us, CLOCK_ISO_MICRO);
}

/* Nova asks the network for them, which has none for a server without ports. */
static void write_security_groups(const struct subject *s, const char *key)
{
    if (strcmp(s->row->addresses, "{}") != 0 && strcmp(s->row->security_groups, "[]") != 0)
        json_out_raw(s->out, key, s->row->security_groups);
}

static void write_host(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->host_name);
}

static void write_instance_name(const struct subject *s, const char *key)
{
    json_out_text2(s->out, key, "instance-", s->row->id);
}

static void write_reservation(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->reservation_id);
}

static void write_launch_index(const struct subject *s, const char *key)
{
    json_out_int(s->out, key, s->row->launch_index);
}

static void write_hostname(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->hostname);
}

static void write_empty(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, "");
}

static void write_root_device(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, "/dev/vda");
}

static void write_user_data(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->user_data);
}

static void write_task_state(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->words.task_state);
}

static void write_vm_state(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->words.vm_state);
}

static void write_power_state(const struct subject *s, const char *key)
{
    json_out_int(s->out, key, s->words.power_state);
}

static void write_empty_list(const struct subject *s, const char *key)
{
    json_out_raw(s->out, key, "[]");
}

/* nova/compute/api.py, get_instance_host_status. */
static void write_host_status(const struct subject *s, const char *key)
{
    const struct server_row *row = s->row;
    const char *status = "";
    if (row->host_id != NULL && !row->host_enabled)
        status = "MAINTENANCE";
    else if (row->host_id != NULL)
        status = s->view->now_us - row->host_seen_us <= STORE_HOST_ALIVE_US ? "UP" : "UNKNOWN";
    json_out_text(s->out, key, status);
}

static void write_locked(const struct subject *s, const char *key)
{
    json_out_bool(s->out, key, s->row->locked != 0);
}

static void write_locked_reason(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->locked_reason);
}

static void write_description(const struct subject *s, const char *key)
{
    json_out_text(s->out, key, s->row->description);
}

static void write_tags(const struct subject *s, const char *key)
{
    json_out_raw(s->out, key, s->row->tags);
}

static void write_null(const struct subject *s, const char *key)
{
    json_out_null(s->out, key);
}

static void write_groups(const struct subject *s, const char *key)
{
    json_out_array(s->out, key);
    if (s->row->group_id != NULL)
        json_out_text(s->out, NULL, s->row->group_id);
    json_out_array_end(s->out);
}

struct server_view_row {
    struct json_out_key key;
    write_fn write;
    int since;
    enum who who;
    enum where where;
};
static const struct server_view_row view_rows[] = {
    {JSON_OUT_KEY("id"), write_id, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("name"), write_name, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("status"), write_status, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("tenant_id"), write_project, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("user_id"), write_user, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("metadata"), write_metadata, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("hostId"), write_host_hash, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("image"), write_image, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("flavor"), write_flavor, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("created"), write_created, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("updated"), write_updated, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("addresses"), write_addresses, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("accessIPv4"), write_access4, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("accessIPv6"), write_access6, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("links"), write_links, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("OS-DCF:diskConfig"), write_disk_config, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("fault"), write_fault, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("progress"), write_progress, 1, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("OS-EXT-AZ:availability_zone"), write_zone, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("pinned_availability_zone"), write_pinned_zone, 96, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("config_drive"), write_config_drive, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("key_name"), write_key_name, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-SRV-USG:launched_at"), write_launched, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-SRV-USG:terminated_at"), write_terminated, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("security_groups"), write_security_groups, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:host"), write_host, 1, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:instance_name"), write_instance_name, 1, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:hypervisor_hostname"), write_host, 1, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:reservation_id"), write_reservation, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:launch_index"), write_launch_index, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:kernel_id"), write_empty, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:ramdisk_id"), write_empty, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:root_device_name"), write_root_device, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-SRV-ATTR:user_data"), write_user_data, 3, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-STS:task_state"), write_task_state, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-STS:vm_state"), write_vm_state, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("OS-EXT-STS:power_state"), write_power_state, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("os-extended-volumes:volumes_attached"), write_empty_list, 1, EVERYBODY, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("host_status"), write_host_status, 16, ADMINS, NOT_OLD_UPDATES},
    {JSON_OUT_KEY("locked"), write_locked, 9, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("locked_reason"), write_locked_reason, 73, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("description"), write_description, 19, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("tags"), write_tags, 26, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("trusted_image_certificates"), write_null, 63, EVERYBODY, EVERYWHERE},
    {JSON_OUT_KEY("server_groups"), write_groups, 71, EVERYBODY, NOT_LISTS},
};
#define VIEW_ROWS (sizeof(view_rows) / sizeof(view_rows[0]))
_Static_assert(VIEW_ROWS < SERVER_VIEW_ROWS, "the view has room for them and the host name");

/* The host name is for administrators from 2.3 and for everybody from 2.90. */
static bool shows_hostname(const struct server_view *v)
{
    if (v->microversion >= 90)
        return true;
    return v->microversion >= 3 && v->admin && (v->kind != SERVER_VIEW_UPDATE || v->microversion >= 75);
}

static bool shows(const struct server_view *v, const struct server_view_row *row)
{
    if (v->microversion < row->since || (row->who == ADMINS && !v->admin))
        return false;
    if (row->where == NOT_LISTS && v->kind == SERVER_VIEW_DETAIL)
        return false;
    return row->where != NOT_OLD_UPDATES || v->kind != SERVER_VIEW_UPDATE || v->microversion >= 75;
}

static const struct server_view_row hostname_row = {.key = JSON_OUT_KEY("OS-EXT-SRV-ATTR:hostname"),
                                                    .write = write_hostname};

void server_view_init(struct server_view *v, struct request *request, enum server_view_kind kind)
{
    *v = (struct server_view){
        .request = request,
        .kind = kind,
        .microversion = request->microversion,
        .admin = compute_is_admin(request),
        .now_us = request->now_us,
        .self = compute_link_self(request, "servers", ""),
        .bookmark = compute_link_bookmark(request, "servers", ""),
        .image_bookmark = compute_link_bookmark(request, "images", ""),
        .flavor_bookmark = request->microversion < 47 ? compute_link_bookmark(request, "flavors", "") : NULL,
    };
    for (size_t i = 0; i < VIEW_ROWS; i++)
        if (shows(v, &view_rows[i]))
            v->rows[v->row_count++] = &view_rows[i];
    if (shows_hostname(v))
        v->rows[v->row_count++] = &hostname_row;
}

static struct server_words words_of(const struct server_view *v, const struct server_row *row)
{
    struct server_situation situation = store_server_situation_at(row, v->now_us);
    return server_words(&situation);
}

void server_view_write(struct server_view *v, struct json_out *out, const char *key, const struct server_row *row)
{
    struct subject s = {.view = v, .out = out, .row = row, .words = words_of(v, row)};
    json_out_object(out, key);
    for (size_t i = 0; i < v->row_count; i++) {
        json_out_expect(out, &v->rows[i]->key);
        v->rows[i]->write(&s, v->rows[i]->key.name);
    }
    json_out_object_end(out);
}

void server_view_brief(struct server_view *v, struct json_out *out, const struct server_row *row)
{
    struct subject s = {.view = v, .out = out, .row = row};
    json_out_object(out, NULL);
    write_id(&s, "id");
    write_name(&s, "name");
    write_links(&s, "links");
    json_out_object_end(out);
}

void server_view_created(struct server_view *v, struct json_out *out, const struct server_row *row,
                         const char *security_groups, const char *password)
{
    struct subject s = {.view = v, .out = out, .row = row};
    json_out_object(out, NULL);
    json_out_object(out, "server");
    write_id(&s, "id");
    write_links(&s, "links");
    write_disk_config(&s, "OS-DCF:diskConfig");
    json_out_raw(out, "security_groups", security_groups);
    json_out_text(out, "adminPass", password);
    json_out_object_end(out);
    json_out_object_end(out);
}

struct ips {
    struct json_out *out;
    const char *network;
    bool found;
};

static void write_ip_list(struct json_out *out, const char *key, json_value *list)
{
    json_out_array(out, key);
    for (size_t i = 0; i < json_in_count(list); i++) {
        json_value *address = json_in_item(list, i);
        int64_t version = 4;
        json_in_int(json_in_member(address, "version"), &version);
        json_out_object(out, NULL);
        json_out_int(out, "version", version);
        json_out_text(out, "addr", json_in_text(json_in_member(address, "addr")));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static int write_network_ips(void *arg, const char *name, json_value *value)
{
    struct ips *ips = arg;
    if (ips->network == NULL || strcmp(ips->network, name) == 0) {
        write_ip_list(ips->out, name, value);
        ips->found = true;
    }
    return 0;
}

bool server_view_ips(struct request *request, struct json_out *out, const char *key, const char *addresses,
                     const char *network)
{
    struct json_doc doc;
    struct ips ips = {.out = out, .network = network};
    (void)request;
    json_out_object(out, key);
    if (json_in_parse(addresses, strlen(addresses), &doc, NULL) == 0) {
        json_in_each(doc.root, write_network_ips, &ips);
        json_in_done(&doc);
    }
    json_out_object_end(out);
    return ips.found;
}
