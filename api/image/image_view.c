/* An image as Glance v2 shows it: properties of the tenant first, then the columns. */
#include "api/image/image_view.h"
#include "common/clock.h"
#include "common/json_in.h"
#include <string.h>

static int write_property(void *arg, const char *name, json_value *value)
{
    json_out_text(arg, name, json_in_text(value));
    return 0;
}

static void write_number(struct json_out *out, const char *name, bool known, int64_t value)
{
    if (known)
        json_out_int(out, name, value);
    else
        json_out_null(out, name);
}

void image_view_write(const struct image_row *row, struct json_out *out, const char *key)
{
    char time[CLOCK_TEXT_SIZE];
    struct json_doc doc;
    json_out_object(out, key);
    if (json_in_parse(row->properties, strlen(row->properties), &doc, NULL) == 0) {
        json_in_each(doc.root, write_property, out);
        json_in_done(&doc);
    }
    json_out_text(out, "name", row->name);
    json_out_text(out, "disk_format", row->disk_format);
    json_out_text(out, "container_format", row->container_format);
    json_out_text(out, "visibility", row->visibility);
    write_number(out, "size", row->has_size, row->size_bytes);
    write_number(out, "virtual_size", row->has_virtual_size, row->virtual_size_bytes);
    json_out_text(out, "status", row->status);
    json_out_text(out, "checksum", row->checksum);
    json_out_bool(out, "protected", row->protected);
    json_out_int(out, "min_ram", row->min_ram_mib);
    json_out_int(out, "min_disk", row->min_disk_gib);
    json_out_text(out, "owner", row->project_id);
    json_out_bool(out, "os_hidden", row->hidden);
    json_out_text(out, "os_hash_algo", row->hash_algo);
    json_out_text(out, "os_hash_value", row->hash_value);
    json_out_text(out, "id", row->id);
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_Z, time));
    json_out_text(out, "updated_at", clock_text(row->updated_us, CLOCK_ISO_Z, time));
    json_out_raw(out, "tags", row->tags);
    json_out_textf(out, "self", "/v2/images/%s", row->id);
    json_out_textf(out, "file", "/v2/images/%s/file", row->id);
    json_out_text(out, "schema", "/v2/schemas/image");
    if (strcmp(row->status, "active") == 0 || strcmp(row->status, "deactivated") == 0)
        json_out_text(out, "stores", "local");
    json_out_object_end(out);
}
