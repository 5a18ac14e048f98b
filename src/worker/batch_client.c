/* batch_client: the side that connects. It opens each lane's quota, never further ahead of what the server
 * has accepted than its credit: an accept queue that overflows costs seconds of SYN retransmission. */
#include "base/memory.h"
#include "kernel/packet_drop.h"
#include "model/close_order.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTS_PER_TURN = 128 };

struct client_lane {
    struct client_lane *next;
    struct sockaddr_storage where;
    socklen_t where_length;
    int64_t lane;
    int64_t quota;
    int64_t credit;    /* connections that may be started in all */
    int64_t started;   /* connect() called and not failed */
    int64_t connected; /* of them, handshake complete, or not to be waited for */
    uint16_t port;
    bool is_deaf; /* its ends hear nothing from the start */
    bool is_vain; /* no handshake is expected to complete */
};

struct pending_connect;

struct client {
    struct client_lane *lanes;
    struct pending_connect *pending; /* handshakes to wait for */
    struct event *tick;
    bool stopped; /* after a fault, or because the controller says so */
};

/* A connect() that was not complete when it returned; rare on loopback. */
struct pending_connect {
    struct worker *worker;
    struct client_lane *lane;
    struct event *event;
    struct pending_connect *next;
};

static void report(struct worker *worker, const struct client_lane *lane)
{
    link_send(worker->link, "opened %lld %lld %lld %lld %lld", (long long)lane->lane,
              (long long)lane->started, (long long)lane->connected, (long long)worker->connections.open,
              (long long)worker->errors);
}

static void connect_failed(struct worker *worker, const struct client_lane *lane, const char *call, int error)
{
    struct client *client = worker->role_state;
    worker->errors++;
    client->stopped = true;
    report(worker, lane);
    worker_fault(worker, call, error, lane->port);
}

static void on_connected(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct pending_connect *pending = context;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        pending->lane->started--;
        connect_failed(pending->worker, pending->lane, "connect", error);
    } else {
        pending->lane->connected++;
        report(pending->worker, pending->lane);
    }
    event_free(pending->event);
    pending->event = NULL; /* the rest is freed with the client */
}

static void wait_for_connect(struct worker *worker, struct client_lane *lane, int fd)
{
    struct pending_connect *pending = memory_new(sizeof *pending);
    struct client *client = worker->role_state;
    *pending = (struct pending_connect){.worker = worker, .lane = lane, .next = client->pending};
    pending->event = event_new(worker->base, fd, EV_WRITE, on_connected, pending);
    event_add(pending->event, NULL);
    client->pending = pending;
}

/* On loopback the handshake is usually complete when a non-blocking connect() returns EINPROGRESS; asking
 * once more says so with EISCONN, and saves the event. */
static int connect_now_or_later(struct worker *worker, struct client_lane *lane, int fd)
{
    const struct sockaddr *where = (const struct sockaddr *)&lane->where;
    int rc = connect(fd, where, lane->where_length);
    if (rc != 0 && errno == EINPROGRESS)
        rc = connect(fd, where, lane->where_length);
    if (rc == 0 || errno == EISCONN) {
        lane->connected++;
        return 0;
    }
    if (lane->is_vain && (errno == EALREADY || errno == EINPROGRESS)) {
        lane->connected++;
        return 0;
    }
    if (errno != EALREADY && errno != EINPROGRESS)
        return -errno;
    wait_for_connect(worker, lane, fd);
    return 0;
}

static bool open_one(struct worker *worker, struct client_lane *lane)
{
    int fd = socket(lane->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        connect_failed(worker, lane, "socket", errno);
        return false;
    }
    int rc = lane->is_deaf ? packet_drop_begin(fd) : 0;
    rc = rc != 0 ? rc : connect_now_or_later(worker, lane, fd);
    if (rc == 0)
        rc = connection_set_add(&worker->connections, fd);
    if (rc != 0) {
        close(fd);
        connect_failed(worker, lane, "connect", -rc);
        return false;
    }
    lane->started++;
    return true;
}

static bool has_credit(const struct client_lane *lane)
{
    return lane->started < lane->credit && lane->started < lane->quota;
}

/* One turn per lane, so that no lane starves, then back to the event loop: it must hear the controller. */
static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *worker = context;
    struct client *client = worker->role_state;
    bool more = false;
    for (struct client_lane *lane = client->lanes; lane != NULL && !client->stopped; lane = lane->next) {
        int64_t before = lane->started;
        for (int i = 0; i < CONNECTS_PER_TURN && has_credit(lane) && open_one(worker, lane); i++)
            ;
        if (lane->started > before && !client->stopped)
            report(worker, lane);
        more |= has_credit(lane);
    }
    static const struct timeval at_once = {0, 0};
    if (more && !client->stopped)
        evtimer_add(client->tick, &at_once);
}

static bool client_start(struct worker *worker)
{
    struct client *client = memory_new(sizeof *client);
    worker->role_state = client;
    client->tick = evtimer_new(worker->base, on_tick, worker);
    return true;
}

static void client_halt(struct worker *worker)
{
    struct client *client = worker->role_state;
    client->stopped = true;
    evtimer_del(client->tick);
}

static void client_stop(struct worker *worker)
{
    struct client *client = worker->role_state;
    while (client->lanes != NULL) {
        struct client_lane *next = client->lanes->next;
        free(client->lanes);
        client->lanes = next;
    }
    while (client->pending != NULL) {
        struct pending_connect *next = client->pending->next;
        if (client->pending->event != NULL)
            event_free(client->pending->event);
        free(client->pending);
        client->pending = next;
    }
    event_free(client->tick);
    free(client);
}

static void do_connect(struct worker *worker, const struct link_line *line)
{
    struct client *client = worker->role_state;
    struct address address;
    uint16_t port = (uint16_t)link_number(line, 3);
    if (line->count != 6 || !address_parse(line->word[2], &address)) {
        worker_fault(worker, "connect", EPROTO, port);
        return;
    }
    struct client_lane *lane = memory_new(sizeof *lane);
    lane->lane = link_number(line, 1);
    lane->port = port;
    lane->quota = link_number(line, 4);
    enum opening opening = opening_parse(line->word[5]);
    lane->is_deaf = opening == OPENING_HALF;
    lane->is_vain = opening == OPENING_HALF || opening == OPENING_UNANSWERED;
    lane->where_length = address_to_sockaddr(&address, port, &lane->where);
    lane->next = client->lanes;
    client->lanes = lane;
}

static void do_credit(struct worker *worker, const struct link_line *line)
{
    static const struct timeval at_once = {0, 0};
    struct client *client = worker->role_state;
    int64_t wanted = link_number(line, 1);
    for (struct client_lane *lane = client->lanes; lane != NULL; lane = lane->next)
        if (lane->lane == wanted)
            lane->credit = link_number(line, 2);
    if (!client->stopped)
        evtimer_add(client->tick, &at_once);
}

static bool client_on_line(struct worker *worker, const struct link_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct worker *worker, const struct link_line *line);
    } verbs[] = {{"connect", do_connect}, {"credit", do_credit}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, line->word[0]) == 0) {
            verbs[i].run(worker, line);
            return true;
        }
    }
    return false;
}

const struct worker_role batch_client = {
    .name = "client",
    .start = client_start,
    .stop = client_stop,
    .halt = client_halt,
    .on_line = client_on_line,
};
