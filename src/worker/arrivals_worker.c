/* arrivals_worker: both sides where connections come one by one. The server's behaviour accepts them and does
 * the rest; where descriptors run out it stays up and says so. The client connects when each is due; a
 * connect() that is not answered is waited for, as a client would, and given up after a while. */
#include "base/clock.h"
#include "base/memory.h"
#include "worker/endpoint.h"
#include "worker/pacer.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first member of each role's state. */
struct arrivals_worker {
    struct worker *worker;
    struct endpoint endpoint;
    struct event *beat; /* reports are due */
    void (*report)(struct worker *worker);
};

enum { REPORT_MS = 50 };

static void on_beat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *worker = context;
    struct arrivals_worker *flow = worker->role_state;
    flow->report(worker);
    if (flow->endpoint.failed_call != NULL)
        worker_fault(worker, flow->endpoint.failed_call, flow->endpoint.failed_errno, 0);
}

static bool arrivals_worker_start(struct worker *worker, struct arrivals_worker *flow,
                                  void (*report)(struct worker *worker))
{
    struct timeval every = timeval_of_us(REPORT_MS * 1000);
    flow->worker = worker;
    flow->report = report;
    flow->endpoint.base = worker->base;
    flow->endpoint.behaviour = worker->behaviour;
    flow->endpoint.fixed = worker->fixed;
    flow->beat = event_new(worker->base, -1, EV_PERSIST, on_beat, worker);
    event_add(flow->beat, &every);
    return endpoint_start(&flow->endpoint) == 0;
}

static void arrivals_worker_stop(struct arrivals_worker *flow)
{
    event_free(flow->beat);
    endpoint_stop(&flow->endpoint);
}

static void on_script(void *context, const struct message *message)
{
    const struct worker *worker = context;
    struct arrivals_worker *flow = worker->role_state;
    flow->endpoint.life_us = message->script.life_us;
    flow->endpoint.leak = (struct leak_share){message->script.leaked, message->script.of};
    flow->endpoint.script = message->script.script;
}

static void on_nofile(void *context, const struct message *message)
{
    struct worker *worker = context;
    rlim_t most = (rlim_t)message->nofile.most;
    const struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        worker_fault(worker, "setrlimit", errno, 0);
}

static int64_t arrivals_worker_ghosts(const struct worker *worker)
{
    return open_descriptors_ghosts(
        &((const struct arrivals_worker *)worker->role_state)->endpoint.descriptors);
}

/* ---- the server ---- */

struct arrivals_server {
    struct arrivals_worker flow;
    struct listener *listeners;
};

static void report_serving(struct worker *worker)
{
    const struct endpoint *endpoint = &((struct arrivals_server *)worker->role_state)->flow.endpoint;
    const struct behaviour *behaviour = endpoint->behaviour;
    int64_t elsewhere = behaviour->held_elsewhere != NULL ? behaviour->held_elsewhere(endpoint) : 0;
    link_send(worker->link, &(struct message){.id = MESSAGE_SERVING,
                                              .tally = {.flow = {.begun = endpoint->begun,
                                                                 .errors = endpoint->errors,
                                                                 .error = endpoint->last_errno,
                                                                 .leaked = endpoint->leaked,
                                                                 .elsewhere = elsewhere,
                                                                 .lost = endpoint->lost},
                                                        .fds = endpoint->descriptors.count}});
}

static bool server_flow_start(struct worker *worker)
{
    struct arrivals_server *server = memory_new(sizeof *server);
    worker->role_state = server;
    return arrivals_worker_start(worker, &server->flow, report_serving);
}

static void server_flow_stop(struct worker *worker)
{
    struct arrivals_server *server = worker->role_state;
    arrivals_worker_stop(&server->flow);
    while (server->listeners != NULL) {
        struct listener *next = server->listeners->next;
        listener_free(server->listeners);
        server->listeners = next;
    }
    free(server);
}

