/* batch_worker: both sides where all connections are opened together. The server accepts each lane's quota as
 * fast as the kernel hands connections over and reports how far it is: that report is the credit by which the
 * clients may go on. A client is never further ahead of what the server has accepted than its credit: an
 * accept queue that overflows costs seconds of SYN retransmission. */
#include "base/memory.h"
#include "kernel/keepalive.h"
#include "kernel/listen_socket.h"
#include "kernel/local_port.h"
#include "kernel/packet_drop.h"
#include "worker/listener.h"
#include "worker/reconnect.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server ---- */

enum {
    ACCEPTS_PER_WAKE = 512,
    BREATH_US = 1000, /* well below what the credits of a lane last for */
};

struct server_lane {
    struct worker *worker;
    struct server_lane *next;
    struct listener *listener;
    int64_t number;
    int64_t quota;
    int64_t accepted;
    int64_t reported;
    int64_t report_every;
    bool failed;
};

static bool server_start(struct worker *worker)
{
    worker->role_state = NULL; /* the first listener */
    return true;
}

static void server_stop(struct worker *worker)
{
    struct server_lane *lane = worker->role_state;
    while (lane != NULL) {
        struct server_lane *next = lane->next;
        listener_free(lane->listener);
        free(lane);
        lane = next;
    }
}

static void report_accepted(struct server_lane *lane)
{
    struct worker *worker = lane->worker;
    lane->reported = lane->accepted;
    link_send(worker->link, &(struct message){.id = MESSAGE_ACCEPTED,
                                              .accepted = {.lane = lane->number,
                                                           .total = lane->accepted,
                                                           .fds = worker->connections.open,
                                                           .errors = worker->errors}});
}

/* These say something about one connection that did not come about (man 2 accept). */
static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EPROTO;
}

static void accept_failed(struct server_lane *lane, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    lane->worker->errors++;
    if (is_passing(error))
        return;
    lane->failed = true;
    listener_leave(lane->listener); /* the queue stays readable: without this an EMFILE would spin */
    report_accepted(lane);
    worker_fault(lane->worker, "accept", error, lane->listener->port);
}

static void on_connections(void *owner, struct listener *listener)
{
    struct server_lane *lane = owner;
    struct worker *worker = lane->worker;
    int64_t before = lane->accepted;
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int end = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (end < 0) {
            accept_failed(lane, errno);
            break;
        }
        if (connection_set_add(&worker->connections, end) != 0) {
            close(end);
            accept_failed(lane, ENOMEM);
            break;
        }
        lane->accepted++;
    }
    bool is_first = lane->reported == 0 && lane->accepted > 0; /* a client may wait for just that */
    if (is_first || lane->accepted - lane->reported >= lane->report_every ||
        (lane->accepted >= lane->quota && lane->accepted > lane->reported))
        report_accepted(lane);
    /* Waking for each connection costs both processors more than accepting it: while connections come one by
     * one, a lane rests for a moment and lets the kernel queue some. */
    int64_t taken = lane->accepted - before;
    if (!lane->failed && taken > 0 && taken < lane->report_every && lane->accepted < lane->quota)
        listener_rest(listener, BREATH_US);
}

/* Listening sockets instead of connections: the kernel allows several of one user on a port. */
static int open_listeners(struct worker *worker, const struct address *address, uint16_t port, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int fd = listen_socket_open_shared(address, port, 1);
        int rc = fd < 0 ? fd : connection_set_add(&worker->connections, fd);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int open_listener(struct worker *worker, const struct message *message)
{
    struct server_lane *lane = memory_new(sizeof *lane);
    int rc;
    *lane = (struct server_lane){
        .worker = worker,
        .next = worker->role_state,
        .number = message->listen.lane,
        .quota = message->listen.quota,
        /* well below the window of half a backlog: see batch_client */
        .report_every = message->listen.backlog / 8 + 1,
    };
    lane->listener = listener_open(worker->base, &message->listen.address, (uint16_t)message->listen.port,
                                   message->listen.backlog, on_connections, lane, &rc);
    if (lane->listener == NULL) {
        free(lane);
        return rc;
    }
    worker->role_state = lane;
    if (!opening_is_accepted(message->listen.opening))
        listener_leave(lane->listener);
    rc = keepalive_begin(lane->listener->fd, worker->keepalive_s); /* its connections inherit it */
    if (rc == 0 && message->listen.opening == OPENING_UNANSWERED)
        rc = packet_drop_begin(lane->listener->fd);
    return rc;
}

static void on_listen(void *context, const struct message *message)
{
    struct worker *worker = context;
    uint16_t port = (uint16_t)message->listen.port;
    int rc = message->listen.opening == OPENING_LISTENERS
                 ? open_listeners(worker, &message->listen.address, port, message->listen.quota)
                 : open_listener(worker, message);
    if (rc != 0)
        worker_fault(worker, "listen", -rc, port);
    else
        link_send(worker->link, &(struct message){.id = MESSAGE_LISTENING, .lane = message->listen.lane});
}

static message_handler *const server_handlers[MESSAGE_COUNT] = {[MESSAGE_LISTEN] = on_listen};

/* Those who were never accepted are reset. */
static bool server_act(struct worker *worker, enum act act)
{
    struct connection_act_report report = {0};
    if (act != ACT_UNLISTEN)
        return false;
    for (struct server_lane *lane = worker->role_state; lane != NULL; lane = lane->next) {
        if (lane->listener->fd >= 0)
            listener_close(lane->listener);
        report.done += lane->quota;
    }
    worker_acted(worker, &report, true);
    return true;
}

const struct worker_role batch_server = {
    .name = "server",
    .nice = NICE_BEHIND_THE_WITNESS,
    .start = server_start,
    .stop = server_stop,
    .act = server_act,
    .handlers = server_handlers,
};

/* ---- the client ---- */

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
    uint16_t *from;    /* local ports of those started; NULL: nobody will ask */
    uint16_t port;
    bool is_deaf;   /* its ends hear nothing from the start */
    bool is_narrow; /* they have the least of receive buffers */
    bool is_vain;   /* no handshake is expected to complete */
};

