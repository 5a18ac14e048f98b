#include "kernel/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>

static int take(int rc, const struct sockaddr_storage *where, struct address *address, uint16_t *port)
{
    return rc != 0 ? -errno : address_from_sockaddr(where, address, port);
}

int connection_of(int fd, enum side side, struct connection *connection)
{
    struct sockaddr_storage here, there;
    socklen_t here_length = sizeof here, there_length = sizeof there;
    enum side other = side_other(side);
    int rc = take(getsockname(fd, (struct sockaddr *)&here, &here_length), &here, &connection->address[side],
                  &connection->port[side]);
    if (rc != 0)
        return rc;
    return take(getpeername(fd, (struct sockaddr *)&there, &there_length), &there,
                &connection->address[other], &connection->port[other]);
}

struct sighting {
    const struct connection *connection;
    struct end_sight *ends;
};

static bool is_end(const struct connection *connection, enum side side, const struct socket_entry *entry)
{
    enum side other = side_other(side);
    return entry->local_port == connection->port[side] && entry->remote_port == connection->port[other] &&
           address_equal(&entry->local, &connection->address[side]) &&
           address_equal(&entry->remote, &connection->address[other]);
}

static int sight(void *context, const struct socket_entry *entry)
{
    const struct sighting *sighting = context;
    for (int side = 0; side < SIDE_COUNT; side++)
        if (is_end(sighting->connection, (enum side)side, entry))
            sighting->ends[side] = (struct end_sight){entry->state, entry->ends_in_ms};
    return 0;
}

int connection_look(const struct witness_backend *witness, const struct connection *connection,
                    struct end_sight ends[SIDE_COUNT])
{
    struct sighting sighting = {connection, ends};
    const struct port_range only = {connection->port[SIDE_SERVER], connection->port[SIDE_SERVER]};
    for (int side = 0; side < SIDE_COUNT; side++)
        ends[side] = (struct end_sight){STATE_GONE, -1};
    return witness->each(connection->address[SIDE_SERVER].family, &only, sight, &sighting);
}
