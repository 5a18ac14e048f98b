#include "kernel/free_ports.h"

#include <errno.h>
#include <stdlib.h>

enum port_use { PORT_CLEAN, PORT_USED, PORT_LISTENED };

struct port_map {
    const struct address *address;
    uint8_t use[65536]; /* enum port_use */
};

static void mark(struct port_map *map, uint16_t port, enum port_use use)
{
    if (map->use[port] < use)
        map->use[port] = (uint8_t)use;
}

static int mark_socket(void *context, const struct socket_entry *entry)
{
    struct port_map *map = context;
    if (entry->state == STATE_LISTEN) {
        /* [::] usually takes IPv4 as well; 0.0.0.0 does not take IPv6. */
        bool wildcard = address_is_wildcard(&entry->local) &&
                        (entry->local.family == AF_INET6 || map->address->family == AF_INET);
        if (wildcard || address_equal(&entry->local, map->address))
            mark(map, entry->local_port, PORT_LISTENED);
        return 0;
    }
    if (address_equal(&entry->local, map->address))
        mark(map, entry->local_port, PORT_USED);
    if (address_equal(&entry->remote, map->address))
        mark(map, entry->remote_port, PORT_USED);
    return 0;
}

static int find_window(const struct port_map *map, uint16_t from, uint16_t last, int count, uint16_t *first)
{
    int clean = 0;
    for (uint32_t port = from; port <= last; port++) {
        if (map->use[port] == PORT_LISTENED) {
            *first = (uint16_t)port;
            return PORTS_LISTENED;
        }
        clean = map->use[port] == PORT_CLEAN ? clean + 1 : 0;
        if (clean == count) {
            *first = (uint16_t)(port - (uint32_t)count + 1);
            return 0;
        }
    }
    return PORTS_CROWDED;
}

int free_ports_find(const struct witness_backend *witness, const struct address *address, uint16_t from,
                    uint16_t last, int count, uint16_t *first)
{
    struct port_map *map = calloc(1, sizeof *map);
    if (map == NULL)
        return -ENOMEM;
    map->address = address;
    int other = address->family == AF_INET ? AF_INET6 : AF_INET;
    int rc = witness->each(address->family, NULL, mark_socket, map);
    if (rc == 0) {
        rc = witness->each(other, NULL, mark_socket, map);
        if (rc == -ENOENT || rc == -EAFNOSUPPORT || rc == -EPROTONOSUPPORT)
            rc = 0; /* a kernel without the other family has nothing there */
    }
    if (rc == 0)
        rc = find_window(map, from, last, count, first);
    free(map);
    return rc;
}
