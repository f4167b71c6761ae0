/* One operator's word about one class of a host, checked and merged with what is there. */
#include "common/json_in.h"
#include "db/store_host_size.h"
#include "db/store_resource.h"
#include <string.h>

#define AMOUNT_MAX INT32_MAX

static int check(const char *name, const struct resource_change *change, bool standard, struct error *e)
{
    if (!standard && !store_resource_valid(name))
        return error_set(e, ERR_INVALID, "%.64s is no name of a resource class: A-Z, 0-9 and _", name);
    if (standard && change->has_total)
        return error_set(e, ERR_INVALID, "how much %s a host has is what its agent reports", name);
    if (change->has_total && change->total > AMOUNT_MAX)
        return error_set(e, ERR_INVALID, "the total of %s must be from 0 to %d", name, AMOUNT_MAX);
    if (change->has_reserved && ((change->reserved < 0 && !standard) || change->reserved > AMOUNT_MAX))
        return error_set(e, ERR_INVALID, "the reserve of %s must be from 0 to %d", name, AMOUNT_MAX);
    if (change->has_ratio && (change->ratio_permille < 1 || change->ratio_permille > 1000000))
        return error_set(e, ERR_INVALID, "the overcommit ratio of %s must be from 0.001 to 1000", name);
    return 0;
}

/* The total is what the agent says again: what it said last is known when it reports next. */
static int hand_back(struct db_conn *c, const char *host_id, const char *name, const struct host_resource_row *row,
                     int64_t now_us, struct error *e)
{
    return store_resource_put(c, host_id, name, &row->inventory, true, now_us, e);
}

static int change_own(struct db_conn *c, const char *host_id, const char *name, const struct resource_change *change,
                      int64_t now_us, struct error *e)
{
    struct host_resource_row row = {.inventory = {.ratio_permille = 1000}};
    struct error none = {0};
    int rc = store_resource_get(c, host_id, name, &row, &none);
    if (rc && (rc != ERR_NOT_FOUND || !change->has_total))
        return error_set(e, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "%s", error_text(&none));
    if (change->has_total && change->total < 0)
        return rc ? error_set(e, ERR_INVALID, "%s", error_text(&none)) : hand_back(c, host_id, name, &row, now_us, e);
    struct resource_inventory i = row.inventory;
    i.total = change->has_total ? change->total : i.total;
    i.reserved = change->has_reserved ? change->reserved : i.reserved;
    i.reserved = i.total == 0 ? 0 : i.reserved;
    i.ratio_permille = change->has_ratio ? change->ratio_permille : i.ratio_permille;
    return store_resource_put(c, host_id, name, &i, row.told && !change->has_total, now_us, e);
}

int store_resource_tell(struct db_conn *c, const char *host_id, const char *name, int64_t total, int64_t now_us,
                        struct error *e)
{
    struct resource_change change = {.has_total = true, .total = total};
    struct host_resource_row row = {.inventory = {.ratio_permille = 1000}, .told = true};
    struct error none = {0};
    int rc = store_resource_valid(name) ? check(name, &change, false, e)
                                        : error_set(e, ERR_INVALID, "%.64s is no name of a resource class", name);
    if (!rc && total < 0)
        rc = error_set(e, ERR_INVALID, "the total of %s must be from 0 to %d", name, AMOUNT_MAX);
    if (rc)
        return rc;
    rc = store_resource_get(c, host_id, name, &row, &none);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&none));
    if (!row.told || row.inventory.total == total)
        return 0;
    row.inventory.total = total;
    return store_resource_put(c, host_id, name, &row.inventory, true, now_us, e);
}

int store_resource_untell(struct db_conn *c, const char *host_id, const char *names, int64_t now_us, struct arena *a,
                          struct error *e)
{
    struct host_resource_row *list = NULL;
    struct json_doc doc;
    size_t count = 0;
    int rc = store_resource_list(c, host_id, a, &list, &count, e);
    rc = rc ? rc : json_in_parse(names, strlen(names), &doc, e);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        if (list[i].told && list[i].used == 0 && !json_in_has(doc.root, list[i].name))
            rc = store_resource_tell(c, host_id, list[i].name, 0, now_us, e);
    json_in_done(&doc);
    return rc;
}

int store_resource_change(struct db_conn *c, const char *host_id, const char *name,
                          const struct resource_change *change, int64_t now_us, struct error *e)
{
    int standard = 0;
    while (standard < RESOURCE_COUNT && strcmp(resource_name((enum resource)standard), name) != 0)
        standard++;
    int rc = check(name, change, standard < RESOURCE_COUNT, e);
    if (rc)
        return rc;
    if (standard == RESOURCE_COUNT)
        return change_own(c, host_id, name, change, now_us, e);
    if (change->has_reserved)
        rc = store_resource_set_reserved(c, host_id, (enum resource)standard, change->reserved, e);
    if (!rc && change->has_ratio)
        rc = store_resource_set_ratio(c, host_id, (enum resource)standard, change->ratio_permille, e);
    return rc ? rc : store_host_size_note(c, host_id, now_us, e);
}
