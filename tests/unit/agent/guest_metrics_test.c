/* What people look at: Prometheus' text of a round of samples. */
#include "compute-agent/guest_metrics.h"
#include "tests/unit/check.h"
#include <string.h>

TEST("each guest has a line in each family that its hypervisor tells of")
{
    struct hypervisor_sample samples[2] = {{.server_id = "a"}, {.server_id = "b"}};
    struct strbuf text;
    for (int i = 0; i < HYPERVISOR_FIGURES; i++) {
        samples[0].figures[i] = 1000000007LL * (i + 1);
        samples[1].figures[i] = HYPERVISOR_UNTOLD;
    }
    samples[1].figures[HYPERVISOR_BALLOON_KIB] = 0;
    strbuf_init(&text, 0);
    guest_metrics_print(samples, 2, &text);
    CHECK(strstr(text.data, "# TYPE virga_guest_cpu_steal_seconds_total counter\n"
                            "virga_guest_cpu_steal_seconds_total{server=\"a\"} 1.000000007\n#"));
    CHECK(strstr(text.data, "virga_guest_memory_balloon_bytes{server=\"a\"} 3072000021504\n"
                            "virga_guest_memory_balloon_bytes{server=\"b\"} 0\n#"));
    CHECK(strstr(text.data, "virga_guest_memory_major_faults_total{server=\"a\"} 9000000063\n"));
    int lines = 0;
    for (const char *at = text.data; (at = strchr(at, '\n')); at++) {
        lines++;
    }
    CHECK_INT(lines, 3 * HYPERVISOR_FIGURES + 1);
    strbuf_done(&text);
}
