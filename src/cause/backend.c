#include "cause/backend.h"

#include "cause/child.h"
#include "cause/visit.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LISTENER = STDERR_FILENO + 1, BACKLOG = 4096 };

static void on_request(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) != 0)
        return;
    act_apply(ACT_WRITE, visit->fd);
    visit_close(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_request);
}

static const struct behaviour answers = {
    .name = "backend",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};

static void on_acceptable(evutil_socket_t listener, short what, void *context)
{
    (void)what;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        endpoint_begin(context, fd);
}

/* In the child: keeps the listener and nothing else of its parent's. */
static void serve(const void *listener)
{
    struct endpoint endpoint = {.behaviour = &answers};
    prctl(PR_SET_NAME, "backend");
    if (dup2(*(const int *)listener, LISTENER) < 0 || syscall(SYS_close_range, LISTENER + 1, ~0U, 0) != 0)
        return;
    endpoint.base = event_base_new();
    if (endpoint.base == NULL || endpoint_start(&endpoint) != 0)
        return;
    struct event *acceptable =
        event_new(endpoint.base, LISTENER, EV_READ | EV_PERSIST, on_acceptable, &endpoint);
    event_add(acceptable, NULL);
    event_base_dispatch(endpoint.base);
}

int backend_start(struct backend *backend)
{
    struct address here;
    address_parse("127.0.0.1", &here);
    int listener = listen_socket_open(&here, 0, BACKLOG);
    if (listener < 0)
        return listener;
    backend->port = listen_socket_port(listener);
    backend->pid = child_start(serve, &listener);
    close(listener);
    return backend->pid > 0 ? 0 : (int)backend->pid;
}

int backend_connect(const struct backend *backend)
{
    struct address here;
    struct sockaddr_storage where;
    address_parse("127.0.0.1", &here);
    socklen_t length = address_to_sockaddr(&here, backend->port, &where);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&where, length) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

void backend_stop(struct backend *backend)
{
    child_end(backend->pid);
    *backend = (struct backend){0};
}
