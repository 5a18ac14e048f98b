#include "storm/peer.h"

#include <errno.h>
#include <unistd.h>

int peer_start(struct peer *peer, struct event_base *base, wire_on_line *on_line, wire_on_end *on_end)
{
    const char *command = peer->is_witness ? "witness" : "worker";
    const char *role = peer->is_witness ? "" : side_name(peer->side);
    int fd = process_start(&peer->process, command, role);
    if (fd < 0)
        return fd;
    peer->wire = wire_new(base, fd, on_line, on_end, peer);
    if (peer->wire == NULL) {
        close(fd);
        return -ENOMEM;
    }
    return 0;
}

void peer_quit(struct peer *peer)
{
    if (peer->wire != NULL)
        wire_send(peer->wire, "quit");
}

void peer_free(struct peer *peer)
{
    wire_free(peer->wire);
    peer->wire = NULL;
}
