/* inherited-listener: a helper program that the server starts inherits its listener. The server ends and
 * comes up again, but its port is still taken: the kernel completes handshakes on a socket that the helper
 * does not even know of.
 *
 * The server is restarted within its process: it serves who waits, closes the listener, which the end of a
 * program does too, and opens a new one. Connections that it has are served to their end. */
#include "cause/cause.h"
#include "cause/child.h"
#include "cause/visit.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>

enum { HELPER_AFTER = 5, RESTART_AFTER = 10, AGAIN_US = 100000 };

struct server {
    struct visits visits;
    struct listener **listeners;
    int listener_count;
    pid_t helper;
    bool has_ended;
    struct event *restart; /* a timer */
};

static void on_listening(struct endpoint *endpoint, struct listener *listener)
{
    struct server *server = endpoint->state;
    size_t count = (size_t)server->listener_count + 1;
    server->listeners = memory_resize(server->listeners, count * sizeof(struct listener *));
    server->listeners[server->listener_count++] = listener;
    int flags = 0; /* the bug */
    if (endpoint->fixed)
        flags |= FD_CLOEXEC; /* the fix */
    if (fcntl(listener->fd, F_SETFD, flags) != 0)
        endpoint_fail(endpoint, "fcntl", errno);
}

/* False when the port is taken: as whoever starts servers does, it tries again. */
static bool listens_again(struct endpoint *endpoint, struct listener *listener)
{
    if (listener->fd >= 0)
        return true;
    int rc = listener_reopen(listener);
    if (rc != 0 && rc != -EADDRINUSE)
        endpoint_fail(endpoint, "listen", -rc);
    return rc == 0;
}

/* Those that wait in the queue would be reset, and their clients would have done nothing wrong. */
static void end(struct endpoint *endpoint)
{
    struct server *server = endpoint->state;
    for (int i = 0; i < server->listener_count; i++) {
        endpoint_accept_all(endpoint, server->listeners[i]);
        listener_close(server->listeners[i]);
    }
    server->has_ended = true;
}

static void on_restart(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct endpoint *endpoint = context;
    struct server *server = endpoint->state;
    struct timeval again = timeval_of_us(AGAIN_US);
    bool is_up = true;
    if (!server->has_ended)
        end(endpoint);
    for (int i = 0; i < server->listener_count; i++)
        is_up &= listens_again(endpoint, server->listeners[i]);
    if (!is_up)
        evtimer_add(server->restart, &again);
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    static const struct timeval at_once = {0, 0};
    struct server *server = endpoint->state;
    visit_begin(endpoint, fd, EV_READ, on_readable);
    if (endpoint->begun == HELPER_AFTER)
        server->helper = child_start_helper();
    if (server->helper < 0)
        endpoint_fail(endpoint, "fork", -server->helper);
    if (endpoint->begun == RESTART_AFTER)
        evtimer_add(server->restart, &at_once);
}

static int start(struct endpoint *endpoint)
{
    int rc = visits_start_with(endpoint, sizeof(struct server));
    struct server *server = endpoint->state;
    server->restart = evtimer_new(endpoint->base, on_restart, endpoint);
    return rc;
}

static void stop(struct endpoint *endpoint)
{
    struct server *server = endpoint->state;
    if (server != NULL) {
        child_end(server->helper);
        event_free(server->restart);
        free(server->listeners);
    }
    visits_stop(endpoint);
}

const struct behaviour inherited_listener = {
    .name = "inherited-listener",
    .start = start,
    .on_connection = on_connection,
    .on_listening = on_listening,
    .stop = stop,
};