static void on_listen(void *context, const struct message *message)
{
    struct worker *worker = context;
    struct arrivals_server *server = worker->role_state;
    uint16_t port = (uint16_t)message->listen.port;
    int error;
    struct listener *listener =
        listener_open(worker->base, &message->listen.address, port, message->listen.backlog,
                      endpoint_on_acceptable, &server->flow.endpoint, &error);
    if (listener == NULL) {
        worker_fault(worker, "listen", -error, port);
        return;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    if (worker->behaviour->on_listening != NULL)
        worker->behaviour->on_listening(&server->flow.endpoint, listener);
    link_send(worker->link, &(struct message){.id = MESSAGE_LISTENING, .lane = message->listen.lane});
}

static message_handler *const server_handlers[MESSAGE_COUNT] = {
    [MESSAGE_LISTEN] = on_listen,
    [MESSAGE_SCRIPT] = on_script,
    [MESSAGE_NOFILE] = on_nofile,
};

const struct worker_role arrivals_server = {
    .name = "server-flow",
    .is_punctual = true,
    .start = server_flow_start,
    .stop = server_flow_stop,
    .ghosts = arrivals_worker_ghosts,
    .handlers = server_handlers,
};

/* ---- the client ---- */

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
    struct worker *worker;
    const struct destination *to;
    int64_t began_us;
    int fd;
};

TAILQ_HEAD(attempt_list, attempt);

struct arrivals_client {
    struct arrivals_worker flow;
    struct destination *destinations;
    int destination_count;
    struct pacer pacer;
    struct event *due;
    struct attempt_list attempts; /* the longest first */
    int64_t timeout_us;           /* for a connect() */
    int64_t serial;               /* of the act that all this is to the controller */
    int64_t started;              /* connect() called and not failed */
    int64_t connected;
    int64_t timeouts;
    int64_t last_event_us; /* when a connection last began, or was given up */
    int64_t refused_us;    /* since when connect() has been refused whenever it was tried; 0: it has not */
    int64_t again_us;      /* nobody comes before that */
    bool is_arriving;
    bool is_stopped; /* after a fault, or because the controller says so */
};

static void report_arrived(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    const struct endpoint *endpoint = &client->flow.endpoint;
    const struct attempt *oldest = TAILQ_FIRST(&client->attempts);
    int64_t waiting_us = oldest != NULL ? monotonic_us() - oldest->began_us : 0;
    link_send(worker->link, &(struct message){.id = MESSAGE_ARRIVED,
                                              .tally = {.flow = {.begun = client->started,
                                                                 .connected = client->connected,
                                                                 .late = client->pacer.late,
                                                                 .worst_us = client->pacer.worst_us,
                                                                 .oldest_us = waiting_us,
                                                                 .timeouts = client->timeouts,
                                                                 .span_us = client->pacer.span_us,
                                                                 .leaked = endpoint->leaked,
                                                                 .lost = endpoint->lost,
                                                                 .reused = endpoint->reused,
                                                                 .slowest_us = endpoint->slowest_us,
                                                                 .errors = endpoint->errors,
                                                                 .error = endpoint->last_errno},
                                                        .fds = endpoint->descriptors.count}});
}

static void stop(struct worker *worker, const char *call, int error, const struct destination *to)
{
    struct arrivals_client *client = worker->role_state;
    client->is_stopped = true;
    worker_fault(worker, call, error, to->port);
}

static void begin(struct worker *worker, int fd)
{
    struct arrivals_client *client = worker->role_state;
    client->connected++;
    client->last_event_us = monotonic_us();
    client->refused_us = 0;
    endpoint_begin(&client->flow.endpoint, fd);
}

/* ---- attempts ---- */

static void free_attempt(struct attempt *attempt)
{
    struct arrivals_client *client = attempt->worker->role_state;
    TAILQ_REMOVE(&client->attempts, attempt, link);
    event_del(&attempt->done);
    free(attempt);
}

/* True when whoever was refused comes again, and is not to be counted. */
static bool comes_again(struct arrivals_client *client, int error)
{
    int64_t now_us = monotonic_us();
    if (error != ECONNREFUSED || !client->flow.endpoint.behaviour->comes_again)
        return false;
    if (client->refused_us == 0)
        client->refused_us = now_us;
    if (now_us - client->refused_us > client->timeout_us)
        return false;
    struct timeval again = timeval_of_us(AGAIN_US);
    client->again_us = now_us + AGAIN_US;
    client->pacer.next--;
    evtimer_add(client->due, &again);
    return true;
}

