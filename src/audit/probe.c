#include "audit/probe.h"

#include "storm/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SETTLE_US = 200000, /* without a request: for so long the connection is just there */
    QUIET_US = 100000,  /* after a reply */
    REPLY_US = 2000000, /* for the first byte of it */
    READ_SIZE = 16384,
    READS_AT_ONCE = 16,  /* then the others have their turn */
    BYTES_MAX = 1 << 20, /* of a server that sends for ever, so much is read after the act and no more */
};

static void end(struct probe *probe, enum probe_end how, int error)
{
    probe->before_act = probe->phase < PROBE_ACTED;
    probe->phase = PROBE_ENDED;
    probe->end = how;
    probe->error = error;
    probe->ended_us = monotonic_us();
    probe_stop(probe);
}

void probe_stop(struct probe *probe)
{
    if (probe->fd < 0)
        return;
    event_del(&probe->event);
    close(probe->fd);
    probe->fd = -1;
}

void probe_note_closed(struct probe *probe, int64_t now_us)
{
    if (probe->phase != PROBE_ACTED)
        return;
    probe->phase = PROBE_ENDED;
    probe->end = END_FIN;
    probe->ended_us = now_us;
}

/* ---- the client's act ---- */

static void act(struct probe *probe)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    probe->phase = PROBE_ACTED;
    probe->acted_us = monotonic_us();
    switch (probe->settings->order) {
    case AUDIT_HALF_CLOSE:
        if (shutdown(probe->fd, SHUT_WR) != 0)
            end(probe, END_RESET, errno);
        break;
    case AUDIT_ABORT:
        setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        probe_stop(probe);
        break;
    case AUDIT_CLIENT_FIRST:
        probe_stop(probe);
        break;
    case AUDIT_IDLE:
    case AUDIT_ORDER_COUNT:
        break;
    }
}

/* ---- what the kernel tells ---- */

static void drain(struct probe *probe)
{
    char buffer[READ_SIZE];
    for (int reads = 0; reads < READS_AT_ONCE; reads++) {
        ssize_t length = recv(probe->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (length == 0) {
            end(probe, END_FIN, 0);
            return;
        }
        if (length < 0) {
            if (errno != EAGAIN && errno != EINTR)
                end(probe, END_RESET, errno);
            return;
        }
        probe->bytes += length;
        probe->heard_us = monotonic_us();
        probe->bytes_since_act += probe->phase == PROBE_ACTED ? length : 0;
        if (probe->bytes_since_act > BYTES_MAX) {
            probe->sends_on = true;
            event_del(&probe->event);
            return;
        }
        if (length < READ_SIZE)
            return;
    }
}

static void talk(struct probe *probe)
{
    const struct audit_settings *settings = probe->settings;
    while (probe->sent < settings->request_length) {
        ssize_t length = send(probe->fd, settings->request + probe->sent,
                              settings->request_length - probe->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0) {
            end(probe, END_RESET, errno);
            return;
        }
        probe->sent += (size_t)length;
    }
}

static void hear_from_now_on(struct probe *probe)
{
    struct event_base *base = event_get_base(&probe->event);
    event_callback_fn callback = event_get_callback(&probe->event);
    bool has_more = probe->sent < probe->settings->request_length;
    event_del(&probe->event);
    event_assign(&probe->event, base, probe->fd, (short)(EV_READ | EV_PERSIST | (has_more ? EV_WRITE : 0)),
                 callback, probe);
    event_add(&probe->event, NULL);
}

static void note_own_end(struct probe *probe)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    if (getsockname(probe->fd, (struct sockaddr *)&own, &length) == 0)
        address_from_sockaddr(&own, &probe->address, &probe->port);
}

static void connected(struct probe *probe)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == ECONNREFUSED)
        end(probe, END_REFUSED, error);
    else if (error == ETIMEDOUT || error == EHOSTUNREACH)
        end(probe, END_TIMED_OUT, error);
    else if (error == ECONNRESET)
        end(probe, END_RESET, error);
    else if (error != 0)
        end(probe, END_FAILED, error);
    if (error != 0)
        return;
    note_own_end(probe);
    probe->phase = PROBE_TALKING;
    probe->connected_us = monotonic_us();
    talk(probe);
    if (probe->phase == PROBE_TALKING)
        hear_from_now_on(probe);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct probe *probe = context;
    if (probe->phase == PROBE_CONNECTING) {
        connected(probe);
        return;
    }
    if ((what & EV_WRITE) != 0 && probe->phase == PROBE_TALKING) {
        talk(probe);
        if (probe->phase == PROBE_TALKING && probe->sent == probe->settings->request_length)
            hear_from_now_on(probe);
    }
    if ((what & EV_READ) != 0 && probe->fd >= 0)
        drain(probe);
}

void probe_start(struct probe *probe, struct event_base *base, const struct audit_settings *settings,
                 int round)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(&settings->address, settings->port, &to);
    *probe = (struct probe){.settings = settings, .round = round, .fd = -1, .began_us = monotonic_us()};
    int fd = socket(settings->address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        end(probe, END_FAILED, errno);
        return;
    }
    event_assign(&probe->event, base, fd, EV_WRITE, on_event, probe);
    probe->fd = fd;
    if (connect(fd, (struct sockaddr *)&to, length) == 0 || errno == EINPROGRESS)
        event_add(&probe->event, NULL);
    else
        end(probe, errno == ECONNREFUSED ? END_REFUSED : END_FAILED, errno);
}

void probe_tick(struct probe *probe, int64_t now_us)
{
    const struct audit_settings *settings = probe->settings;
    if (probe->phase == PROBE_CONNECTING && now_us - probe->began_us > settings->connect_timeout_ms * 1000)
        end(probe, END_TIMED_OUT, ETIMEDOUT);
    if (probe->phase != PROBE_TALKING)
        return;
    bool replied = probe->heard_us > 0;
    int64_t since_us = replied ? probe->heard_us : probe->connected_us;
    int64_t wait_us = settings->request == NULL ? SETTLE_US : replied ? QUIET_US : REPLY_US;
    bool goes_on = now_us - probe->connected_us > REPLY_US; /* a stream has no end to wait for */
    if (now_us - since_us >= wait_us || goes_on)
        act(probe);
}
