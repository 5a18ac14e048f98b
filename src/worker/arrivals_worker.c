/* arrivals_worker: both sides where connections come one by one. The server's behaviour accepts them and does
 * the rest; where descriptors run out it stays up and says so. The client's connector connects when each is
 * due. */
#include "base/clock.h"
#include "base/memory.h"
#include "kernel/keepalive.h"
#include "worker/connector.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/resource.h>

/* The first member of each role's state. */
struct arrivals_worker {
    struct worker *worker;
    struct endpoint endpoint;
    struct event *beat; /* reports are due */
    void (*report)(struct worker *worker);
};

enum { REPORT_MS = 50 };
enum { SHORT_SLICE_US = 100 }; /* the shortest that the kernel gives */
/* Who connects keeps the schedule; a server that is late finds what has come in its queue. Five steps were
 * too many: where the processors are full it fell behind until its descriptors were used up. */
enum { NICE_BEHIND_THE_CLIENTS = 1 };

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
    int error = 0;
    struct listener *listener =
        listener_open(worker->base, &message->listen.address, port, message->listen.backlog,
                      endpoint_on_acceptable, &server->flow.endpoint, &error);
    if (listener != NULL) {
        listener->next = server->listeners;
        server->listeners = listener;
        error = keepalive_begin(listener->fd, worker->keepalive_s); /* its connections inherit it */
    }
    if (error != 0) {
        worker_fault(worker, "listen", -error, port);
        return;
    }
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
    .nice = NICE_BEHIND_THE_CLIENTS,
    .start = server_flow_start,
    .stop = server_flow_stop,
    .ghosts = arrivals_worker_ghosts,
    .handlers = server_handlers,
};

/* ---- the client ---- */

struct arrivals_client {
    struct arrivals_worker flow;
    struct connector connector;
    int64_t serial; /* of the act that all this is to the controller */
    bool is_arriving;
};

static void report_arrived(struct worker *worker)
{
    const struct arrivals_client *client = worker->role_state;
    const struct endpoint *endpoint = &client->flow.endpoint;
    const struct connector *connector = &client->connector;
    link_send(worker->link, &(struct message){.id = MESSAGE_ARRIVED,
                                              .tally = {.flow = {.begun = connector->started,
                                                                 .connected = connector->connected,
                                                                 .late = connector->pacer.late,
                                                                 .worst_us = connector->pacer.worst_us,
                                                                 .oldest_us = connector_waiting_us(connector),
                                                                 .timeouts = connector->timeouts,
                                                                 .abandoned = connector->abandoned,
                                                                 .span_us = connector->pacer.span_us,
                                                                 .leaked = endpoint->leaked,
                                                                 .lost = endpoint->lost,
                                                                 .reused = endpoint->reused,
                                                                 .slowest_us = endpoint->slowest_us,
                                                                 .errors = endpoint->errors,
                                                                 .error = endpoint->last_errno},
                                                        .fds = endpoint->descriptors.count}});
}

static void on_failure(void *owner, const char *call, int error, uint16_t port)
{
    worker_fault(owner, call, error, port);
}

static void on_report_due(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    struct connector *connector = &client->connector;
    if (!client->is_arriving)
        return;
    connector_give_up_old(connector);
    report_arrived(worker);
    if (connector->is_stopped || !connector_is_over(connector))
        return;
    client->is_arriving = false;
    link_send(worker->link, &(struct message){.id = MESSAGE_DONE,
                                              .acted = {.serial = client->serial,
                                                        .done = connector->started,
                                                        .fds = client->flow.endpoint.descriptors.count}});
}

/* ---- the role ---- */

static bool client_flow_start(struct worker *worker)
{
    struct arrivals_client *client = memory_new(sizeof *client);
    worker->role_state = client;
    bool has_started = arrivals_worker_start(worker, &client->flow, on_report_due);
    connector_start(&client->connector, &client->flow.endpoint, on_failure, worker);
    return has_started;
}

static void client_flow_halt(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    connector_halt(&client->connector);
}

static void client_flow_stop(struct worker *worker)
{
    struct arrivals_client *client = worker->role_state;
    connector_stop(&client->connector);
    arrivals_worker_stop(&client->flow);
    free(client);
}

static void on_connect(void *context, const struct message *message)
{
    const struct worker *worker = context;
    struct arrivals_client *client = worker->role_state;
    connector_add_destination(&client->connector, &message->connect.address, (uint16_t)message->connect.port);
}

static void on_arrive(void *context, const struct message *message)
{
    struct worker *worker = context;
    struct arrivals_client *client = worker->role_state;
    if (client->connector.destination_count == 0) {
        worker_fault(worker, "arrive", EPROTO, 0);
        return;
    }
    client->serial = message->arrive.serial;
    client->is_arriving = true;
    client->connector.keepalive_s = worker->keepalive_s;
    connector_begin(&client->connector, message->arrive.total, message->arrive.rate_milli,
                    message->arrive.timeout_us);
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
    .slice_us = SHORT_SLICE_US,
    .start = client_flow_start,
    .stop = client_flow_stop,
    .halt = client_flow_halt,
    .ghosts = arrivals_worker_ghosts,
    .handlers = client_handlers,
};
