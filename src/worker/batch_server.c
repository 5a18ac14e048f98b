/* server_end: the side that listens. It accepts each lane's quota as fast as the kernel hands connections
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

struct listener {
    struct worker *worker;
    struct listener *next;
    struct door *door;
    int64_t lane;
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
    struct listener *listener = worker->role_state;
    while (listener != NULL) {
        struct listener *next = listener->next;
        door_free(listener->door);
        free(listener);
        listener = next;
    }
}

static void report(struct listener *listener)
{
    struct worker *worker = listener->worker;
    listener->reported = listener->accepted;
    wire_send(worker->wire, "accepted %lld %lld %lld %lld", (long long)listener->lane,
              (long long)listener->accepted, (long long)worker->ends.open, (long long)worker->errors);
}

/* These say something about one connection that did not come about (man 2 accept). */
static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EPROTO;
}

static void accept_failed(struct listener *listener, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    listener->worker->errors++;
    if (is_passing(error))
        return;
    listener->failed = true;
    door_leave(listener->door); /* the queue stays readable: without this an EMFILE would spin */
    report(listener);
    worker_fault(listener->worker, "accept", error, listener->door->port);
}

static void on_connections(void *owner, struct door *door)
{
    struct listener *listener = owner;
    struct worker *worker = listener->worker;
    int64_t before = listener->accepted;
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int end = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (end < 0) {
            accept_failed(listener, errno);
            break;
        }
        if (ends_add(&worker->ends, end) != 0) {
            close(end);
            accept_failed(listener, ENOMEM);
            break;
        }
        listener->accepted++;
    }
    bool is_first = listener->reported == 0 && listener->accepted > 0; /* a client may wait for just that */
    if (is_first || listener->accepted - listener->reported >= listener->report_every ||
        (listener->accepted >= listener->quota && listener->accepted > listener->reported))
        report(listener);
    /* Waking for each connection costs both processors more than accepting it: while connections come one by
     * one, a lane rests for a moment and lets the kernel queue some. */
    int64_t taken = listener->accepted - before;
    if (!listener->failed && taken > 0 && taken < listener->report_every &&
        listener->accepted < listener->quota)
        door_rest(door, BREATH_US);
}

/* Listening sockets instead of connections: the kernel allows several of one user on a port. */
static int open_listeners(struct worker *worker, const struct address *address, uint16_t port, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int fd = listen_socket_open_shared(address, port, 1);
        int rc = fd < 0 ? fd : ends_add(&worker->ends, fd);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int open_door(struct worker *worker, const struct wire_line *line, const struct address *address,
                     enum opening opening)
{
    struct listener *listener = memory_new(sizeof *listener);
    int backlog = (int)wire_number(line, 4), rc;
    *listener = (struct listener){
        .worker = worker,
        .next = worker->role_state,
        .lane = wire_number(line, 1),
        .quota = wire_number(line, 5),
        .report_every = backlog / 8 + 1, /* well below the window of half a backlog: see client_end */
    };
    listener->door = door_open(worker->base, address, (uint16_t)wire_number(line, 3), backlog, on_connections,
                               listener, &rc);
    if (listener->door == NULL) {
        free(listener);
        return rc;
    }
    worker->role_state = listener;
    if (opening != OPENING_FULL)
        door_leave(listener->door);
    return opening == OPENING_UNANSWERED ? packet_drop_begin(listener->door->fd) : 0;
}

static void do_listen(struct worker *worker, const struct wire_line *line)
{
    struct address address;
    uint16_t port = (uint16_t)wire_number(line, 3);
    if (line->count != 7 || !address_parse(line->word[2], &address)) {
        worker_fault(worker, "listen", EPROTO, port);
        return;
    }
    enum opening opening = opening_parse(line->word[6]);
    int rc = opening == OPENING_LISTENERS ? open_listeners(worker, &address, port, wire_number(line, 5))
                                          : open_door(worker, line, &address, opening);
    if (rc != 0)
        worker_fault(worker, "listen", -rc, port);
    else
        wire_send(worker->wire, "listening %lld", (long long)wire_number(line, 1));
}

static bool server_on_line(struct worker *worker, const struct wire_line *line)
{
    if (strcmp(line->word[0], "listen") != 0)
        return false;
    do_listen(worker, line);
    return true;
}

const struct worker_role server_end = {
    .name = "server",
    .start = server_start,
    .stop = server_stop,
    .on_line = server_on_line,
};
