/* Happy path: the reservation is the project's, held, and for the flavor; of its free slots the first is taken whose
 * host passes all filters of placement for this very server (its image, ports, project): what was not known when the
 * room was held is asked now. The room itself is there.
 *
 * Failure modes: an image that says itself how its cells shall be cannot have those that were reserved: 400. No host
 * passes: 409 with the reason of the first. */
#include "api/compute/server_reservation.h"
#include "db/store_host.h"
#include "db/store_reservation.h"
#include "scheduler/reading/single_host.h"
#include <string.h>

/* Cells, pages and processors of its own were given when the room was held. */
static int check_cells(struct request *request, const struct image_row *image)
{
    static const char *const bound[] = {"\"hw_cpu_policy\"", "\"hw_cpu_thread_policy\"",
                                        "\"hw_emulator_threads_policy\"", "\"hw_numa_", "\"hw_mem_page_size\""};
    for (size_t i = 0; image->properties != NULL && i < sizeof(bound) / sizeof(bound[0]); i++)
        if (strstr(image->properties, bound[i]) != NULL)
            return error_set(&request->error, ERR_INVALID,
                             "An image with properties that choose NUMA cells or processors cannot use a reservation.");
    return 0;
}

static bool is_size_of(const struct flavor_row *f, const struct resources *need)
{
    int64_t disk_gib = f->root_gib + f->ephemeral_gib + (f->swap_mib + 1023) / 1024;
    return need->amount[RESOURCE_VCPU] == f->vcpus && need->amount[RESOURCE_MEMORY_MIB] == f->memory_mib &&
           need->amount[RESOURCE_DISK_GIB] == disk_gib;
}

static int find(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                struct reservation_row *ret)
{
    struct error gone = {0};
    int rc = store_reservation_get(request->conn, wish->reservation_id, request->credential.project_id, &request->arena,
                                   ret, &gone);
    if (rc)
        return error_set(&request->error, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "%s", error_text(&gone));
    if (strcmp(ret->state, "held") != 0)
        return error_set(&request->error, ERR_CONFLICT, "Reservation %s is %s", ret->id, ret->state);
    if (strcmp(ret->flavor_id, found->flavor.id) != 0 || !is_size_of(&found->flavor, &ret->need))
        return error_set(&request->error, ERR_INVALID, "The reservation is for another flavor.");
    return check_cells(request, &found->image);
}

/* The first slot whose host takes the server; NULL, and why not. */
static int choose(struct request *request, const struct reservation_row *r, const struct placement_waiting_row *waiting,
                  const struct reservation_slot **ret, const char **ret_refusal)
{
    struct reservation_slot *slots = NULL;
    size_t count = 0;
    int rc = store_reservation_slots(request->conn, r->id, waiting->zone, request->now_us - STORE_HOST_ALIVE_US,
                                     &request->arena, &slots, &count, &request->error);
    *ret_refusal = "it has no free room on a host that works";
    for (size_t i = 0; !rc && i < count && *ret == NULL; i++) {
        const char *refusal = NULL;
        if (i > 0 && strcmp(slots[i].host_id, slots[i - 1].host_id) == 0)
            continue;
        rc = single_host_check(request->conn, slots[i].host_id, waiting, request->now_us, &request->arena, &refusal,
                               &request->error);
        *ret = refusal == NULL ? &slots[i] : NULL;
        *ret_refusal = i == 0 ? refusal : *ret_refusal;
    }
    return rc;
}

int server_reservation_take(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                            const char *server_id)
{
    struct placement_waiting_row waiting = {.project_id = request->credential.project_id,
                                            .zone = wish->zone,
                                            .hints = "{}",
                                            .flavor_extra = found->flavor.extra_specs,
                                            .image_properties = found->image.properties,
                                            .image_kind = store_image_kind(&found->image)};
    struct reservation_row reservation;
    const struct reservation_slot *slot = NULL;
    const char *refusal = NULL;
    strncpy(waiting.id, server_id, sizeof(waiting.id) - 1);
    int rc = find(request, wish, found, &reservation);
    rc = rc ? rc : choose(request, &reservation, &waiting, &slot, &refusal);
    if (!rc && slot == NULL)
        rc = error_set(&request->error, ERR_CONFLICT, "Reservation %s: %s", reservation.id, refusal);
    rc = rc ? rc : store_reservation_use(request->conn, reservation.id, slot, server_id, &request->error);
    return rc ? rc
              : store_reservation_meter(request->conn, reservation.id, request->now_us, &request->arena,
                                        &request->error);
}
