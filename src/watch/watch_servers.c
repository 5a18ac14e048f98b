/* Which end of its connection a socket is: a server's port and those of its clients. */
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>

/* Neither a listener nor a ghost, whose other end may not be known. */
static bool is_connection(const struct seen *seen)
{
    return seen->state != STATE_LISTEN && seen->state != STATE_GONE;
}

static bool is_ephemeral(const struct place *place, uint16_t port)
{
    return port >= place->ephemeral_first && port <= place->ephemeral_last;
}

/* Of the connections of one place. */
struct port_counts {
    uint32_t local[WATCH_PORTS_COUNT], remote[WATCH_PORTS_COUNT];
    int32_t votes[WATCH_PORTS_COUNT];
};

/* The ephemeral port is the client's. Where both are or neither is: the end is a client's if somebody listens
 * on the remote port here. Else connections that a listener has accepted share its port, and those of a
 * client share the remote one; but the kernel gives one port to connections to several servers. Above 0 for a
 * server's end. */
static int vote_of(const struct seen *seen, const struct port_counts *ports)
{
    uint32_t of_local = ports->local[seen->local_port], of_remote = ports->remote[seen->remote_port];
    int vote = is_ephemeral(seen->place, seen->remote_port) - is_ephemeral(seen->place, seen->local_port);
    if (vote == 0)
        vote = -seen->place->listens[seen->remote_port];
    return vote != 0 ? vote : (of_local > of_remote) - (of_local < of_remote);
}

static void count_ports(struct port_counts *ports, const struct seen *seen, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ports->local[seen[i].local_port] += seen[i].state != STATE_LISTEN;
        ports->remote[seen[i].remote_port] += is_connection(&seen[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (is_connection(&seen[i]))
            ports->votes[seen[i].local_port] += vote_of(&seen[i], ports);
}

/* Only what was counted: for a few sockets all ports would take longer. */
static void forget_ports(struct port_counts *ports, const struct seen *seen, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ports->local[seen[i].local_port] = ports->remote[seen[i].remote_port] = 0;
        ports->votes[seen[i].local_port] = 0;
    }
}

static void find_servers_of(struct place *place, const struct port_counts *ports)
{
    for (int port = 1; port < WATCH_PORTS_COUNT; port++) {
        bool served = ports->local[port] > 0 && (place->serves[port] || ports->votes[port] > 0);
        place->serves[port] = place->listens[port] || served;
    }
}

/* A port that something listens on is a server's; it stays one while connections of it, or ghosts, are left.
 * Where nobody has listened since the watch began, the connections themselves have to tell, all of them.
 * Ghosts come behind the sockets of all places. */
int watch_find_servers(struct watch *watch)
{
    for (int port = 1; watch->is_brief && port < WATCH_PORTS_COUNT; port++)
        watch->places[0]->serves[port] |= watch->places[0]->listens[port];
    if (watch->is_brief)
        return 0;
    struct port_counts *ports = calloc(1, sizeof *ports);
    if (ports == NULL)
        return -ENOMEM;
    const size_t first_ghost = watch->seen_count - watch->ghost_count;
    for (size_t i = 0; i < watch->place_count; i++) {
        struct place *place = watch->places[i];
        const struct seen *seen = watch->seen + place->first_seen;
        count_ports(ports, seen, place->seen_count);
        for (size_t ghost = first_ghost; ghost < watch->seen_count; ghost++)
            if (watch->seen[ghost].place == place)
                count_ports(ports, &watch->seen[ghost], 1);
        find_servers_of(place, ports);
        forget_ports(ports, seen, place->seen_count);
        forget_ports(ports, watch->seen + first_ghost, watch->ghost_count);
    }
    free(ports);
    return 0;
}
