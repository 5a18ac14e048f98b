#include "worker/connector.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernel/keepalive.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTS_PER_TURN = 64,
    TOGETHER_US = 500,  /* arrivals closer than this share a wake-up: it costs more than a connection */
    AGAIN_US = 1000,    /* until who was refused comes again: see struct behaviour */
    GRACE_US = 2000000, /* for the other side's last act, after the last connection's time has come */
};

struct destination {
    struct sockaddr_storage where;
    socklen_t length;
    uint16_t port;
};

/* A connect() that was not complete when it returned. */
struct attempt {
    TAILQ_ENTRY(attempt) link;
    struct event done;
    struct connector *connector;
    const struct destination *to;
    int64_t began_us;
    int fd;
};

static void fail(struct connector *connector, const char *call, int error, const struct destination *to)
{
    connector->is_stopped = true;
    connector->on_failure(connector->owner, call, error, to->port);
}

static void begin(struct connector *connector, int fd)
{
    connector->connected++;
    connector->last_event_us = monotonic_us();
    connector->refused_us = 0;
    endpoint_begin(connector->endpoint, fd);
}

/* ---- attempts ---- */

static void free_attempt(struct attempt *attempt)
{
    TAILQ_REMOVE(&attempt->connector->attempts, attempt, link);
    event_del(&attempt->done);
    free(attempt);
}

/* True when whoever was refused comes again, and is not to be counted. */
static bool comes_again(struct connector *connector, int error)
{
    int64_t now_us = monotonic_us();
    if (error != ECONNREFUSED || !connector->endpoint->behaviour->comes_again)
        return false;
    if (connector->refused_us == 0)
        connector->refused_us = now_us;
    if (now_us - connector->refused_us > connector->timeout_us)
        return false;
    struct timeval again = timeval_of_us(AGAIN_US);
    connector->again_us = now_us + AGAIN_US;
    connector->pacer.next--;
    evtimer_add(connector->due, &again);
    return true;
}

/* The descriptor is the behaviour's now. True: it has not closed it. */
static bool is_abandoned(struct endpoint *endpoint, int fd)
{
    int64_t before = endpoint->descriptors.count;
    if (open_descriptors_add(&endpoint->descriptors, fd) != 0) {
        endpoint_fail(endpoint, "malloc", ENOMEM);
        close(fd);
        return false;
    }
    endpoint->behaviour->on_given_up(endpoint, fd);
    return endpoint->descriptors.count > before;
}

/* Of those a server in trouble has to answer for. */
static void give_up(struct attempt *attempt, int error)
{
    struct connector *connector = attempt->connector;
    struct endpoint *endpoint = connector->endpoint;
    int fd = attempt->fd;
    free_attempt(attempt);
    connector->started--;
    connector->last_event_us = monotonic_us();
    if (comes_again(connector, error)) {
        close(fd);
        return;
    }
    connector->timeouts += error == ETIMEDOUT;
    endpoint->errors++;
    endpoint->last_errno = error;
    if (error != ETIMEDOUT || endpoint->behaviour->on_given_up == NULL)
        close(fd);
    else
        connector->abandoned += is_abandoned(endpoint, fd);
}

static void on_attempt_done(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct attempt *attempt = context;
    struct connector *connector = attempt->connector;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        if (is_failure_here(error))
            fail(connector, "connect", error, attempt->to);
        give_up(attempt, error);
        return;
    }
    free_attempt(attempt);
    begin(connector, fd);
}

void connector_give_up_old(struct connector *connector)
{
    int64_t too_old_us = monotonic_us() - connector->timeout_us;
    struct attempt *oldest;
    while ((oldest = TAILQ_FIRST(&connector->attempts)) != NULL && oldest->began_us <= too_old_us)
        give_up(oldest, ETIMEDOUT);
}

int64_t connector_waiting_us(const struct connector *connector)
{
    const struct attempt *oldest = TAILQ_FIRST(&connector->attempts);
    return oldest != NULL ? monotonic_us() - oldest->began_us : 0;
}

static void wait_for(struct connector *connector, const struct destination *to, int fd)
{
    struct attempt *attempt = memory_new(sizeof *attempt);
    *attempt = (struct attempt){.connector = connector, .to = to, .began_us = monotonic_us(), .fd = fd};
    event_assign(&attempt->done, connector->endpoint->base, fd, EV_WRITE, on_attempt_done, attempt);
    event_add(&attempt->done, NULL);
    TAILQ_INSERT_TAIL(&connector->attempts, attempt, link);
}

/* ---- arrivals ---- */

