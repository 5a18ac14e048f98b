/* server_flow: the side that listens, where connections come one by one. Its behaviour accepts them and does
 * the rest; where descriptors run out it stays up and says so. */
#include "base/memory.h"
#include "worker/arrivals_worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct server_flow {
    struct flow_worker flow;
    struct door *doors;
};

static void report(struct worker *worker)
{
    const struct party *party = &((struct server_flow *)worker->role_state)->flow.party;
    wire_send(worker->wire, "serving %lld %lld %lld %d %lld %lld", (long long)party->begun,
              (long long)party->held.count, (long long)party->errors, party->last_errno,
              (long long)party->leaked, (long long)party->lost);
}

static bool server_flow_start(struct worker *worker)
{
    struct server_flow *server = memory_new(sizeof *server);
    worker->role_state = server;
    return flow_worker_start(worker, &server->flow, report);
}

static void server_flow_stop(struct worker *worker)
{
    struct server_flow *server = worker->role_state;
    flow_worker_stop(&server->flow);
    while (server->doors != NULL) {
        struct door *next = server->doors->next;
        door_free(server->doors);
        server->doors = next;
    }
    free(server);
}

static void do_listen(struct worker *worker, const struct wire_line *line)
{
    struct server_flow *server = worker->role_state;
    struct address address;
    uint16_t port = (uint16_t)wire_number(line, 3);
    if (line->count != 7 || !address_parse(line->word[2], &address)) {
        worker_fault(worker, "listen", EPROTO, port);
        return;
    }
    int error;
    struct door *door = door_open(worker->base, &address, port, (int)wire_number(line, 4),
                                  party_on_acceptable, &server->flow.party, &error);
    if (door == NULL) {
        worker_fault(worker, "listen", -error, port);
        return;
    }
    door->next = server->doors;
    server->doors = door;
    wire_send(worker->wire, "listening %lld", (long long)wire_number(line, 1));
}

static bool server_flow_on_line(struct worker *worker, const struct wire_line *line)
{
    if (strcmp(line->word[0], "listen") != 0)
        return flow_worker_on_line(worker, line);
    do_listen(worker, line);
    return true;
}

const struct worker_role server_flow = {
    .name = "server-flow",
    .is_punctual = true,
    .start = server_flow_start,
    .stop = server_flow_stop,
    .ghosts = flow_worker_ghosts,
    .on_line = server_flow_on_line,
};
