#include "audit/server_side.h"

#include "tcp/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    if (entry->state == STATE_LISTEN) {
        if (entry->local_port == map->settings->port &&
            (address_is_wildcard(&entry->local) || is_same(&entry->local, &map->settings->address))) {
            map->look->listener_seen = true;
            map->look->listener_inode = entry->inode;
        }
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

int server_side_look(const struct witness_backend *witness, const struct audit_settings *settings,
                     const struct probe *probes, int64_t count, struct audit_look *look)
{
    const struct port_range only = {settings->port, settings->port};
    struct port_map *map = malloc(sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    *map = (struct port_map){.settings = settings, .probes = probes, .look = look};
    map_ports(map, count);
    look->listener_seen = false;
    memset(look->sights, 0, (size_t)count * sizeof *look->sights);
    int rc = witness->each(settings->address.family, &only, note_socket, map);
    if (rc == 0 && settings->address.family == AF_INET)
        witness->each(AF_INET6, &only, note_socket, map); /* a kernel without IPv6 has no such table */
    free(map);
    return rc;
}

pid_t server_side_listener(const struct audit_look *look)
{
    if (!look->listener_seen || look->listener_inode == 0)
        return 0;
    struct socket_owners *owners = socket_owners_new(&look->listener_inode, 1);
    if (owners == NULL)
        return 0;
    socket_owners_read_others(owners, NULL, 0);
    pid_t pid = socket_owner_of(owners, look->listener_inode);
    socket_owners_free(owners);
    return pid;
}

static bool listens(pid_t pid, uint64_t listener_inode)
{
    struct socket_owners *owners = listener_inode != 0 ? socket_owners_new(&listener_inode, 1) : NULL;
    if (owners == NULL)
        return false;
    bool found = socket_owners_read_pid(owners, pid) == 1;
    socket_owners_free(owners);
    return found;
}

static void note_owner(struct audit_connection *connection, pid_t owner, const struct audit_look *look)
{
    static struct {
        pid_t pid;
        bool listens;
        struct process_command command;
    } last; /* most connections have the same */
    if (owner != last.pid) {
        last.pid = owner;
        last.listens = listens(owner, look->listener_inode);
        last.command = process_command(owner);
    }
    connection->owner = owner;
    connection->owner_listens = last.listens;
    memcpy(connection->command, last.command.text, sizeof connection->command);
}

void server_side_owners(const struct audit_look *look, struct audit_connection *connections, int64_t count)
{
    uint64_t *inodes = calloc((size_t)count + 1, sizeof *inodes);
    size_t wanted = 0;
    for (int64_t i = 0; inodes != NULL && i < count; i++)
        if (connections[i].inode != 0)
            inodes[wanted++] = connections[i].inode;
    struct socket_owners *owners = wanted > 0 ? socket_owners_new(inodes, wanted) : NULL;
    free(inodes);
    if (owners == NULL)
        return;
    pid_t listener = server_side_listener(look);
    if (listener > 0)
        socket_owners_read_pid(owners, listener);
    socket_owners_read_others(owners, &listener, listener > 0);
    for (int64_t i = 0; i < count; i++)
        if (connections[i].inode != 0)
            note_owner(&connections[i], socket_owner_of(owners, connections[i].inode), look);
    socket_owners_free(owners);
}
