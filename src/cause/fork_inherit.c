/* fork-inherit: the server starts helper programs now and then, and they inherit every connection that is
 * open at that moment. The server closes its descriptor, but the FIN is sent when the last one is closed. */
#include "cause/cause.h"
#include "cause/child.h"
#include "cause/visit.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_PER_HELPER = 16, HELPERS_MAX = 64, REST_US = 50000 };

struct server {
    struct visits visits;
    pid_t helper[HELPERS_MAX];
    int helpers;
};

static void run_helper(const void *unused)
{
    (void)unused;
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
}

static void start_helper(struct server *server)
{
    pid_t pid = server->helpers < HELPERS_MAX ? child_start(run_helper, NULL) : 0;
    if (pid > 0)
        server->helper[server->helpers++] = pid;
}

static void on_acceptable(struct endpoint *endpoint, struct listener *listener)
{
    int flags = SOCK_NONBLOCK; /* the bug */
    if (endpoint->fixed)
        flags |= SOCK_CLOEXEC; /* the fix */
    int fd = endpoint_accept(endpoint, listener, flags);
    if (fd >= 0)
        endpoint_begin(endpoint, fd);
    else if (fd != -EAGAIN)
        listener_rest(listener, REST_US);
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit); /* right, and in vain */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
    if (endpoint->begun % CONNECTIONS_PER_HELPER == 0)
        start_helper(endpoint->state);
}

static int start(struct endpoint *endpoint)
{
    return visits_start_with(endpoint, sizeof(struct server));
}

static void stop(struct endpoint *endpoint)
{
    struct server *server = endpoint->state;
    for (int i = 0; server != NULL && i < server->helpers; i++)
        child_end(server->helper[i]);
    visits_stop(endpoint);
}

const struct behaviour fork_inherit = {
    .name = "fork-inherit",
    .start = start,
    .on_connection = on_connection,
    .on_acceptable = on_acceptable,
    .stop = stop,
};
