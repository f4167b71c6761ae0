/* The placement simulator.
 *
 *     placement_bench --hosts N --load NAME|all [--policy NAME|all] [--decisions N] [--json]
 *     placement_bench --trace FILE.csv[.gz] --capacity CORES,RAM [--days N] [--order N] [--policy NAME|all] [--json]
 *
 * Policies: weights first-fit best-fit pack spread lifetime. `all` on a trace adds "lifetime with true ends", which
 * knows what no scheduler can know. Decisions/s of a load is over everything: choosing, taking, and the ends of
 * servers that make room. The lower bound of hosts at peak: on a load so many of the largest hosts as hold the most
 * that was in use of any resource. */
#include "bench/scheduler/sim.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULTS_MAX 64

struct options {
    const char *load, *trace, *policy;
    long hosts, decisions, vcpus, memory, order;
    double days;
    bool json;
};

static void usage(FILE *out, int status)
{
    fprintf(out, "usage: placement --hosts N --load NAME|all [--policy NAME|all] [--decisions N] [--json]\n"
                 "       placement --trace FILE.csv[.gz] --capacity CORES,RAM [--days N] [--order N] "
                 "[--policy NAME|all] [--json]\n\nloads:\n");
    for (size_t i = 0; i < sim_load_count; i++) {
        fprintf(out, "  %-14s %s\n", sim_loads[i].name, sim_loads[i].doc);
    }
    fprintf(out, "policies:\n ");
    for (int g = PLACEMENT_GOAL_DEFAULT + 1; g < PLACEMENT_GOAL_COUNT; g++) {
        fprintf(out, " %s", placement_goal_name((enum placement_goal)g));
    }
    fprintf(out, "\n");
    exit(status);
}

static long positive(const char *text, char stop, const char **ret_rest)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || value <= 0 || value > 1000000000 || *end != stop) {
        fprintf(stderr, "placement: %s is not a positive number\n", text);
        exit(2);
    }
    if (ret_rest) {
        *ret_rest = end + 1;
    }
    return value;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {{"hosts", required_argument, NULL, 'h'},
                                          {"load", required_argument, NULL, 'l'},
                                          {"trace", required_argument, NULL, 't'},
                                          {"capacity", required_argument, NULL, 'c'},
                                          {"policy", required_argument, NULL, 'p'},
                                          {"decisions", required_argument, NULL, 'd'},
                                          {"days", required_argument, NULL, 'y'},
                                          {"order", required_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'H'},
                                          {0}};
    struct options o = {.hosts = 100000, .decisions = 300000, .days = 14};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char *rest;
        switch (c) {
        case 'h':
            o.hosts = positive(optarg, '\0', NULL);
            break;
        case 'l':
            o.load = optarg;
            break;
        case 't':
            o.trace = optarg;
            break;
        case 'c':
            o.vcpus = positive(optarg, ',', &rest);
            o.memory = positive(rest, '\0', NULL);
            break;
        case 'p':
            o.policy = optarg;
            break;
        case 'd':
            o.decisions = positive(optarg, '\0', NULL);
            break;
        case 'y':
            o.days = (double)positive(optarg, '\0', NULL);
            break;
        case 'o':
            o.order = positive(optarg, '\0', NULL);
            break;
        case 'j':
            o.json = true;
            break;
        case 'H':
            usage(stdout, 0);
            break;
        default:
            usage(stderr, 2);
        }
    }
    if (optind != argc || !o.load == !o.trace || (o.trace && o.vcpus == 0) || o.hosts > 16000000) {
        usage(stderr, 2);
    }
    return o;
}

static bool wanted(const struct options *o, enum placement_goal goal, enum placement_goal usual)
{
    if (!o->policy) {
        return goal == usual;
    }
    return strcmp(o->policy, "all") == 0 || strcmp(o->policy, placement_goal_name(goal)) == 0;
}

static size_t run_trace(const struct options *o, struct sim_result *results)
{
    struct sim_trace trace;
    size_t count = 0;
    if (!sim_trace_read(o->trace, o->days, o->order, &trace)) {
        exit(2);
    }
    for (int g = PLACEMENT_GOAL_DEFAULT + 1; g < PLACEMENT_GOAL_COUNT; g++) {
        if (wanted(o, (enum placement_goal)g, PLACEMENT_GOAL_PACK)) {
            sim_trace_run(&trace, o->vcpus, o->memory, (enum placement_goal)g, false, &results[count++]);
        }
    }
    if (o->policy && strcmp(o->policy, "all") == 0) {
        sim_trace_run(&trace, o->vcpus, o->memory, PLACEMENT_GOAL_LIFETIME, true, &results[count++]);
    }
    sim_trace_done(&trace);
    return count;
}

/* In a process of its own, as memory that an earlier run has left would hide what this one takes. */
static bool run_apart(const struct sim_load *load, const struct options *o, enum placement_goal goal,
                      struct sim_result *ret)
{
    int ends[2], status = 1;
    if (pipe(ends)) {
        perror("placement: pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child < 0) {
        perror("placement: fork");
        exit(1);
    }
    if (child == 0) {
        sim_load_run(load, (int32_t)o->hosts, o->decisions, goal, ret);
        _exit(write(ends[1], ret, sizeof(*ret)) == sizeof(*ret) ? 0 : 1);
    }
    close(ends[1]);
    bool whole = read(ends[0], ret, sizeof(*ret)) == sizeof(*ret);
    close(ends[0]);
    return waitpid(child, &status, 0) == child && whole && status == 0;
}

static size_t run_loads(const struct options *o, struct sim_result *results)
{
    size_t count = 0;
    for (size_t i = 0; i < sim_load_count; i++) {
        if (strcmp(o->load, "all") != 0 && strcmp(o->load, sim_loads[i].name) != 0) {
            continue;
        }
        for (int g = PLACEMENT_GOAL_DEFAULT + 1; g < PLACEMENT_GOAL_COUNT; g++) {
            if (wanted(o, (enum placement_goal)g, PLACEMENT_GOAL_WEIGHTS) &&
                !run_apart(&sim_loads[i], o, (enum placement_goal)g, &results[count++])) {
                fprintf(stderr, "placement: the run did not end well\n");
                exit(1);
            }
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    static struct sim_result results[RESULTS_MAX];
    struct options o = read_options(argc, argv);
    size_t count = o.trace ? run_trace(&o, results) : run_loads(&o, results);
    if (count == 0) {
        usage(stderr, 2);
    }
    sim_results_print(results, count, o.json);
    return 0;
}
