/* What hypervisors count of guests for people to look at and nobody pays for (processor steal, memory balloon), as a
 * file in Prometheus' text format: node_exporter's textfile collector shows it with the host's own figures. It never
 * goes to the API, so that it cannot get into a bill. */
#pragma once
#include "common/strbuf.h"
#include "compute-agent/hypervisor.h"

/* The text of a round; what a hypervisor does not tell is left out. */
void guest_metrics_print(const struct hypervisor_sample *samples, size_t count, struct strbuf *to);
/* Puts it into the folder as virga-HOST.prom, in place of the round before. */
int guest_metrics_write(const char *folder, const char *host_id, const struct hypervisor_sample *samples, size_t count,
                        struct error *e);
/* The host tells no more: its last round is no present one. */
void guest_metrics_remove(const char *folder, const char *host_id);
