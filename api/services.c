/* The lists of services and of their starters. */
#include "api/services.h"
#include "api/agent/agent.h"
#include "api/compute/background.h"
#include "api/compute/compute.h"
#include "api/elastic/driver.h"
#include "api/elastic/elastic.h"
#include "api/elastic/preemptions.h"
#include "api/identity/identity.h"
#include "api/image/image_queue.h"
#include "api/image/image_service.h"
#include "api/network/network_service.h"
#include "api/network/relabel.h"
#include "api/ops/ops.h"
#include "api/placement/placement_service.h"
#include "api/rating/rating.h"
#include "api/root/root.h"

const struct service *const services_all[] = {
    &root_service,
    &identity_service,
    &identity_root_service,
    &image_service,
    &network_service,
    &placement_service,
    &compute_service,
    &compute_root_service,
    &agent_service,
    &rating_service,
    &elastic_service,
    &ops_service,
    NULL,
};

static int (*const starters[])(struct api *api, struct error *e) = {
    root_start, background_start, image_service_start, relabel_start, driver_start, preemptions_start,
};

void services_stop(void)
{
    image_queue_stop();
}

int services_start(struct api *api, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]) && !rc; i++)
        rc = starters[i](api, e);
    return rc;
}
