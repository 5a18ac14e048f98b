#include "worker/reconnect.h"

#include "base/memory.h"
#include "kernel/local_port.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { BATCH = 128, WAITING_MAX = 256 /* well below a listener's backlog */ };

/* A connect() that was not complete when it returned. */
struct waiting {
    LIST_ENTRY(waiting) link;
    struct reconnect *running;
    struct event *done;
    int fd;
};

LIST_HEAD(waiting_list, waiting);

struct reconnect {
    struct event_base *base;
    struct event *tick;
    struct connection_set *set;
    struct reconnect_lane *lanes;
    size_t lane_count, lane; /* lane: where the next is */
    int64_t next;            /* in that lane */
    int waiting_count;
    struct waiting_list waiting;
    struct connection_act_report report;
    on_connections_acted *on_acted;
    void *context;
};

static void note_result(struct reconnect *running, int fd, int error)
{
    running->report.done++;
    if (error == 0 && connection_set_add(running->set, fd) != 0)
        error = ENOMEM;
    if (error == 0)
        return;
    running->report.failed++;
    running->report.last_errno = error;
    if (fd >= 0)
        close(fd);
}

static void free_waiting(struct waiting *waiting)
{
    waiting->running->waiting_count--;
    LIST_REMOVE(waiting, link);
    event_free(waiting->done);
    free(waiting);
}

static void report(struct reconnect *running)
{
    bool finished = running->lane == running->lane_count && running->waiting_count == 0;
    running->on_acted(running->context, &running->report, finished);
    if (finished)
        reconnect_cancel(running);
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    static const struct timeval at_once = {0, 0};
    struct waiting *waiting = context;
    struct reconnect *running = waiting->running;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    free_waiting(waiting);
    note_result(running, fd, error);
    if (running->lane < running->lane_count)
        evtimer_add(running->tick, &at_once);
    report(running);
}

static void wait_for(struct reconnect *running, int fd)
{
    struct waiting *waiting = memory_new(sizeof *waiting);
    *waiting = (struct waiting){.running = running, .fd = fd};
    waiting->done = event_new(running->base, fd, EV_WRITE, on_done, waiting);
    event_add(waiting->done, NULL);
    LIST_INSERT_HEAD(&running->waiting, waiting, link);
    running->waiting_count++;
}

static void open_one(struct reconnect *running)
{
    const struct reconnect_lane *lane = &running->lanes[running->lane];
    uint16_t port = lane->from[running->next++];
    int fd = socket(lane->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? errno : -local_port_take(fd, lane->to.ss_family, port);
    if (error == 0 && connect(fd, (const struct sockaddr *)&lane->to, lane->length) != 0)
        error = errno;
    if (error == EINPROGRESS)
        wait_for(running, fd);
    else
        note_result(running, fd, error);
}

/* Past the lanes that have none left. */
static bool has_next(struct reconnect *running)
{
    while (running->lane < running->lane_count && running->next == running->lanes[running->lane].count) {
        running->lane++;
        running->next = 0;
    }
    return running->lane < running->lane_count;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    static const struct timeval at_once = {0, 0};
    struct reconnect *running = context;
    for (int i = 0; i < BATCH && running->waiting_count < WAITING_MAX && has_next(running); i++)
        open_one(running);
    if (has_next(running) && running->waiting_count < WAITING_MAX)
        evtimer_add(running->tick, &at_once);
    report(running);
}

struct reconnect *reconnect_start(struct event_base *base, struct connection_set *set,
                                  const struct reconnect_lane *lanes, size_t lane_count,
                                  on_connections_acted *on_acted, void *context)
{
    static const struct timeval at_once = {0, 0};
    struct reconnect *running = memory_new(sizeof *running);
    *running = (struct reconnect){.base = base,
                                  .set = set,
                                  .lanes = memory_new((lane_count + 1) * sizeof *lanes),
                                  .lane_count = lane_count,
                                  .on_acted = on_acted,
                                  .context = context};
    memcpy(running->lanes, lanes, lane_count * sizeof *lanes);
    running->tick = evtimer_new(base, on_tick, running);
    evtimer_add(running->tick, &at_once);
    return running;
}

void reconnect_cancel(struct reconnect *running)
{
    if (running == NULL)
        return;
    struct waiting *waiting;
    while ((waiting = LIST_FIRST(&running->waiting)) != NULL) {
        int fd = waiting->fd;
        free_waiting(waiting);
        close(fd);
    }
    event_free(running->tick);
    free(running->lanes);
    free(running);
}
