#include "worker/endpoint.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_WAKE = 256,
    SHORT_OF_DESCRIPTORS_US = 50000,
    BREATH_US =
        1000, /* a listener that is knocked at more often is heard only so often: see endpoint_accept_all */
};

int endpoint_start(struct endpoint *endpoint)
{
    return endpoint->behaviour->start != NULL ? endpoint->behaviour->start(endpoint) : 0;
}

void endpoint_stop(struct endpoint *endpoint)
{
    if (endpoint->behaviour->stop != NULL)
        endpoint->behaviour->stop(endpoint);
    open_descriptors_abort_all(&endpoint->descriptors);
}

int endpoint_begin(struct endpoint *endpoint, int fd)
{
    int rc = open_descriptors_add(&endpoint->descriptors, fd);
    if (rc != 0) {
        endpoint_fail(endpoint, "malloc", -rc);
        close(fd);
        return rc;
    }
    endpoint->begun++;
    endpoint->behaviour->on_connection(endpoint, fd);
    return 0;
}

/* These say something about one connection that did not come about (man 2 accept). */
static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == EPROTO;
}

int endpoint_accept(struct endpoint *endpoint, const struct listener *listener, int flags)
{
    int fd = accept4(listener->fd, NULL, NULL, flags);
    if (fd >= 0)
        return fd;
    int error = errno;
    if (!is_passing(error)) {
        endpoint->errors++;
        endpoint->last_errno = error;
    }
    return -error;
}

/* Waking for each connection costs more than accepting it. */
static void take_breath(struct listener *listener)
{
    int64_t now_us = monotonic_us();
    if (now_us - listener->heard_us < BREATH_US)
        listener_rest(listener, BREATH_US);
    listener->heard_us = now_us;
}

void endpoint_accept_all(struct endpoint *endpoint, struct listener *listener)
{
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int fd = endpoint_accept(endpoint, listener, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int rc = fd >= 0 ? endpoint_begin(endpoint, fd) : fd;
        if (rc == -EAGAIN) {
            take_breath(listener);
            return;
        }
        if (rc == 0 || is_passing(-rc))
            continue;
        listener_rest(listener, SHORT_OF_DESCRIPTORS_US);
        return;
    }
}

void endpoint_on_acceptable(void *owner, struct listener *listener)
{
    struct endpoint *endpoint = owner;
    if (endpoint->behaviour->on_acceptable != NULL)
        endpoint->behaviour->on_acceptable(endpoint, listener);
    else
        endpoint_accept_all(endpoint, listener);
}

void endpoint_fail(struct endpoint *endpoint, const char *call, int error)
{
    if (endpoint->failed_call != NULL)
        return;
    endpoint->failed_call = call;
    endpoint->failed_errno = error;
}

int endpoint_ask(const struct endpoint *endpoint, int fd)
{
    if (endpoint->request == NULL)
        return act_apply(ACT_WRITE, fd);
    ssize_t sent = send(fd, endpoint->request, endpoint->request_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return -errno;
    return (size_t)sent == endpoint->request_length ? 0 : -EMSGSIZE;
}

void endpoint_close(struct endpoint *endpoint, int fd)
{
    open_descriptors_remove(&endpoint->descriptors, fd);
    close(fd);
}
