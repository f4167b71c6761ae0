/* GET /servers/{id}/diagnostics: what the hypervisor says about a server, asked of its agent. The agent answers with
 * the names of 2.48 (nova/objects/diagnostics.py); before, they are one flat object of figures as libvirt's driver gave
 * it. */
#include "api/compute/server_question.h"
#include <string.h>

struct list_row {
    const char *name;
    const char *const *fields;
};
static const char *const plain[] = {"state",        "driver",   "hypervisor", "hypervisor_os", "uptime",
                                    "config_drive", "num_cpus", "num_nics",   "num_disks",     NULL};
static const char *const disk_fields[] = {"read_bytes",     "read_requests", "write_bytes",
                                          "write_requests", "errors_count",  NULL};
static const char *const cpu_fields[] = {"id", "time", "utilisation", NULL};
static const char *const nic_fields[] = {"mac_address", "rx_octets", "rx_errors", "rx_drop",    "rx_packets", "rx_rate",
                                         "tx_octets",   "tx_errors", "tx_drop",   "tx_packets", "tx_rate",    NULL};
static const struct list_row lists[] = {
    {"disk_details", disk_fields}, {"cpu_details", cpu_fields}, {"nic_details", nic_fields}};

static void write_value(struct request *request, struct json_out *out, const char *key, json_value *value)
{
    json_out_raw(out, key, value != NULL ? json_in_print(value, &request->arena) : NULL);
}

static void write_object(struct request *request, struct json_out *out, const char *key, const char *const *fields,
                         json_value *from)
{
    json_out_object(out, key);
    for (; *fields != NULL; fields++)
        write_value(request, out, *fields, json_in_member(from, *fields));
    json_out_object_end(out);
}

/* What an agent does not say but the row knows. */
struct known {
    const char *state;
    int64_t cpus, memory_mib, nics;
};

static struct known *know(struct request *request, const struct server_row *row)
{
    static const char *const states[] = {[SERVER_STATE_NONE] = "pending",    [SERVER_STATE_BUILDING] = "pending",
                                         [SERVER_STATE_RUNNING] = "running", [SERVER_STATE_STOPPED] = "shutdown",
                                         [SERVER_STATE_PAUSED] = "paused",   [SERVER_STATE_SUSPENDED] = "suspended",
                                         [SERVER_STATE_CRASHED] = "crashed", [SERVER_STATE_SHELVED] = "shutdown",
                                         [SERVER_STATE_GONE] = "shutdown"};
    struct known *k = arena_alloc(&request->arena, sizeof(*k));
    *k = (struct known){.state = states[row->observed_state], .cpus = row->vcpus, .memory_mib = row->memory_mib};
    for (const char *p = row->addresses; (p = strstr(p, "\"addr\"")) != NULL; p++)
        k->nics++;
    return k;
}

static void write_plain(struct request *request, struct json_out *out, const char *name, json_value *value,
                        const struct known *k)
{
    if (strcmp(name, "state") == 0)
        json_out_text(out, name, k->state);
    else if (strcmp(name, "config_drive") == 0)
        json_out_bool(out, name, true);
    else if (value == NULL && strcmp(name, "num_cpus") == 0)
        json_out_int(out, name, k->cpus);
    else if (value == NULL && strcmp(name, "num_nics") == 0)
        json_out_int(out, name, k->nics);
    else if (value == NULL && strcmp(name, "num_disks") == 0)
        json_out_int(out, name, 1);
    else
        write_value(request, out, name, value);
}

static void write_memory(struct json_out *out, json_value *from, const struct known *k)
{
    int64_t maximum = k->memory_mib, used;
    json_in_int(json_in_member(from, "maximum"), &maximum);
    json_out_object(out, "memory_details");
    json_out_int(out, "maximum", maximum);
    if (json_in_int(json_in_member(from, "used"), &used))
        json_out_int(out, "used", used);
    else
        json_out_null(out, "used");
    json_out_object_end(out);
}