/* On loopback the handshake is usually complete when a non-blocking connect() returns EINPROGRESS; asking
 * once more says so with EISCONN, and saves the event. */
static int connect_now_or_later(struct connector *connector, const struct destination *to, int fd)
{
    const struct sockaddr *where = (const struct sockaddr *)&to->where;
    int rc = connect(fd, where, to->length);
    if (rc != 0 && errno == EINPROGRESS)
        rc = connect(fd, where, to->length);
    if (rc == 0 || errno == EISCONN) {
        begin(connector, fd);
        return 0;
    }
    if (errno != EALREADY && errno != EINPROGRESS)
        return -errno;
    wait_for(connector, to, fd);
    return 0;
}

static void arrive(struct connector *connector)
{
    struct endpoint *endpoint = connector->endpoint;
    if (endpoint->behaviour->on_due != NULL && endpoint->behaviour->on_due(endpoint)) {
        connector->last_event_us = monotonic_us();
        return;
    }
    const struct destination *to =
        &connector->destinations[(connector->pacer.next - 1) % connector->destination_count];
    int fd = socket(to->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(connector, "socket", errno, to);
        return;
    }
    connector->started++;
    int rc = keepalive_begin(fd, connector->keepalive_s);
    if (rc == 0)
        rc = connect_now_or_later(connector, to, fd);
    if (rc == 0)
        return;
    close(fd);
    connector->started--;
    if (comes_again(connector, -rc))
        return;
    endpoint->errors++;
    endpoint->last_errno = -rc;
    bool is_nobody_there = rc == -ECONNREFUSED && connector->connected == 0;
    bool is_meant = endpoint->behaviour->may_not_connect && !is_failure_here(-rc) && !is_nobody_there;
    if (rc != -ECONNRESET && rc != -ETIMEDOUT && !is_meant)
        fail(connector, "connect", -rc, to);
}

static void on_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connector *connector = context;
    int64_t now_us = monotonic_us();
    for (int i = 0; i < CONNECTS_PER_TURN && !connector->is_stopped && now_us >= connector->again_us; i++) {
        if (!pacer_take(&connector->pacer, now_us))
            break;
        arrive(connector);
        now_us = monotonic_us();
    }
    if (connector->is_stopped || connector->pacer.next == connector->pacer.total)
        return;
    int64_t due_us = pacer_due_us(&connector->pacer, connector->pacer.next);
    int64_t wait_us = (due_us > connector->again_us ? due_us : connector->again_us) - now_us;
    struct timeval wait = timeval_of_us(wait_us > 0 && wait_us < TOGETHER_US ? TOGETHER_US : wait_us);
    evtimer_add(connector->due, &wait);
}

bool connector_is_over(const struct connector *connector)
{
    const struct endpoint *endpoint = connector->endpoint;
    if (connector->pacer.next < connector->pacer.total || !TAILQ_EMPTY(&connector->attempts))
        return false;
    return endpoint->ended == endpoint->begun ||
           monotonic_us() - connector->last_event_us > endpoint->life_us + GRACE_US;
}

/* ---- its life ---- */

void connector_start(struct connector *connector, struct endpoint *endpoint, on_connector_failure *on_failure,
                     void *owner)
{
    *connector = (struct connector){.endpoint = endpoint, .on_failure = on_failure, .owner = owner};
    TAILQ_INIT(&connector->attempts);
    connector->due = evtimer_new(endpoint->base, on_due, connector);
}

void connector_add_destination(struct connector *connector, const struct address *address, uint16_t port)
{
    size_t count = (size_t)connector->destination_count + 1;
    connector->destinations = memory_resize(connector->destinations, count * sizeof *connector->destinations);
    struct destination *to = &connector->destinations[connector->destination_count++];
    to->port = port;
    to->length = address_to_sockaddr(address, to->port, &to->where);
}

void connector_begin(struct connector *connector, int64_t total, int64_t rate_milli, int64_t timeout_us)
{
    static const struct timeval at_once = {0, 0};
    connector->pacer = (struct pacer){.began_us = monotonic_us(), .total = total, .rate_milli = rate_milli};
    connector->timeout_us = timeout_us;
    connector->last_event_us = connector->pacer.began_us;
    evtimer_add(connector->due, &at_once);
}

void connector_halt(struct connector *connector)
{
    connector->is_stopped = true;
    evtimer_del(connector->due);
}

void connector_stop(struct connector *connector)
{
    struct attempt *attempt;
    while ((attempt = TAILQ_FIRST(&connector->attempts)) != NULL) {
        int fd = attempt->fd;
        free_attempt(attempt);
        close(fd);
    }
    event_free(connector->due);
    free(connector->destinations);
}
