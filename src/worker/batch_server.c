/* batch_server: the side that listens. It accepts each lane's quota as fast as the kernel hands connections
 * over and reports how far it is: that report is the credit by which the clients may go on. */
#include "base/memory.h"
#include "kernel/listen_socket.h"
#include "kernel/packet_drop.h"
#include "model/close_order.h"
#include "worker/listener.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void report(struct server_lane *lane)
{
    struct worker *worker = lane->worker;
    lane->reported = lane->accepted;
    link_send(worker->link, "accepted %lld %lld %lld %lld", (long long)lane->number,
              (long long)lane->accepted, (long long)worker->connections.open, (long long)worker->errors);
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
    report(lane);
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
        report(lane);
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

static int open_listener(struct worker *worker, const struct link_line *line, const struct address *address,
                         enum opening opening)
{
    struct server_lane *lane = memory_new(sizeof *lane);
    int backlog = (int)link_number(line, 4), rc;
    *lane = (struct server_lane){
        .worker = worker,
        .next = worker->role_state,
        .number = link_number(line, 1),
        .quota = link_number(line, 5),
        .report_every = backlog / 8 + 1, /* well below the window of half a backlog: see batch_client */
    };
    lane->listener = listener_open(worker->base, address, (uint16_t)link_number(line, 3), backlog,
                                   on_connections, lane, &rc);
    if (lane->listener == NULL) {
        free(lane);
        return rc;
    }
    worker->role_state = lane;
    if (opening != OPENING_FULL)
        listener_leave(lane->listener);
    return opening == OPENING_UNANSWERED ? packet_drop_begin(lane->listener->fd) : 0;
}

static void do_listen(struct worker *worker, const struct link_line *line)
{
    struct address address;
    uint16_t port = (uint16_t)link_number(line, 3);
    if (line->count != 7 || !address_parse(line->word[2], &address)) {
        worker_fault(worker, "listen", EPROTO, port);
        return;
    }
    enum opening opening = opening_parse(line->word[6]);
    int rc = opening == OPENING_LISTENERS ? open_listeners(worker, &address, port, link_number(line, 5))
                                          : open_listener(worker, line, &address, opening);
    if (rc != 0)
        worker_fault(worker, "listen", -rc, port);
    else
        link_send(worker->link, "listening %lld", (long long)link_number(line, 1));
}

static bool server_on_line(struct worker *worker, const struct link_line *line)
{
    if (strcmp(line->word[0], "listen") != 0)
        return false;
    do_listen(worker, line);
    return true;
}

const struct worker_role batch_server = {
    .name = "server",
    .start = server_start,
    .stop = server_stop,
    .on_line = server_on_line,
};