/* Of those a server in trouble has to answer for. */
static void give_up(struct attempt *attempt, int error)
{
    struct arrivals_client *client = attempt->worker->role_state;
    struct endpoint *endpoint = &client->flow.endpoint;
    int fd = attempt->fd;
    free_attempt(attempt);
    client->started--;
    client->last_event_us = monotonic_us();
    if (comes_again(client, error)) {
        close(fd);
        return;
    }
    client->timeouts += error == ETIMEDOUT;
    endpoint->errors++;
    endpoint->last_errno = error;
    if (error != ETIMEDOUT || endpoint->behaviour->on_given_up == NULL)
        close(fd);
    else if (open_descriptors_add(&endpoint->descriptors, fd) == 0)
        endpoint->behaviour->on_given_up(endpoint, fd);
    else
        endpoint_fail(endpoint, "malloc", ENOMEM);
}

static void on_attempt_done(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct attempt *attempt = context;
    struct worker *worker = attempt->worker;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        if (is_failure_here(error))
            stop(worker, "connect", error, attempt->to);
        give_up(attempt, error);
        return;
    }
    free_attempt(attempt);
    begin(worker, fd);
}

static void give_up_old_attempts(struct arrivals_client *client)
{
    int64_t too_old_us = monotonic_us() - client->timeout_us;
    struct attempt *oldest;
    while ((oldest = TAILQ_FIRST(&client->attempts)) != NULL && oldest->began_us <= too_old_us)
        give_up(oldest, ETIMEDOUT);
}

static void wait_for(struct worker *worker, const struct destination *to, int fd)
{
    struct arrivals_client *client = worker->role_state;
    struct attempt *attempt = memory_new(sizeof *attempt);
    *attempt = (struct attempt){.worker = worker, .to = to, .began_us = monotonic_us(), .fd = fd};
    event_assign(&attempt->done, worker->base, fd, EV_WRITE, on_attempt_done, attempt);
    event_add(&attempt->done, NULL);
    TAILQ_INSERT_TAIL(&client->attempts, attempt, link);
}

/* On loopback the handshake is usually complete when a non-blocking connect() returns EINPROGRESS; asking
 * once more says so with EISCONN, and saves the event. */
static int connect_now_or_later(struct worker *worker, const struct destination *to, int fd)
{
    const struct sockaddr *where = (const struct sockaddr *)&to->where;
    int rc = connect(fd, where, to->length);
    if (rc != 0 && errno == EINPROGRESS)
        rc = connect(fd, where, to->length);
    if (rc == 0 || errno == EISCONN) {
        begin(worker, fd);
        return 0;
    }
    if (errno != EALREADY && errno != EINPROGRESS)
        return -errno;
    wait_for(worker, to, fd);
    return 0;
}

static void arrive(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    struct endpoint *endpoint = &client->flow.endpoint;
    if (endpoint->behaviour->on_due != NULL && endpoint->behaviour->on_due(endpoint)) {
        client->last_event_us = monotonic_us();
        return;
    }
    const struct destination *to =
        &client->destinations[(client->pacer.next - 1) % client->destination_count];
    int fd = socket(to->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        stop(worker, "socket", errno, to);
        return;
    }
    client->started++;
    int rc = connect_now_or_later(worker, to, fd);
    if (rc == 0)
        return;
    close(fd);
    client->started--;
    if (comes_again(client, -rc))
        return;
    endpoint->errors++;
    endpoint->last_errno = -rc;
    bool is_meant = endpoint->behaviour->may_not_connect && !is_failure_here(-rc);
    if (rc != -ECONNRESET && rc != -ETIMEDOUT && !is_meant)
        stop(worker, "connect", -rc, to);
}

