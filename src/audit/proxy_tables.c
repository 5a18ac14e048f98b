#include "audit/proxy_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which pair has a port that the kernel has handed out: the client's in front, the proxy's behind; -1 where
 * none has. */
struct port_map {
    const struct proxy_settings *settings;
    const struct proxy_pair *pairs;
    struct proxy_sight (*sights)[PROXY_SIDES];
    int64_t pair_of[PROXY_SIDES][65536];
};

static void map_ports(struct port_map *map, int64_t count)
{
    for (int port = 0; port < 65536; port++)
        map->pair_of[PROXY_FRONT][port] = map->pair_of[PROXY_BACK][port] = -1;
    for (int64_t i = 0; i < count; i++) {
        map->pair_of[PROXY_FRONT][map->pairs[i].end[PROXY_FRONT].own_port] = i;
        if (!map->pairs[i].result->leg[PROXY_BACK].is_reused) /* then it is another pair's */
            map->pair_of[PROXY_BACK][map->pairs[i].end[PROXY_BACK].remote_port] = i;
    }
    map->pair_of[PROXY_FRONT][0] = map->pair_of[PROXY_BACK][0] = -1;
}

/* IPv4 may be among the sockets of IPv6, with mapped addresses. */
static bool is_at(const struct address *seen, uint16_t seen_port, const struct address *wanted,
                  uint16_t wanted_port)
{
    struct address unmapped = address_unmapped(seen);
    return seen_port == wanted_port && address_equal(&unmapped, wanted);
}

static void note_end(struct port_map *map, enum proxy_side side, uint16_t port,
                     const struct socket_entry *entry)
{
    int64_t i = map->pair_of[side][port];
    if (i < 0)
        return;
    const struct proxy_own_end *end = &map->pairs[i].end[side];
    struct proxy_sight *sight = &map->sights[i][side];
    if (is_at(&entry->local, entry->local_port, &end->own, end->own_port) &&
        is_at(&entry->remote, entry->remote_port, &end->remote, end->remote_port)) {
        sight->own_seen = true;
        sight->own_state = entry->state;
    } else if (is_at(&entry->local, entry->local_port, &end->remote, end->remote_port) &&
               is_at(&entry->remote, entry->remote_port, &end->own, end->own_port)) {
        sight->seen = true;
        sight->state = entry->state;
        sight->unread = entry->unread;
        sight->inode = entry->inode;
    }
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    const uint16_t wanted[] = {
        [PROXY_FRONT] = map->settings->front_port, [PROXY_BACK] = map->settings->back_port};
    for (int side = 0; side < PROXY_SIDES; side++) {
        if (entry->remote_port == wanted[side])
            note_end(map, (enum proxy_side)side, entry->local_port, entry);
        if (entry->local_port == wanted[side])
            note_end(map, (enum proxy_side)side, entry->remote_port, entry);
    }
    return 0;
}

static int look_at_port(const struct witness_backend *witness, uint16_t port, struct port_map *map)
{
    const struct port_range only = {port, port};
    int rc = witness->each(AF_INET, &only, note_socket, map);
    if (rc != 0)
        return rc;
    rc = witness->each(AF_INET6, &only, note_socket, map);
    return rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 has no such table */
}

int proxy_tables_look(const struct witness_backend *witness, const struct proxy_settings *settings,
                      const struct proxy_pair *pairs, int64_t count,
                      struct proxy_sight (*sights)[PROXY_SIDES])
{
    struct port_map *map = malloc(sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    map->settings = settings;
    map->pairs = pairs;
    map->sights = sights;
    map_ports(map, count);
    memset(sights, 0, (size_t)count * sizeof *sights);
    int rc = look_at_port(witness, settings->front_port, map);
    if (rc == 0 && settings->back_port != settings->front_port)
        rc = look_at_port(witness, settings->back_port, map);
    free(map);
    return rc;
}

bool proxy_sight_is_held(const struct proxy_sight *sight)
{
    return sight->seen && (sight->state == STATE_CLOSE_WAIT || sight->state == STATE_ESTABLISHED ||
                           (sight->state == STATE_FIN_WAIT2 && sight->inode != 0));
}
