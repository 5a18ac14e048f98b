#include "worker/connection_set.h"

#include "base/memory.h"
#include "kernel/ghost.h"
#include "worker/blocking_act.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

enum { BATCH = 512 };

int connection_set_add(struct connection_set *set, int fd)
{
    if (set->count == set->capacity) {
        int64_t capacity = set->capacity == 0 ? 256 : set->capacity * 2;
        int *grown = realloc(set->fd, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        set->fd = grown;
        set->capacity = capacity;
    }
    set->fd[set->count++] = fd;
    set->open++;
    return 0;
}

int64_t connection_set_ghosts(const struct connection_set *set)
{
    int64_t ghosts = 0;
    for (int64_t i = 0; i < set->count; i++)
        ghosts += set->fd[i] >= 0 && is_ghost(set->fd[i]);
    return ghosts;
}

void connection_set_free(struct connection_set *set)
{
    for (int64_t i = 0; i < set->count; i++)
        if (set->fd[i] >= 0)
            act_apply(ACT_ABORT, set->fd[i]);
    free(set->fd);
    *set = (struct connection_set){0};
}

/* An end on which the act must wait for data. */
struct waiting_end {
    struct connection_act *act;
    struct event *event;
    struct waiting_end *next;
    int64_t index;
};

struct connection_act {
    struct event_base *base;
    struct event *tick;
    struct connection_set *set;
    struct connection_act_what what;
    int64_t count;   /* ends to act on: the first so many */
    int64_t next;    /* first of them not yet tried */
    int64_t waiting; /* ends tried that were not ready */
    struct waiting_end *waiting_ends;
    struct blocking_act *blocking; /* of an act that waits in the kernel */
    struct connection_act_report report;
    on_connections_acted *on_acted;
    void *context;
};

static void note_result(struct connection_act *running, int64_t index, int rc)
{
    running->report.done++;
    if (rc != 0) {
        running->report.failed++;
        running->report.last_errno = -rc;
    }
    if (act_releases(running->what.act) && running->set->fd[index] >= 0) {
        running->set->fd[index] = -1;
        running->set->open--;
    }
}

static void report_batch(struct connection_act *running)
{
    bool finished = running->next == running->count && running->waiting == 0;
    running->on_acted(running->context, &running->report, finished);
    if (finished)
        connection_act_cancel(running);
}

static void on_end_ready(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct waiting_end *end = context;
    struct connection_act *running = end->act;
    int rc = act_apply(running->what.act, fd);
    if (rc == -EAGAIN)
        return;
    event_del(end->event); /* level-triggered: an end that has been heard must be disarmed or it spins */
    note_result(running, end->index, rc);
    running->waiting--;
    report_batch(running);
}

static void wait_for_end(struct connection_act *running, int64_t index)
{
    struct waiting_end *end = memory_new(sizeof *end);
    *end = (struct waiting_end){.act = running, .next = running->waiting_ends, .index = index};
    end->event = event_new(running->base, running->set->fd[index], EV_READ | EV_PERSIST, on_end_ready, end);
    event_add(end->event, NULL);
    running->waiting_ends = end;
    running->waiting++;
}

static void act_on_end(struct connection_act *running, int64_t index)
{
    int fd = running->set->fd[index];
    int rc = fd < 0 ? -EBADF : act_apply(running->what.act, fd);
    if (rc == -EAGAIN)
        wait_for_end(running, index);
    else
        note_result(running, index, rc);
}

static void take_results(struct connection_act *running)
{
    int64_t index;
    int rc;
    while (blocking_act_take(running->blocking, &index, &rc)) {
        running->next++;
        note_result(running, index, rc);
    }
}

static void on_blocking_results(void *context)
{
    struct connection_act *running = context;
    int64_t before = running->next;
    take_results(running);
    if (running->next > before)
        report_batch(running);
}

/* Where not one thread can be made, it has failed on every end. */
static void start_blocking(struct connection_act *running)
{
    int error = 0;
    if (running->count > 0)
        running->blocking = blocking_act_start(running->base, running->what.act, running->set->fd,
                                               running->count, on_blocking_results, running, &error);
    if (running->blocking != NULL)
        return;
    running->next = running->report.done = running->report.failed = running->count;
    running->report.last_errno = -error;
    report_batch(running);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connection_act *running = context;
    if (act_blocks(running->what.act)) {
        start_blocking(running);
        return;
    }
    for (int i = 0; i < BATCH && running->next < running->count; i++) {
        int64_t nth = running->next++;
        act_on_end(running, running->what.backwards ? running->count - 1 - nth : nth);
    }
    static const struct timeval at_once = {0, 0};
    if (running->next < running->count)
        event_add(running->tick, &at_once);
    report_batch(running);
}

struct connection_act *connection_act_start(struct event_base *base, struct connection_set *set,
                                            const struct connection_act_what *what,
                                            on_connections_acted *on_acted, void *context)
{
    static const struct timeval at_once = {0, 0};
    struct connection_act *running = memory_new(sizeof *running);
    *running = (struct connection_act){.base = base,
                                       .set = set,
                                       .what = *what,
                                       .count = set->count > what->spare ? set->count - what->spare : 0,
                                       .on_acted = on_acted,
                                       .context = context};
    running->tick = evtimer_new(base, on_tick, running);
    evtimer_add(running->tick, &at_once);
    return running;
}

void connection_act_cancel(struct connection_act *running)
{
    if (running == NULL)
        return;
    if (running->blocking != NULL) {
        blocking_act_stop(running->blocking);
        take_results(running);
        blocking_act_free(running->blocking);
    }
    for (struct waiting_end *end = running->waiting_ends, *next; end != NULL; end = next) {
        next = end->next;
        event_free(end->event);
        free(end);
    }
    event_free(running->tick);
    free(running);
}
