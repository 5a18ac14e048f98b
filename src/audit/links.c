#include "audit/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Which connection has a port at the end that has not the common one; -1 where none has. */
struct port_map {
    uint16_t port;
    tcp_link_at *at;
    const void *context;
    struct link_sight *sights;
    int64_t link_of[65536];
};

int tcp_link_of(int fd, struct tcp_link *link)
{
    struct sockaddr_storage own, remote;
    socklen_t own_length = sizeof own, remote_length = sizeof remote;
    if (getsockname(fd, (struct sockaddr *)&own, &own_length) != 0 ||
        getpeername(fd, (struct sockaddr *)&remote, &remote_length) != 0)
        return errno;
    address_from_sockaddr(&own, &link->own, &link->own_port);
    address_from_sockaddr(&remote, &link->remote, &link->remote_port);
    link->own = address_unmapped(&link->own);
    link->remote = address_unmapped(&link->remote);
    return 0;
}

static void map_ports(struct port_map *map, int64_t count)
{
    for (int port = 0; port < 65536; port++)
        map->link_of[port] = -1;
    for (int64_t i = 0; i < count; i++) {
        const struct tcp_link *link = map->at(map->context, i);
        if (link != NULL && link->own_port != 0)
            map->link_of[link->own_port == map->port ? link->remote_port : link->own_port] = i;
    }
}

/* IPv4 may be among the sockets of IPv6, with mapped addresses. */
static bool is_at(const struct address *seen, uint16_t seen_port, const struct address *wanted,
                  uint16_t wanted_port)
{
    struct address unmapped = address_unmapped(seen);
    return seen_port == wanted_port && address_equal(&unmapped, wanted);
}

static void note_end(struct port_map *map, uint16_t port, const struct socket_entry *entry)
{
    int64_t i = map->link_of[port];
    if (i < 0)
        return;
    const struct tcp_link *link = map->at(map->context, i);
    struct link_sight *sight = &map->sights[i];
    if (is_at(&entry->local, entry->local_port, &link->own, link->own_port) &&
        is_at(&entry->remote, entry->remote_port, &link->remote, link->remote_port)) {
        sight->own_seen = true;
        sight->own_state = entry->state;
    } else if (is_at(&entry->local, entry->local_port, &link->remote, link->remote_port) &&
               is_at(&entry->remote, entry->remote_port, &link->own, link->own_port)) {
        sight->seen = true;
        sight->state = entry->state;
        sight->unread = entry->unread;
        sight->fin_with_data = entry->fin_with_data;
        sight->inode = entry->inode;
    }
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    if (entry->remote_port == map->port)
        note_end(map, entry->local_port, entry);
    if (entry->local_port == map->port)
        note_end(map, entry->remote_port, entry);
    return 0;
}

int links_look(const struct witness_backend *witness, uint16_t port, tcp_link_at *at, const void *context,
               int64_t count, struct link_sight *sights)
{
    const struct port_range only = {port, port};
    struct port_map *map = malloc(sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    map->port = port;
    map->at = at;
    map->context = context;
    map->sights = sights;
    map_ports(map, count);
    memset(sights, 0, (size_t)count * sizeof *sights);
    int rc = witness->each_detailed(AF_INET, &only, note_socket, map);
    if (rc == 0)
        rc = witness->each_detailed(AF_INET6, &only, note_socket, map);
    free(map);
    return rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 has no such table */
}

bool link_sight_is_held(const struct link_sight *sight)
{
    return sight->seen && (sight->state == STATE_CLOSE_WAIT || sight->state == STATE_ESTABLISHED ||
                           (sight->state == STATE_FIN_WAIT2 && sight->inode != 0));
}
