#include "cmd/replay_ends.h"

#include "base/memory.h"
#include "kernel/host_limits.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 4096, REST_US = 50000 /* of a server without descriptors, until it accepts again */ };

/* Reads what is there. Returns true at the end, or when the connection was reset. */
static bool has_ended(int fd)
{
    char dropped[16384];
    ssize_t got;
    do
        got = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
    while (got > 0);
    return got == 0 || (errno != EAGAIN && errno != EINTR);
}

/* ---- clients ---- */

struct visitor {
    LIST_ENTRY(visitor) link;
    struct event heard, leaves;
    struct replay_clients *clients;
    int fd;
};

LIST_HEAD(visitors, visitor);

static void forget(struct visitor *visitor)
{
    event_del(&visitor->heard);
    event_del(&visitor->leaves);
    LIST_REMOVE(visitor, link);
    free(visitor);
}

static void leave(struct visitor *visitor, int64_t *counter)
{
    struct endpoint *endpoint = &visitor->clients->endpoint;
    int fd = visitor->fd;
    ++*counter;
    endpoint->ended++;
    forget(visitor);
    endpoint_close(endpoint, fd);
}

static void on_heard(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct visitor *visitor = context;
    if (has_ended((int)fd))
        leave(visitor, &visitor->clients->left_by_server);
}

/* What is unread would make an RST of the FIN. */
static void on_life_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct visitor *visitor = context;
    struct replay_clients *clients = visitor->clients;
    leave(visitor, has_ended(visitor->fd) ? &clients->left_by_server : &clients->closed);
}

static int client_start(struct endpoint *endpoint)
{
    struct visitors *visitors = memory_new(sizeof *visitors);
    LIST_INIT(visitors);
    endpoint->state = visitors;
    return 0;
}

static void client_on_connection(struct endpoint *endpoint, int fd)
{
    struct replay_clients *clients = (struct replay_clients *)endpoint; /* its first member */
    struct visitor *visitor = memory_new(sizeof *visitor);
    int64_t life_ms = recorded_life_ms(clients->port, endpoint->begun - 1);
    const struct timeval life = {.tv_sec = life_ms / 1000, .tv_usec = life_ms % 1000 * 1000};
    visitor->clients = clients;
    visitor->fd = fd;
    LIST_INSERT_HEAD((struct visitors *)endpoint->state, visitor, link);
    event_assign(&visitor->heard, endpoint->base, fd, EV_READ | EV_PERSIST, on_heard, visitor);
    evtimer_assign(&visitor->leaves, endpoint->base, on_life_over, visitor);
    event_add(&visitor->heard, NULL);
    evtimer_add(&visitor->leaves, &life);
    if (endpoint->request != NULL)
        endpoint_ask(endpoint, fd); /* of one that is over already on_heard tells */
}

static void client_stop(struct endpoint *endpoint)
{
    struct visitors *visitors = endpoint->state;
    if (visitors == NULL)
        return;
    while (!LIST_EMPTY(visitors))
        forget(LIST_FIRST(visitors));
    free(visitors);
    endpoint->state = NULL;
}

const struct behaviour replayed_client = {
    .name = "replayed-client",
    .start = client_start,
    .on_connection = client_on_connection,
    .stop = client_stop,
};

/* ---- the server ---- */

struct serving {
    const struct replay_server *server;
    struct event_base *base;
    struct event *acceptable, *rested;
    int64_t accepted;
};

struct served {
    struct event heard;
    bool is_kept;
};

static void on_served(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct served *served = context;
    if (!has_ended((int)fd))
        return;
    event_del(&served->heard);
    if (!served->is_kept)
        close((int)fd);
    free(served);
}

static bool is_to_keep(const struct leak_share *share, int64_t nth)
{
    return share->of > 0 && (nth + 1) * share->count / share->of > nth * share->count / share->of;
}

static void serve(struct serving *serving, int fd)
{
    bool is_kept = is_to_keep(&serving->server->leak, serving->accepted++);
    if (is_kept && !serving->server->reads)
        return;
    struct served *served = memory_new(sizeof *served);
    served->is_kept = is_kept;
    event_assign(&served->heard, serving->base, fd, EV_READ | EV_PERSIST, on_served, served);
    event_add(&served->heard, NULL);
}

static void on_acceptable(evutil_socket_t listener, short what, void *context)
{
    static const struct timeval rest = {0, REST_US};
    (void)what;
    struct serving *serving = context;
    int fd;
    while ((fd = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        serve(serving, fd);
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    event_del(serving->acceptable);
    evtimer_add(serving->rested, &rest);
}

static void on_rested(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_add(((struct serving *)context)->acceptable, NULL);
}

/* Until it is killed. */
static void run_server(const struct replay_server *server, int listener)
{
    struct serving serving = {.server = server, .base = event_base_new()};
    if (serving.base == NULL)
        return;
    host_raise_nofile();
    serving.acceptable = event_new(serving.base, listener, EV_READ | EV_PERSIST, on_acceptable, &serving);
    serving.rested = evtimer_new(serving.base, on_rested, &serving);
    if (serving.acceptable != NULL && serving.rested != NULL && event_add(serving.acceptable, NULL) == 0)
        event_base_dispatch(serving.base);
}

pid_t replay_server_start(const struct replay_server *server, const struct address *address, uint16_t *port)
{
    pid_t parent = getpid();
    int listener = listen_socket_open(address, *port, BACKLOG);
    if (listener < 0)
        return listener;
    *port = listen_socket_port(listener);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_IGN); /* of the terminal: the parent ends it */
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_DFL);
        if (getppid() == parent)
            run_server(server, listener);
        _exit(EXIT_FAILURE);
    }
    int error = errno;
    close(listener);
    return pid < 0 ? -error : pid;
}

void replay_server_end(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