static void on_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *worker = context;
    struct arrivals_client *client = worker->role_state;
    int64_t now_us = monotonic_us();
    for (int i = 0; i < CONNECTS_PER_TURN && !client->is_stopped && now_us >= client->again_us; i++) {
        if (!pacer_take(&client->pacer, now_us))
            break;
        arrive(worker);
        now_us = monotonic_us();
    }
    if (client->is_stopped || client->pacer.next == client->pacer.total)
        return;
    int64_t due_us = pacer_due_us(&client->pacer, client->pacer.next);
    int64_t wait_us = (due_us > client->again_us ? due_us : client->again_us) - now_us;
    struct timeval wait = timeval_of_us(wait_us > 0 && wait_us < TOGETHER_US ? TOGETHER_US : wait_us);
    evtimer_add(client->due, &wait);
}

/* ---- the end ---- */

static bool is_over(const struct arrivals_client *client)
{
    const struct endpoint *endpoint = &client->flow.endpoint;
    if (client->pacer.next < client->pacer.total || !TAILQ_EMPTY(&client->attempts))
        return false;
    return endpoint->ended == endpoint->begun ||
           monotonic_us() - client->last_event_us > endpoint->life_us + GRACE_US;
}

static void on_report_due(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    if (!client->is_arriving)
        return;
    give_up_old_attempts(client);
    report_arrived(worker);
    if (client->is_stopped || !is_over(client))
        return;
    client->is_arriving = false;
    link_send(worker->link, &(struct message){.id = MESSAGE_DONE,
                                              .acted = {.serial = client->serial,
                                                        .done = client->started,
                                                        .fds = client->flow.endpoint.descriptors.count}});
}

/* ---- the role ---- */

static bool client_flow_start(struct worker *worker)
{
    struct arrivals_client *client = memory_new(sizeof *client);
    worker->role_state = client;
    TAILQ_INIT(&client->attempts);
    client->due = evtimer_new(worker->base, on_due, worker);
    return arrivals_worker_start(worker, &client->flow, on_report_due);
}

static void client_flow_halt(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    client->is_stopped = true;
    evtimer_del(client->due);
}

static void client_flow_stop(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    struct attempt *attempt;
    while ((attempt = TAILQ_FIRST(&client->attempts)) != NULL) {
        int fd = attempt->fd;
        free_attempt(attempt);
        close(fd);
    }
    arrivals_worker_stop(&client->flow);
    event_free(client->due);
    free(client->destinations);
    free(client);
}

static void on_connect(void *context, const struct message *message)
{
    const struct worker *worker = context;
    struct arrivals_client *client = worker->role_state;
    size_t count = (size_t)client->destination_count + 1;
    client->destinations = memory_resize(client->destinations, count * sizeof *client->destinations);
    struct destination *to = &client->destinations[client->destination_count++];
    to->port = (uint16_t)message->connect.port;
    to->length = address_to_sockaddr(&message->connect.address, to->port, &to->where);
}

static void on_arrive(void *context, const struct message *message)
{
    static const struct timeval at_once = {0, 0};
    struct worker *worker = context;
    struct arrivals_client *client = worker->role_state;
    if (client->destination_count == 0) {
        worker_fault(worker, "arrive", EPROTO, 0);
        return;
    }
    client->serial = message->arrive.serial;
    client->pacer = (struct pacer){
        .began_us = monotonic_us(), .total = message->arrive.total, .rate_milli = message->arrive.rate_milli};
    client->timeout_us = message->arrive.timeout_us;
    client->last_event_us = client->pacer.began_us;
    client->is_arriving = true;
    evtimer_add(client->due, &at_once);
}

static message_handler *const client_handlers[MESSAGE_COUNT] = {
    [MESSAGE_CONNECT] = on_connect,
    [MESSAGE_ARRIVE] = on_arrive,
    [MESSAGE_SCRIPT] = on_script,
    [MESSAGE_NOFILE] = on_nofile,
};

const struct worker_role arrivals_client = {
    .name = "client-flow",
    .is_punctual = true,
    .start = client_flow_start,
    .stop = client_flow_stop,
    .halt = client_flow_halt,
    .ghosts = arrivals_worker_ghosts,
    .handlers = client_handlers,
};