static void write_details(struct request *request, struct json_out *out, json_value *from, const struct known *k)
{
    json_out_object(out, NULL);
    for (size_t i = 0; plain[i] != NULL; i++)
        write_plain(request, out, plain[i], json_in_member(from, plain[i]), k);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        json_value *list = json_in_member(from, lists[i].name);
        json_out_array(out, lists[i].name);
        for (size_t n = 0; n < json_in_count(list); n++)
            write_object(request, out, NULL, lists[i].fields, json_in_item(list, n));
        json_out_array_end(out);
    }
    write_memory(out, json_in_member(from, "memory_details"), k);
    json_out_object_end(out);
}

/* "cpu0_time", "disk0_read", "nic0_rx", "memory". */
struct flat_row {
    const char *list, *prefix, *field, *name;
};
static const struct flat_row flat_rows[] = {
    {"cpu_details", "cpu", "time", "time"},
    {"cpu_details", "cpu", "delay", "delay"}, /* ready to run and had to wait: steal, in ns */
    {"disk_details", "disk", "read_bytes", "read"},
    {"disk_details", "disk", "read_requests", "read_req"},
    {"disk_details", "disk", "write_bytes", "write"},
    {"disk_details", "disk", "write_requests", "write_req"},
    {"disk_details", "disk", "errors_count", "errors"},
    {"nic_details", "nic", "rx_octets", "rx"},
    {"nic_details", "nic", "rx_packets", "rx_packets"},
    {"nic_details", "nic", "rx_errors", "rx_errors"},
    {"nic_details", "nic", "rx_drop", "rx_drop"},
    {"nic_details", "nic", "tx_octets", "tx"},
    {"nic_details", "nic", "tx_packets", "tx_packets"},
    {"nic_details", "nic", "tx_errors", "tx_errors"},
    {"nic_details", "nic", "tx_drop", "tx_drop"},
};

/* What the balloon and the guest's driver say is in KiB already. */
static void write_flat_memory(struct request *request, struct json_out *out, json_value *from,
                              const struct known *known)
{
    static const char *const names[] = {"actual",  "available", "unused",     "usable",
                                        "swap_in", "swap_out",  "major_fault"};
    int64_t mib = known->memory_mib;
    json_in_int(json_in_member(from, "maximum"), &mib);
    json_out_int(out, "memory", mib * 1024);
    if (json_in_int(json_in_member(from, "used"), &mib))
        json_out_int(out, "memory-rss", mib * 1024);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_value *value = json_in_member(from, names[i]);
        if (value != NULL)
            write_value(request, out, arena_printf(&request->arena, "memory-%s", names[i]), value);
    }
}

static void write_flat(struct request *request, struct json_out *out, json_value *from, const struct known *known)
{
    json_out_object(out, NULL);
    for (size_t i = 0; i < sizeof(flat_rows) / sizeof(flat_rows[0]); i++) {
        const struct flat_row *row = &flat_rows[i];
        json_value *list = json_in_member(from, row->list);
        for (size_t k = 0; k < json_in_count(list); k++) {
            json_value *value = json_in_member(json_in_item(list, k), row->field);
            if (value != NULL)
                write_value(request, out, arena_printf(&request->arena, "%s%zu_%s", row->prefix, k, row->name), value);
        }
    }
    write_flat_memory(request, out, json_in_member(from, "memory_details"), known);
    json_out_object_end(out);
}

static int answer(struct request *request, struct reply *reply)
{
    struct json_doc doc;
    bool parked = false;
    json_value *output;
    struct server_row row;
    int rc = server_question_wait(request, &doc, &parked);
    if (rc || parked)
        return rc;
    rc = compute_server(request, &row);
    output = json_in_member(doc.root, "output");
    if (!rc && compute_since(request, 48))
        write_details(request, &reply->out, output, know(request, &row));
    else if (!rc)
        write_flat(request, &reply->out, output, know(request, &row));
    json_in_done(&doc);
    return rc;
}

static int server_diagnostics_show(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    (void)reply;
    return rc ? rc : server_question_ask(request, &row, "diagnostics", "{}", answer);
}

/* A write, because the question is a row. */
static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/diagnostics",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = server_diagnostics_show},
};
const struct route_table server_diagnostics_routes = ROUTE_TABLE(rows);
