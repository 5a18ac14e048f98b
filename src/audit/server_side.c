#include "audit/server_side.h"

#include "audit/unix_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which probe has a local port, for the look: -1 where none has. */
struct port_map {
    const struct audit_settings *settings;
    const struct probe *probes;
    struct audit_look *look;
    int64_t probe_of[65536];
};

/* A server on [::] has its IPv4 connections among those of IPv6, with mapped addresses. */
static bool is_same(const struct address *seen, const struct address *wanted)
{
    struct address unmapped = address_unmapped(seen);
    return address_equal(&unmapped, wanted);
}

static bool is_target(const struct port_map *map, const struct address *address, uint16_t port)
{
    return port == map->settings->port && is_same(address, &map->settings->address);
}

static bool listens_there(const struct socket_entry *entry, const struct address *address, uint16_t port)
{
    return entry->state == STATE_LISTEN && entry->local_port == port &&
           (address_is_wildcard(&entry->local) || is_same(&entry->local, address));
}

/* A queue takes one more than its backlog (sk_acceptq_is_full in include/net/sock.h): that one is left for
 * other clients. */
static int64_t room_of(const struct socket_entry *entry)
{
    int64_t backlog = entry->backlog > 0 ? entry->backlog : 1;
    return entry->backlog < 0 ? -1 : backlog > (int64_t)entry->unread ? backlog - (int64_t)entry->unread : 0;
}

static void note_listener(struct audit_look *look, const struct socket_entry *entry)
{
    int64_t room = room_of(entry);
    look->queued += entry->unread;
    look->room = look->listener_count == 0 || room < look->room ? room : look->room;
    if (look->listener_count < LISTENERS_MAX)
        look->listeners[look->listener_count++] = entry->inode;
}

static void forget_listeners(struct audit_look *look)
{
    look->listener_count = 0;
    look->queued = 0;
    look->room = -1;
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    if (entry->state == STATE_LISTEN) {
        if (!map->look->elsewhere && listens_there(entry, &map->settings->address, map->settings->port))
            note_listener(map->look, entry);
        return 0;
    }
    bool is_own = is_target(map, &entry->remote, entry->remote_port);
    bool is_server = is_target(map, &entry->local, entry->local_port);
    int64_t i = is_own      ? map->probe_of[entry->local_port]
                : is_server ? map->probe_of[entry->remote_port]
                            : -1;
    if (i < 0 || !is_same(is_own ? &entry->local : &entry->remote, &map->probes[i].address))
        return 0;
    struct audit_sight *sight = &map->look->sights[i];
    if (is_own) {
        sight->own_seen = true;
        sight->own_state = entry->state;
    } else {
        sight->server_seen = true;
        sight->server_state = entry->state;
        sight->unread = entry->unread;
        sight->unsent = entry->unsent;
        sight->fin_with_data = entry->fin_with_data;
        sight->needs_window = entry->needs_window;
        sight->inode = entry->inode;
    }
    return 0;
}

/* A later probe that got the port of an earlier one, which must have been gone by then, takes its place. */
static void map_ports(struct port_map *map, int64_t count)
{
    for (int port = 0; port < 65536; port++)
        map->probe_of[port] = -1;
    for (int64_t i = 0; i < count; i++)
        if (map->probes[i].port != 0)
            map->probe_of[map->probes[i].port] = i;
}

/* Of a port; those of a server on [::] have IPv4 clients among the sockets of IPv6. */
static int each_there(int (*each)(int, const struct port_range *, on_socket *, void *), int family,
                      uint16_t port, on_socket *on_entry, void *context)
{
    const struct port_range only = {port, port};
    int rc = each(family, &only, on_entry, context);
    if (rc != 0 || family != AF_INET)
        return rc;
    rc = each(AF_INET6, &only, on_entry, context);
    return rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 has no such table */
}

int server_side_look(const struct witness_backend *witness, const struct audit_settings *settings,
                     const struct probe *probes, int64_t count, struct audit_look *look)
{
    if (audit_is_unix(settings))
        return unix_side_look(settings, probes, count, look);
    struct port_map *map = malloc(sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    *map = (struct port_map){.settings = settings, .probes = probes, .look = look};
    map_ports(map, count);
    forget_listeners(look);
    memset(look->sights, 0, (size_t)count * sizeof *look->sights);
    int rc = each_there(witness->each_detailed, settings->address.family, settings->port, note_socket, map);
    free(map);
    return rc;
}

struct wanted_listeners {
    const struct audit_settings *settings;
    struct audit_look *look;
};

static int find_listeners(void *context, const struct socket_entry *entry)
{
    struct wanted_listeners *wanted = context;
    if (!wanted->look->elsewhere && listens_there(entry, &wanted->settings->address, wanted->settings->port))
        note_listener(wanted->look, entry);
    return 0;
}

int server_side_look_at_listeners(const struct witness_backend *witness,
                                  const struct audit_settings *settings, struct audit_look *look)
{
    struct wanted_listeners wanted = {.settings = settings, .look = look};
    if (audit_is_unix(settings))
        return unix_side_look(settings, NULL, 0, look);
    forget_listeners(look);
    return each_there(witness->each_listener, settings->address.family, settings->port, find_listeners,
                      &wanted);
}

/* ---- is it here? ---- */

/* Only an address of its own can be bound. */
int server_side_is_here(const struct address *address)
{
    struct sockaddr_storage own;
    socklen_t length = address_to_sockaddr(address, 0, &own);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = bind(fd, (struct sockaddr *)&own, length) == 0 ? 1 : errno == EADDRNOTAVAIL ? 0 : -errno;
    close(fd);
    return rc;
}

struct wanted_listener {
    const struct address *address;
    uint16_t port;
    bool found;
};

static int find_listener(void *context, const struct socket_entry *entry)
{
    struct wanted_listener *wanted = context;
    wanted->found |= listens_there(entry, wanted->address, wanted->port);
    return 0;
}

int server_side_listens(const struct witness_backend *witness, const struct address *address, uint16_t port)
{
    struct wanted_listener wanted = {.address = address, .port = port};
    int rc = each_there(witness->each_listener, address->family, port, find_listener, &wanted);
    return rc != 0 ? rc : wanted.found;
}
