/* arrivals_server: the side that listens, where connections come one by one. Its behaviour accepts them and
 * does the rest; where descriptors run out it stays up and says so. */
#include "base/memory.h"
#include "worker/arrivals_worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct arrivals_server {
    struct arrivals_worker flow;
    struct listener *listeners;
};

static void report(struct worker *worker)
{
    const struct endpoint *endpoint = &((struct arrivals_server *)worker->role_state)->flow.endpoint;
    link_send(worker->link, "serving %lld %lld %lld %d %lld %lld", (long long)endpoint->begun,
              (long long)endpoint->descriptors.count, (long long)endpoint->errors, endpoint->last_errno,
              (long long)endpoint->leaked, (long long)endpoint->lost);
}

static bool server_flow_start(struct worker *worker)
{
    struct arrivals_server *server = memory_new(sizeof *server);
    worker->role_state = server;
    return arrivals_worker_start(worker, &server->flow, report);
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

static void do_listen(struct worker *worker, const struct link_line *line)
{
    struct arrivals_server *server = worker->role_state;
    struct address address;
    uint16_t port = (uint16_t)link_number(line, 3);
    if (line->count != 7 || !address_parse(line->word[2], &address)) {
        worker_fault(worker, "listen", EPROTO, port);
        return;
    }
    int error;
    struct listener *listener = listener_open(worker->base, &address, port, (int)link_number(line, 4),
                                              endpoint_on_acceptable, &server->flow.endpoint, &error);
    if (listener == NULL) {
        worker_fault(worker, "listen", -error, port);
        return;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    link_send(worker->link, "listening %lld", (long long)link_number(line, 1));
}

static bool server_flow_on_line(struct worker *worker, const struct link_line *line)
{
    if (strcmp(line->word[0], "listen") != 0)
        return arrivals_worker_on_line(worker, line);
    do_listen(worker, line);
    return true;
}

const struct worker_role arrivals_server = {
    .name = "server-flow",
    .is_punctual = true,
    .start = server_flow_start,
    .stop = server_flow_stop,
    .ghosts = arrivals_worker_ghosts,
    .on_line = server_flow_on_line,
};
