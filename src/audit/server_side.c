#include "audit/server_side.h"

#include "tcp/socket_owner.h"
#include "tcp/unlisted_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
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

static void note_listener(struct audit_look *look, uint64_t inode)
{
    if (look->listener_count < LISTENERS_MAX)
        look->listeners[look->listener_count++] = inode;
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    if (entry->state == STATE_LISTEN) {
        if (!map->look->elsewhere && listens_there(entry, &map->settings->address, map->settings->port))
            note_listener(map->look, entry->inode);
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

/* Of a port; those of a server on [::] have IPv4 clients among the sockets of IPv6. */
static int each_there(const struct witness_backend *witness, int family, uint16_t port, on_socket *on_entry,
                      void *context)
{
    const struct port_range only = {port, port};
    int rc = witness->each(family, &only, on_entry, context);
    if (rc == 0 && family == AF_INET)
        witness->each(AF_INET6, &only, on_entry, context); /* a kernel without IPv6 has no such table */
    return rc;
}

int server_side_look(const struct witness_backend *witness, const struct audit_settings *settings,
                     const struct probe *probes, int64_t count, struct audit_look *look)
{
    struct port_map *map = malloc(sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    *map = (struct port_map){.settings = settings, .probes = probes, .look = look};
    map_ports(map, count);
    look->listener_count = 0;
    memset(look->sights, 0, (size_t)count * sizeof *look->sights);
    int rc = each_there(witness, settings->address.family, settings->port, note_socket, map);
    free(map);
    return rc;
}

/* ---- is it here? ---- */

/* Only an address of its own can be bound. */
bool server_side_is_here(const struct address *address)
{
    struct sockaddr_storage own;
    socklen_t length = address_to_sockaddr(address, 0, &own);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_here = fd >= 0 && bind(fd, (struct sockaddr *)&own, length) == 0;
    if (fd >= 0)
        close(fd);
    return is_here;
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

bool server_side_listens(const struct witness_backend *witness, const struct address *address, uint16_t port)
{
    struct wanted_listener wanted = {.address = address, .port = port};
    each_there(witness, address->family, port, find_listener, &wanted);
    return wanted.found;
}

/* ---- the processes ---- */

static pid_t first_owner(const struct socket_owners *owners, const struct audit_look *look)
{
    for (int i = 0; i < look->listener_count; i++)
        if (socket_owner_of(owners, look->listeners[i]) > 0)
            return socket_owner_of(owners, look->listeners[i]);
    return 0;
}

static struct socket_owners *owners_of_listeners(const struct audit_look *look)
{
    return look->listener_count > 0 ? socket_owners_new(look->listeners, (size_t)look->listener_count) : NULL;
}

pid_t server_side_listener(const struct audit_look *look)
{
    struct socket_owners *owners = owners_of_listeners(look);
    if (owners == NULL)
        return 0;
    socket_owners_read_others(owners, NULL, 0);
    pid_t pid = first_owner(owners, look);
    socket_owners_free(owners);
    return pid;
}

static bool listens(pid_t pid, const struct audit_look *look)
{
    struct socket_owners *owners = owners_of_listeners(look);
    if (owners == NULL)
        return false;
    socket_owners_read_pid(owners, pid);
    bool found = first_owner(owners, look) == pid;
    socket_owners_free(owners);
    return found;
}

/* ---- descriptors of nothing ---- */

enum { FAMILY_MAX = 256 };

struct family {
    pid_t pid[FAMILY_MAX];
    int count;
};

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    const char *rest = file != NULL && fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    if (rest == NULL || sscanf(rest + 1, " %*c %d", &parent) != 1)
        parent = 0;
    if (file != NULL)
        fclose(file);
    return parent;
}

/* Every process that `belongs`, besides those that are in the family already. */
static void gather(struct family *family, bool (*belongs)(pid_t, const void *), const void *context)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    while (directory != NULL && family->count < FAMILY_MAX && (entry = readdir(directory)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && !pid_is_among(pid, family->pid, family->count) && belongs(pid, context))
            family->pid[family->count++] = pid;
    }
    if (directory != NULL)
        closedir(directory);
}

static bool is_listener(pid_t pid, const void *context)
{
    return listens(pid, context);
}

static bool is_child(pid_t pid, const void *context)
{
    const struct family *parents = context;
    return pid != getpid() && pid_is_among(parent_of(pid), parents->pid, parents->count);
}

int64_t server_side_ghosts(const struct audit_look *look)
{
    struct family family = {.count = 0};
    gather(&family, is_listener, look);
    struct family parents = family;
    if (family.count == 0)
        return server_side_listener(look) > 0 ? -EACCES : -ESRCH;
    gather(&family, is_child, &parents);
    return unlisted_sockets_of(family.pid, family.count);
}

/* ---- whose ends are they? ---- */

static void note_owner(struct audit_connection *connection, pid_t owner, const struct audit_look *look)
{
    static struct {
        pid_t pid;
        bool listens;
        struct process_command command;
    } last; /* most connections have the same */
    if (owner != last.pid) {
        last.pid = owner;
        last.listens = listens(owner, look);
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
