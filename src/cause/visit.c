#include "cause/visit.h"

#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

int visits_start_with(struct party *party, size_t state_size)
{
    party->state = memory_new(state_size);
    return 0;
}

int visits_start(struct party *party)
{
    return visits_start_with(party, sizeof(struct visits));
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct visit *visit = context;
    visit->on_event(visit, what);
}

static struct visit *visit_new(struct party *party, int fd)
{
    struct visit *visit = memory_new(sizeof *visit);
    *visit = (struct visit){.party = party, .fd = fd};
    visit->event = event_new(party->base, fd, EV_PERSIST, on_event, visit);
    LIST_INSERT_HEAD((struct visits *)party->state, visit, link);
    return visit;
}

static void visit_free(struct visit *visit)
{
    LIST_REMOVE(visit, link);
    event_free(visit->event);
    free(visit);
}

struct visit *visit_begin(struct party *party, int fd, short what, on_visit *heard)
{
    struct visit *visit = visit_new(party, fd);
    visit_hear(visit, what, heard);
    return visit;
}

void visit_hear(struct visit *visit, short what, on_visit *heard)
{
    event_del(visit->event);
    visit->on_event = heard;
    if (what == 0)
        return;
    event_assign(visit->event, visit->party->base, visit->fd, (short)(what | EV_PERSIST), on_event, visit);
    event_add(visit->event, NULL);
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

/* The event goes first: where another process has the descriptor too, epoll would go on hearing it. */
void visit_close(struct visit *visit)
{
    struct party *party = visit->party;
    int fd = visit->fd;
    visit_forget(visit);
    party_close(party, fd);
}

void visit_forget(struct visit *visit)
{
    visit->party->ended++;
    visit_free(visit);
}

void visits_stop(struct party *party)
{
    struct visits *visits = party->state;
    if (visits == NULL)
        return;
    while (!LIST_EMPTY(visits))
        visit_free(LIST_FIRST(visits));
    free(visits);
    party->state = NULL;
}
