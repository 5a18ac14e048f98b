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
static void refuse_one(struct endpoint *endpoint, struct listener *listener)
{
    give_reserve(endpoint->state);
    int fd = endpoint_accept(endpoint, listener, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && endpoint->fixed)
        close(fd); /* the fix */
    else if (fd >= 0)
        open_descriptors_add(&endpoint->descriptors,
                             fd); /* the bug: no close(); that it is held is known to our counts alone */
    take_reserve(endpoint->state);
}

static void on_acceptable(struct endpoint *endpoint, struct listener *listener)
{
    int fd;
    take_reserve(endpoint->state);
    while ((fd = endpoint_accept(endpoint, listener, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        endpoint_begin(endpoint, fd);
    if (fd == -EMFILE)
        refuse_one(endpoint, listener);
    if (fd != -EAGAIN)
        listener_rest(listener, REST_US); /* the queue stays readable: without a rest it would spin */
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
}

static int start(struct endpoint *endpoint)
{
    int rc = visits_start_with(endpoint, sizeof(struct server));
    if (rc != 0)
        return rc;
    ((struct server *)endpoint->state)->reserve = -1;
    take_reserve(endpoint->state);
    return 0;
}

static void stop(struct endpoint *endpoint)
{
    if (endpoint->state != NULL)
        give_reserve(endpoint->state);
    visits_stop(endpoint);
}

const struct behaviour emfile = {
    .name = "emfile",
    .start = start,
    .on_connection = on_connection,
    .on_acceptable = on_acceptable,
    .stop = stop,
};
