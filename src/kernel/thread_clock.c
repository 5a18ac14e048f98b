#include "kernel/thread_clock.h"

#include "base/clock.h"
#include "kernel/proc_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCHED_HEAD = 1024 }; /* exec_start stands in the third line */

/* "se.exec_start                                :      23197846.529232": milliseconds. */
int64_t thread_clock_parse(const char *text)
{
    static const char name[] = "se.exec_start";
    int64_t whole, part;
    const char *at = strstr(text, name);
    if (at == NULL || sscanf(at + sizeof name - 1, " : %15" SCNd64 ".%6" SCNd64, &whole, &part) != 2)
        return -1;
    return whole < 0 || part < 0 ? -1 : whole * 1000 + part / 1000;
}

bool thread_usage_parse(const char *text, struct thread_usage *usage)
{
    return sscanf(text, "%18" SCNd64 " %18" SCNd64 " %18" SCNd64, &usage->ran_ns, &usage->waited_ns,
                  &usage->turns) == 3;
}

int thread_usage_read(pid_t pid, pid_t tid, struct thread_usage *usage)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
    int rc = proc_file_read(path, text, sizeof text);
    if (rc < 0)
        return rc;
    return thread_usage_parse(text, usage) ? 0 : -EBADMSG;
}

bool thread_rest_parse(const char *text, struct thread_rest *rest)
{
    enum { STATE = 3, CPU = 39 };        /* as man 5 proc counts the words */
    const char *at = strrchr(text, ')'); /* the name before it may have spaces and brackets in it */
    *rest = (struct thread_rest){.state = '?', .cpu = -1, .asleep_ms = -1};
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return false;
    rest->state = at[2];
    at += 2;
    for (int i = STATE; i < CPU && at != NULL; i++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return false;
    rest->cpu = (int)strtol(at, NULL, 10);
    return true;
}

/* ---- clocks of CPUs ---- */

#define NOT_READ INT64_MIN
#define NO_CLOCK (INT64_MIN + 1)

int cpu_clocks_open(struct cpu_clocks *clocks)
{
    *clocks = (struct cpu_clocks){.count = CPU_SETSIZE};
    clocks->ahead_us = malloc(CPU_SETSIZE * sizeof *clocks->ahead_us);
    if (clocks->ahead_us == NULL)
        return -ENOMEM;
    int64_t unknown = sched_getaffinity(0, sizeof clocks->ours, &clocks->ours) == 0 ? NOT_READ : NO_CLOCK;
    for (int i = 0; i < clocks->count; i++)
        clocks->ahead_us[i] = unknown;
    return 0;
}

void cpu_clocks_close(struct cpu_clocks *clocks)
{
    free(clocks->ahead_us);
    *clocks = (struct cpu_clocks){0};
}

/* sched_yield() has the kernel bring our own exec_start up to now. What is least of some tries is nearest: we
 * may lose the CPU in between. */
static int64_t own_clock_behind(void)
{
    enum { TRIES = 3 };
    int64_t least = NO_CLOCK;
    for (int i = 0; i < TRIES; i++) {
        char text[SCHED_HEAD];
        sched_yield();
        if (proc_file_read("/proc/thread-self/sched", text, sizeof text) < 0)
            return NO_CLOCK;
        int64_t now = monotonic_us(), own = thread_clock_parse(text);
        if (own < 0)
            return NO_CLOCK;
        least = least == NO_CLOCK || now - own < least ? now - own : least;
    }
    return least;
}

static int64_t clock_ahead(struct cpu_clocks *clocks, int cpu)
{
    if (cpu < 0 || cpu >= clocks->count)
        return NO_CLOCK;
    if (clocks->ahead_us[cpu] != NOT_READ)
        return clocks->ahead_us[cpu];
    cpu_set_t there;
    CPU_ZERO(&there);
    CPU_SET(cpu, &there);
    clocks->ahead_us[cpu] = NO_CLOCK;
    if (sched_setaffinity(0, sizeof there, &there) == 0)
        clocks->ahead_us[cpu] = own_clock_behind();
    sched_setaffinity(0, sizeof clocks->ours, &clocks->ours);
    return clocks->ahead_us[cpu];
}

int thread_rest_read(struct cpu_clocks *clocks, pid_t pid, pid_t tid, struct thread_rest *rest)
{
    char path[64], text[SCHED_HEAD];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    int rc = proc_file_read(path, text, sizeof text);
    if (rc < 0)
        return rc;
    if (!thread_rest_parse(text, rest))
        return -EBADMSG;
    if (rest->state == 'R') {
        rest->asleep_ms = 0;
        return 0;
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/sched", (int)pid, (int)tid);
    rc = proc_file_read(path, text, sizeof text);
    int64_t last_ran = rc >= 0 ? thread_clock_parse(text) : -1;
    int64_t ahead = last_ran >= 0 ? clock_ahead(clocks, rest->cpu) : NO_CLOCK;
    if (ahead != NO_CLOCK) {
        int64_t asleep_us = monotonic_us() - (last_ran + ahead);
        rest->asleep_ms = asleep_us > 0 ? asleep_us / 1000 : 0;
    }
    return 0;
}
