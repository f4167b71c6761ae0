/* Options are short texts; they are read again where they are used. */
#include "compute-agent/offers.h"
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 101 /* of a resource class, with its end */

static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* "CUSTOM_GPU=4" up to a comma or the end; *at is then behind it. */
static bool read_resource(const char **at, char name[NAME_MAX_SIZE], int64_t *ret)
{
    const char *start = *at + strspn(*at, " ");
    size_t size = strspn(start, upper);
    char *end;
    if (size == 0 || size >= NAME_MAX_SIZE || start[size] != '=')
        return false;
    memcpy(name, start, size);
    name[size] = '\0';
    *ret = strtoll(start + size + 1, &end, 10);
    bool good = end != start + size + 1 && *ret >= 0 && *ret <= INT32_MAX;
    end += strspn(end, " ");
    *at = end + (*end == ',');
    return good && (*end == ',' || *end == '\0');
}

static int check_list(const char *option, const char *list, struct error *e)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    for (const char *at = list; at && *at;) {
        size_t size = strspn(at, letters);
        if (size == 0 || (at[size] != ',' && at[size] != '\0') || (at[size] == ',' && at[size + 1] == '\0'))
            return error_set(e, ERR_INVALID, "%s: '%.64s' is not a list of names with commas between", option, list);
        at += size + (at[size] == ',');
    }
    return 0;
}

int offers_check(const struct settings *s, struct error *e)
{
    char name[NAME_MAX_SIZE];
    int64_t amount;
    for (const char *at = s->resources; at && *at;)
        if (!read_resource(&at, name, &amount))
            return error_set(e, ERR_INVALID, "resources: '%.64s' is not CLASS=NUMBER with commas between",
                             s->resources);
    int rc = check_list("reach_networks", s->reach_networks, e);
    return rc ? rc : check_list("reach_storage", s->reach_storage, e);
}

void offers_print(const struct settings *s, struct json_out *out)
{
    char name[NAME_MAX_SIZE];
    int64_t amount;
    json_out_object(out, "offers");
    json_out_object(out, "resources");
    for (const char *at = s->resources; at && *at;)
        if (read_resource(&at, name, &amount))
            json_out_int(out, name, amount);
    json_out_object_end(out);
    json_out_text(out, "networks", s->reach_networks);
    json_out_text(out, "storage", s->reach_storage);
    json_out_object_end(out);
}
