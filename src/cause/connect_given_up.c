/* connect-given-up: a client waits for connect() with a time-out of its own. When that is over it goes on to
 * something else, and the descriptor is in a local variable of a function that returns. */
#include "cause/cause.h"
#include "cause/visit.h"

static void on_given_up(struct endpoint *endpoint, int fd)
{
    if (endpoint->fixed)
        endpoint_close(endpoint, fd); /* the fix: the error path closes too */
    /* The bug: nobody knows fd any more, but the kernel does. It goes on asking for the connection. */
}

/* One that is answered in time is used as it should be. */
static void on_connection(struct endpoint *endpoint, int fd)
{
    endpoint_ask(endpoint, fd);
    visit_until_eof(endpoint, fd);
}

const struct behaviour connect_given_up = {
    .name = "connect-given-up",
    .start = visits_start,
    .on_connection = on_connection,
    .on_given_up = on_given_up,
    .stop = visits_stop,
};