struct pending_connect;

struct client {
    struct client_lane *lanes;
    struct pending_connect *pending; /* handshakes to wait for */
    struct event *tick;
    struct reconnect *reconnecting; /* NULL: no such act is under way */
    bool stopped;                   /* after a fault, or because the controller says so */
};

/* A connect() that was not complete when it returned; rare on loopback. */
struct pending_connect {
    struct worker *worker;
    struct client_lane *lane;
    struct event *event;
    struct pending_connect *next;
};

static void report_opened(struct worker *worker, const struct client_lane *lane)
{
    link_send(worker->link, &(struct message){.id = MESSAGE_OPENED,
                                              .opened = {.lane = lane->lane,
                                                         .started = lane->started,
                                                         .connected = lane->connected,
                                                         .fds = worker->connections.open,
                                                         .errors = worker->errors}});
}

static void connect_failed(struct worker *worker, const struct client_lane *lane, const char *call, int error)
{
    struct client *client = worker->role_state;
    worker->errors++;
    client->stopped = true;
    report_opened(worker, lane);
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
        report_opened(pending->worker, pending->lane);
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

/* The window of the handshake follows from it. */
static int narrow(int fd)
{
    const int least = 1; /* the kernel has a least of its own, 2,304 */
    return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) == 0 ? 0 : -errno;
}

static bool open_one(struct worker *worker, struct client_lane *lane)
{
    int fd = socket(lane->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        connect_failed(worker, lane, "socket", errno);
        return false;
    }
    int rc = lane->is_deaf ? packet_drop_begin(fd) : lane->is_narrow ? narrow(fd) : 0;
    if (rc == 0 && lane->from != NULL)
        rc = local_port_reserve(fd, lane->where.ss_family);
    rc = rc != 0 ? rc : keepalive_begin(fd, worker->keepalive_s);
    rc = rc != 0 ? rc : connect_now_or_later(worker, lane, fd);
    if (rc == 0)
        rc = connection_set_add(&worker->connections, fd);
    if (rc != 0) {
        close(fd);
        connect_failed(worker, lane, "connect", -rc);
        return false;
    }
    if (lane->from != NULL)
        lane->from[lane->started] = listen_socket_port(fd);
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
            report_opened(worker, lane);
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
    reconnect_cancel(client->reconnecting);
    client->reconnecting = NULL;
}

static void client_stop(struct worker *worker)
{
    struct client *client = worker->role_state;
    reconnect_cancel(client->reconnecting);
    while (client->lanes != NULL) {
        struct client_lane *next = client->lanes->next;
        free(client->lanes->from);
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

static void on_connect(void *context, const struct message *message)
{
    const struct worker *worker = context;
    struct client *client = worker->role_state;
    enum opening opening = message->connect.opening;
    struct client_lane *lane = memory_new(sizeof *lane);
    lane->lane = message->connect.lane;
    lane->port = (uint16_t)message->connect.port;
    lane->quota = message->connect.quota;
    lane->is_deaf = opening == OPENING_HALF;
    if (message->connect.reconnects)
        lane->from = memory_new((size_t)(lane->quota + 1) * sizeof *lane->from);
    lane->is_narrow = opening == OPENING_NARROW;
    lane->is_vain = opening == OPENING_HALF || opening == OPENING_UNANSWERED;
    lane->where_length = address_to_sockaddr(&message->connect.address, lane->port, &lane->where);
    lane->next = client->lanes;
    client->lanes = lane;
}

static void on_credit(void *context, const struct message *message)
{
    static const struct timeval at_once = {0, 0};
    const struct worker *worker = context;
    struct client *client = worker->role_state;
    for (struct client_lane *lane = client->lanes; lane != NULL; lane = lane->next)
        if (lane->lane == message->credit.lane)
            lane->credit = message->credit.total;
    if (!client->stopped)
        evtimer_add(client->tick, &at_once);
}

static message_handler *const client_handlers[MESSAGE_COUNT] = {
    [MESSAGE_CONNECT] = on_connect,
    [MESSAGE_CREDIT] = on_credit,
};

/* ---- the client's ports come round ---- */

static void on_reconnected(void *context, const struct connection_act_report *report, bool finished)
{
    struct worker *worker = context;
    struct client *client = worker->role_state;
    if (finished)
        client->reconnecting = NULL; /* frees itself */
    worker_acted(worker, report, finished);
}

static bool client_act(struct worker *worker, enum act act)
{
    struct client *client = worker->role_state;
    struct reconnect_lane *lanes = NULL;
    size_t count = 0;
    if (act != ACT_RECONNECT || client->reconnecting != NULL)
        return false;
    for (const struct client_lane *lane = client->lanes; lane != NULL; lane = lane->next) {
        if (lane->from == NULL)
            continue;
        lanes = memory_resize(lanes, (count + 1) * sizeof *lanes);
        lanes[count] = (struct reconnect_lane){
            .to = lane->where, .length = lane->where_length, .from = lane->from, .count = lane->started};
        count++;
    }
    client->reconnecting =
        reconnect_start(worker->base, &worker->connections, lanes, count, on_reconnected, worker);
    free(lanes);
    return true;
}

const struct worker_role batch_client = {
    .name = "client",
    .nice = NICE_BEHIND_THE_WITNESS,
    .start = client_start,
    .stop = client_stop,
    .act = client_act,
    .halt = client_halt,
    .handlers = client_handlers,
};
