#include "audit/proxy_backend.h"

#include "audit/proxy_pair.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, INCOMPLETE = -2, NOT_OURS = -1, ACCEPTS_AT_ONCE = 64 };

/* A connection that has not said yet of which client it is. */
struct caller {
    struct proxy_backend *backend;
    struct caller *next, **link;
    struct event io;
    int fd;
    size_t length;
    char said[PROXY_HEAD_MAX + 1];
};

struct proxy_backend {
    struct proxy_backend_duty duty;
    struct event io;
    int listener; /* -1: closed */
    struct caller *callers;
    int64_t strangers;
};

/* ---- what they say ---- */

static int64_t number_of_token(const char *said, size_t length, uint32_t run)
{
    uint32_t said_run;
    int64_t number;
    int end = 0;
    if (length < PROXY_TOKEN)
        return INCOMPLETE;
    if (sscanf(said, "tcpstorm %8" SCNx32 " %13" SCNd64 "%n", &said_run, &number, &end) != 2 ||
        end != PROXY_TOKEN - 1 || said[end] != '\n' || said_run != run)
        return NOT_OURS;
    return number < 0 ? NOT_OURS : number;
}

static int64_t number_of_header(const char *value, uint32_t run)
{
    uint32_t said_run;
    int64_t number;
    if (sscanf(value, " %8" SCNx32 "-%" SCNd64, &said_run, &number) != 2 || said_run != run)
        return NOT_OURS;
    return number < 0 ? NOT_OURS : number;
}

static int64_t number_of_request(const char *said, uint32_t run)
{
    static const char name[] = "X-Tcpstorm-Id:";
    if (strstr(said, "\r\n\r\n") == NULL)
        return INCOMPLETE;
    for (const char *line = strstr(said, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, sizeof name - 1) == 0)
            return number_of_header(line + sizeof name - 1, run);
    }
    return NOT_OURS;
}

int64_t proxy_caller_number(const char *said, size_t length, bool is_http, uint32_t run)
{
    return is_http ? number_of_request(said, run) : number_of_token(said, length, run);
}

/* ---- who calls ---- */

static void forget(struct caller *caller)
{
    event_del(&caller->io);
    *caller->link = caller->next;
    if (caller->next != NULL)
        caller->next->link = caller->link;
    free(caller);
}

static void turn_away(struct caller *caller)
{
    caller->backend->strangers++;
    close(caller->fd);
    forget(caller);
}

static void hand_on(struct caller *caller, int64_t number)
{
    struct proxy_backend_duty duty = caller->backend->duty;
    int fd = caller->fd;
    forget(caller);
    duty.on_caller(duty.context, number, fd);
}

static void on_said(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct caller *caller = context;
    const struct proxy_backend_duty *duty = &caller->backend->duty;
    /* behind a token come bytes that are to stay in the socket */
    size_t room = (duty->is_http ? PROXY_HEAD_MAX : PROXY_TOKEN) - caller->length;
    ssize_t length = recv(fd, caller->said + caller->length, room, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        turn_away(caller);
        return;
    }
    caller->length += (size_t)length;
    caller->said[caller->length] = '\0';
    int64_t number = proxy_caller_number(caller->said, caller->length, duty->is_http, duty->run);
    if (number >= 0)
        hand_on(caller, number);
    else if (number == NOT_OURS || caller->length == PROXY_HEAD_MAX)
        turn_away(caller);
}

/* Takes the descriptor over, whatever it returns. */
static int listen_to(struct proxy_backend *backend, int fd)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) {
        close(fd);
        return -ENOMEM;
    }
    *caller =
        (struct caller){.backend = backend, .fd = fd, .next = backend->callers, .link = &backend->callers};
    if (caller->next != NULL)
        caller->next->link = &caller->next;
    backend->callers = caller;
    event_assign(&caller->io, backend->duty.base, fd, EV_READ | EV_PERSIST, on_said, caller);
    if (event_add(&caller->io, NULL) == 0)
        return 0;
    close(fd);
    forget(caller);
    return -ENOMEM;
}

void proxy_backend_take_back(struct proxy_backend *backend, int fd)
{
    int rc = listen_to(backend, fd);
    if (rc != 0)
        backend->duty.on_refusal(backend->duty.context, -rc);
}

static void on_call(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct proxy_backend *backend = context;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int error = accepted < 0 ? errno : -listen_to(backend, accepted);
        if (error == EAGAIN)
            return;
        if (error == 0 || error == EINTR || error == ECONNABORTED)
            continue;
        event_del(&backend->io);
        backend->duty.on_refusal(backend->duty.context, error);
        return;
    }
}

/* ---- the whole ---- */

int proxy_backend_open(const struct proxy_backend_duty *duty, const struct address *address, uint16_t port,
                       struct proxy_backend **backend)
{
    *backend = calloc(1, sizeof **backend);
    if (*backend == NULL)
        return -ENOMEM;
    **backend = (struct proxy_backend){.duty = *duty, .listener = listen_socket_open(address, port, BACKLOG)};
    int rc = (*backend)->listener < 0 ? (*backend)->listener : 0;
    event_assign(&(*backend)->io, duty->base, (*backend)->listener, EV_READ | EV_PERSIST, on_call, *backend);
    if (rc == 0 && event_add(&(*backend)->io, NULL) != 0)
        rc = -ENOMEM;
    if (rc != 0) {
        proxy_backend_free(*backend);
        *backend = NULL;
    }
    return rc;
}

int64_t proxy_backend_strangers(const struct proxy_backend *backend)
{
    return backend->strangers;
}

void proxy_backend_close(struct proxy_backend *backend)
{
    event_del(&backend->io);
    if (backend->listener >= 0)
        close(backend->listener);
    backend->listener = -1;
    while (backend->callers != NULL)
        turn_away(backend->callers);
}

void proxy_backend_free(struct proxy_backend *backend)
{
    if (backend == NULL)
        return;
    proxy_backend_close(backend);
    free(backend);
}
