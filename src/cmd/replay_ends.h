/* replay_ends: the two ends of the connections of a replay: clients that live as long as those of the
 * recording did, and a server of our own that does not close what the server of the recording did not. */
#ifndef CMD_REPLAY_ENDS_H
#define CMD_REPLAY_ENDS_H

#include "watch/recording.h"
#include "worker/endpoint.h"

#include <sys/types.h>

/* The endpoint is what a connector hands its connections to; the behaviour is `replayed_client`. */
struct replay_clients {
    struct endpoint endpoint;
    const struct recorded_port *port; /* whose lives they have */
    int64_t closed;                   /* connections that their client closed before its server */
    int64_t left_by_server;           /* that the server ended first */
};

extern const struct behaviour replayed_client;

struct replay_server {
    struct leak_share leak; /* these connections are not closed */
    bool reads;             /* it reads the end of those */
};

/* Starts it in a process of its own, which listens on the address: of its port 0 the kernel chooses one, and
 * sets it. It ends when this process does. Returns its pid or a negative errno. */
pid_t replay_server_start(const struct replay_server *server, const struct address *address, uint16_t *port);
void replay_server_end(pid_t pid);

#endif
