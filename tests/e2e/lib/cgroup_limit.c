/* cgroup_limit PID NAME PROCESSES: limits what is in the control group of that process, as the agent does, or says why
 * it cannot. */
#include "compute-agent/cgroup.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct error e = {0};
    if (argc != 4)
        return 2;
    int code = cgroup_limit(&cgroup_host, (pid_t)strtoll(argv[1], NULL, 10), argv[2], strtoll(argv[3], NULL, 10), &e);
    if (code)
        printf("not limited: %s\n", error_text(&e));
    return code != 0;
}
