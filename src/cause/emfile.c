/* emfile: accept() fails with EMFILE, and the error path that is to refuse a client leaks its descriptor:
 * what is short becomes shorter. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

enum { REST_US = 20000 };

struct server {
    struct visits visits;
    int reserve; /* a descriptor kept for the time when there is no other; -1 when it could not be had back */
};

static void take_reserve(struct server *server)
{
    if (server->reserve < 0)
        server->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void give_reserve(struct server *server)
{
    if (server->reserve >= 0)
        close(server->reserve);
    server->reserve = -1;
}

/* Who waits is accepted into the reserve's place, to be told to go. */
static void refuse_one(struct party *party, struct door *door)
{
    give_reserve(party->state);
    int fd = party_accept(party, door, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && party->fixed)
        close(fd); /* the fix */
    else if (fd >= 0)
        held_add(&party->held, fd); /* the bug: no close(); that it is held is known to our counts alone */
    take_reserve(party->state);
}

static void on_acceptable(struct party *party, struct door *door)
{
    int fd;
    take_reserve(party->state);
    while ((fd = party_accept(party, door, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        party_begin(party, fd);
    if (fd == -EMFILE)
        refuse_one(party, door);
    if (fd != -EAGAIN)
        door_rest(door, REST_US); /* the queue stays readable: without a rest it would spin */
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit);
}

static void on_connection(struct party *party, int fd)
{
    visit_begin(party, fd, EV_READ, on_readable);
}

static int start(struct party *party)
{
    int rc = visits_start_with(party, sizeof(struct server));
    if (rc != 0)
        return rc;
    ((struct server *)party->state)->reserve = -1;
    take_reserve(party->state);
    return 0;
}

static void stop(struct party *party)
{
    if (party->state != NULL)
        give_reserve(party->state);
    visits_stop(party);
}

const struct behaviour emfile = {
    .name = "emfile",
    .start = start,
    .on_connection = on_connection,
    .on_acceptable = on_acceptable,
    .stop = stop,
};
