/* The files of /proc/PID and /proc/PID/task/TID: syscall, wchan, sched, schedstat, stat, limits, cgroup. */
#include "fuzz.h"

#include "kernel/cgroup.h"
#include "kernel/process_limits.h"
#include "kernel/thread_call.h"
#include "kernel/thread_clock.h"
#include "kernel/wait_set.h"

static int check_waited(void *context, int fd, uint32_t events)
{
    (void)context;
    if (fd < 0 || (events & 0xffff0000U) != 0)
        abort();
    return 0;
}

static void check_call(const struct thread_call *call)
{
    if (call->kind >= CALL_KIND_COUNT || call->fd < -1 || memchr(call->name, '\0', sizeof call->name) == NULL)
        abort();
    if (!call->has_arguments && call->fd != -1)
        abort();
}

/* Bytes as the memory of a process that is in poll() or select(). */
static void read_sets(const uint8_t *data, size_t size)
{
    size_t count = size / sizeof(struct pollfd), words = size / sizeof(long) / SELECT_SETS;
    uint64_t *copy = malloc(size + sizeof *copy);
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    poll_set_parse((const struct pollfd *)(const void *)copy, count, check_waited, NULL);
    const unsigned long *memory = (const unsigned long *)(const void *)copy;
    const unsigned long *sets[SELECT_SETS] = {memory, memory + words, memory + 2 * words};
    select_set_parse(sets, (int)(words * 8 * sizeof(long)), check_waited, NULL);
    free(copy);
}

/* What goes to a terminal. */
static void check_group(const char *text)
{
    struct cgroup_name name = cgroup_name_of_text(text);
    for (const char *c = name.text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            abort();
    if ((name.kind == CGROUP_NONE) != (name.text[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct thread_call call;
    struct thread_usage usage;
    struct thread_rest rest;
    struct process_limits limits;
    thread_call_parse(text, &call);
    check_call(&call);
    thread_call_parse_wchan(text, &call);
    check_call(&call);
    if (thread_clock_parse(text) < -1)
        abort();
    (void)thread_usage_parse(text, &usage);
    (void)thread_rest_parse(text, &rest);
    if (process_limits_parse(text, &limits) && (limits.descriptors_soft < 0 || limits.descriptors_hard < 0))
        abort();
    check_group(text);
    read_sets(data, size);
    free(text);
    return 0;
}
