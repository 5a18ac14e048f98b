#include "explain/look.h"

#include "kernel/in_flight.h"

#include <string.h>

struct flight_search {
    pid_t pid;
    int64_t waiting;
};

static int add_waiting(void *context, const struct descriptor *descriptor)
{
    struct flight_search *search = context;
    struct socket_protocol protocol;
    if (descriptor->kind != DESCRIPTOR_SOCKET ||
        descriptor_protocol(search->pid, descriptor->fd, &protocol) <= 0 ||
        strncmp(protocol.name, "UNIX", 4) != 0)
        return 0;
    int64_t count = in_flight_read(search->pid, descriptor->fd);
    search->waiting += count > 0 ? count : 0;
    return 0;
}

/* What may not be looked into, or has ended, has none that we could know of. */
static int add_process(struct look *look, pid_t pid, void *context)
{
    struct flight_search *search = context;
    (void)look;
    search->pid = pid;
    (void)descriptors_each(pid, add_waiting, search);
    return 0;
}

int look_in_flight(struct look *look, int64_t *waiting)
{
    struct flight_search search = {0};
    int rc = look_each_pid(look, add_process, &search);
    *waiting = search.waiting;
    return rc;
}
