#include "cause/visit.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

int visits_start_with(struct endpoint *endpoint, size_t state_size)
{
    endpoint->state = memory_new(state_size);
    return 0;
}

int visits_start(struct endpoint *endpoint)
{
    return visits_start_with(endpoint, sizeof(struct visits));
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct visit *visit = context;
    visit->on_event(visit, what);
}

static struct visit *visit_new(struct endpoint *endpoint, int fd)
{
    struct visit *visit = memory_new(sizeof *visit);
    *visit = (struct visit){.endpoint = endpoint, .fd = fd};
    visit->event = event_new(endpoint->base, fd, EV_PERSIST, on_event, visit);
    LIST_INSERT_HEAD((struct visits *)endpoint->state, visit, link);
    return visit;
}

static void visit_free(struct visit *visit)
{
    LIST_REMOVE(visit, link);
    event_free(visit->event);
    free(visit);
}

struct visit *visit_begin(struct endpoint *endpoint, int fd, short what, on_visit *heard)
{
    struct visit *visit = visit_new(endpoint, fd);
    visit_hear(visit, what, heard);
    return visit;
}

void visit_hear(struct visit *visit, short what, on_visit *heard)
{
    visit_hear_within(visit, what, 0, heard);
}

void visit_hear_within(struct visit *visit, short what, int64_t ms, on_visit *heard)
{
    struct timeval within = timeval_of_us(ms * 1000);
    event_del(visit->event);
    visit->on_event = heard;
    if (what == 0)
        return;
    event_assign(visit->event, visit->endpoint->base, visit->fd, (short)(what | EV_PERSIST), on_event, visit);
    event_add(visit->event, ms > 0 ? &within : NULL);
}

ssize_t visit_read(struct visit *visit)
{
    char dropped[4096];
    ssize_t got = recv(visit->fd, dropped, sizeof dropped, 0);
    if (got >= 0)
        return got;
    /* Where the kernel has no memory for the call, what is there can be read a moment later. */
    return errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS ? -1 : 0;
}

static void on_rest(struct visit *visit, short what)
{
    if ((what & EV_TIMEOUT) || visit_read(visit) == 0)
        visit_close(visit);
}

void visit_until_eof(struct endpoint *endpoint, int fd)
{
    struct visit *visit = visit_new(endpoint, fd);
    visit_hear_within(visit, EV_READ, endpoint->life_us / 1000, on_rest);
}

/* The event goes first: where another process has the descriptor too, epoll would go on hearing it. */
void visit_close(struct visit *visit)
{
    struct endpoint *endpoint = visit->endpoint;
    int fd = visit->fd;
    visit_forget(visit);
    endpoint_close(endpoint, fd);
}

void visit_close_unanswered(struct visit *visit)
{
    if (visit->requests > 1)
        visit->endpoint->lost++;
    else
        visit->endpoint->unanswered++;
    visit_close(visit);
}

bool visit_ask(struct visit *visit, on_visit *on_reply)
{
    visit->requests++;
    if (endpoint_ask(visit->endpoint, visit->fd) != 0) {
        visit_close_unanswered(visit);
        return false;
    }
    visit_hear(visit, EV_READ, on_reply);
    return true;
}

void visit_reset(struct visit *visit)
{
    struct endpoint *endpoint = visit->endpoint;
    int fd = visit->fd;
    visit_forget(visit);
    open_descriptors_remove(&endpoint->descriptors, fd);
    act_apply(ACT_ABORT, fd);
}

void visit_forget(struct visit *visit)
{
    visit->endpoint->ended++;
    visit_free(visit);
}

void visits_stop(struct endpoint *endpoint)
{
    struct visits *visits = endpoint->state;
    if (visits == NULL)
        return;
    while (!LIST_EMPTY(visits))
        visit_free(LIST_FIRST(visits));
    free(visits);
    endpoint->state = NULL;
}
