#include "audit/client_visit.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SETTLE_US = 200000, /* nothing has come: the connection is just there */
    QUIET_US = 100000,  /* after a reply */
    PART_US = 20000,    /* between parts of a request that only silence ends */
    READ_SIZE = 16384,
    READS_AT_ONCE = 16,
};

static void change(struct client_visit *visit, enum visit_stage stage)
{
    event_del(&visit->io);
    event_del(&visit->timer);
    visit->stage = stage;
    visit->house->happened++;
    visit->house->on_change(visit->house->context);
}

static void be_over(struct client_visit *visit, int error)
{
    visit->error = error == EPIPE ? ECONNRESET : error;
    visit->ended_us = monotonic_us();
    event_del(&visit->io);
    close(visit->fd);
    visit->fd = -1;
    change(visit, VISIT_OVER);
}

static void wait_for_quiet(struct client_visit *visit, int64_t wait_us)
{
    const struct timeval wait = timeval_of_us(wait_us);
    if (event_add(&visit->timer, &wait) != 0)
        be_over(visit, ENOMEM);
}

static void on_event(evutil_socket_t fd, short what, void *context);

static void listen_on(struct client_visit *visit)
{
    short what = (short)(EV_READ | EV_PERSIST | (visit->to_send > 0 ? EV_WRITE : 0));
    event_del(&visit->io);
    event_assign(&visit->io, visit->house->base, visit->fd, what, on_event, visit);
    if (event_add(&visit->io, NULL) != 0)
        be_over(visit, ENOMEM);
}

/* ---- replies ---- */

static bool is_due(const struct client_visit *visit)
{
    return visit->house->manner->moment == WHEN_REPLIED && visit->requests >= visit->house->requests &&
           visit->to_send == 0;
}

static void speak(struct client_visit *visit)
{
    while (visit->to_send > 0) {
        ssize_t length = send(visit->fd, visit->next, visit->to_send, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0 && errno != EINTR) {
            be_over(visit, errno);
            return;
        }
        visit->next += length > 0 ? length : 0;
        visit->to_send -= length > 0 ? (size_t)length : 0;
    }
    if (is_due(visit))
        change(visit, VISIT_READY);
    else
        wait_for_quiet(visit, QUIET_US);
}

/* A whole request is there. */
static void answer(struct client_visit *visit)
{
    const struct visit_house *house = visit->house;
    visit->requests++;
    visit->has_request = false;
    if (house->manner->moment == WHEN_ASKED) {
        change(visit, VISIT_READY);
        return;
    }
    if (!house->manner->replies || house->reply == NULL) {
        wait_for_quiet(visit, QUIET_US);
        return;
    }
    visit->next = house->reply;
    visit->to_send = house->manner->half_reply ? (house->reply_length + 1) / 2 : house->reply_length;
    speak(visit);
}

/* ---- what comes ---- */

static void take_bytes(struct client_visit *visit, const char *bytes, size_t length)
{
    visit->bytes += (int64_t)length;
    visit->house->happened++;
    if (visit->house->manner->moment == WHEN_BEGUN) {
        change(visit, VISIT_READY);
    } else if (visit->house->is_http) {
        int requests = http_reader_take(&visit->reader, bytes, length);
        for (; requests > 0 && visit->stage == VISIT_TALKS && visit->to_send == 0; requests--)
            answer(visit);
    } else {
        visit->has_request = true;
        wait_for_quiet(visit, PART_US);
    }
}

static void drain(struct client_visit *visit)
{
    char buffer[READ_SIZE];
    for (int reads = 0; reads < READS_AT_ONCE && visit->stage == VISIT_TALKS; reads++) {
        ssize_t length = recv(visit->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length <= 0) {
            be_over(visit, length < 0 ? errno : 0);
            return;
        }
        take_bytes(visit, buffer, (size_t)length);
    }
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct client_visit *visit = context;
    if ((what & EV_WRITE) != 0)
        speak(visit);
    if ((what & EV_READ) != 0 && visit->stage == VISIT_TALKS)
        drain(visit);
    if (visit->stage == VISIT_TALKS)
        listen_on(visit);
}

/* Nothing has come for a while. */
static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct client_visit *visit = context;
    bool is_within = visit->house->is_http && http_reader_is_within(&visit->reader);
    if (visit->has_request) {
        answer(visit);
        if (visit->stage == VISIT_TALKS)
            listen_on(visit);
    } else if (visit->house->manner->moment != WHEN_REPLIED && !is_within && visit->to_send == 0) {
        change(visit, VISIT_READY);
    }
}

/* ---- the visit ---- */

void client_visit_begin(struct client_visit *visit, struct visit_house *house, int fd)
{
    visit->house = house;
    visit->fd = fd;
    visit->came_us = monotonic_us();
    evtimer_assign(&visit->timer, house->base, on_timer, visit);
    event_assign(&visit->io, house->base, fd, EV_READ | EV_PERSIST, on_event, visit);
    int error = tcp_link_of(fd, &visit->link);
    if (error != 0) {
        be_over(visit, error == ENOTCONN ? ECONNRESET : error);
        return;
    }
    wait_for_quiet(visit, SETTLE_US);
    if (visit->stage == VISIT_TALKS)
        listen_on(visit);
}

int client_visit_adopt(struct client_visit *visit)
{
    int fd = visit->fd;
    visit->fd = -1;
    visit->stage = VISIT_ADOPTED;
    return fd;
}

void client_visit_stop(struct client_visit *visit)
{
    if (visit->fd < 0)
        return;
    event_del(&visit->io);
    event_del(&visit->timer);
    close(visit->fd);
    visit->fd = -1;
}
