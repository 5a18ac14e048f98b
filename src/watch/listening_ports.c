#include "watch/listening_ports.h"

#include "kernel/socket_owner.h"
#include "kernel/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static int note_listener(void *context, const struct socket_entry *entry)
{
    struct listening_ports *ports = context;
    int at = 0;
    while (at < ports->count && ports->each[at].port < entry->local_port)
        at++;
    if (entry->state != STATE_LISTEN || (at < ports->count && ports->each[at].port == entry->local_port))
        return 0;
    struct listening_port *more = realloc(ports->each, ((size_t)ports->count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    ports->each = more;
    for (int i = ports->count++; i > at; i--)
        more[i] = more[i - 1];
    more[at] = (struct listening_port){.port = entry->local_port, .inode = entry->inode};
    return 0;
}

/* Whose they are is a name for people: where it cannot be found out it stays unknown. */
static void find_owners(struct listening_ports *ports)
{
    uint64_t *inodes = calloc((size_t)ports->count, sizeof *inodes);
    for (int i = 0; inodes != NULL && i < ports->count; i++)
        inodes[i] = ports->each[i].inode;
    struct socket_owners *owners = inodes != NULL ? socket_owners_new(inodes, (size_t)ports->count) : NULL;
    if (owners != NULL)
        socket_owners_read_others(owners, NULL, 0);
    for (int i = 0; owners != NULL && i < ports->count; i++) {
        struct listening_port *port = &ports->each[i];
        port->pid = socket_owner_of(owners, port->inode);
        if (port->pid != 0)
            port->command = process_command(port->pid);
    }
    socket_owners_free(owners);
    free(inodes);
}

int listening_ports_find(struct listening_ports *ports)
{
    int error = 0;
    *ports = (struct listening_ports){.count = 0};
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return error;
    int rc = witness->each_listener(AF_INET, NULL, note_listener, ports);
    int rc6 = witness->each_listener(AF_INET6, NULL, note_listener, ports);
    if (rc == 0 && rc6 != 0 && rc6 != -EAFNOSUPPORT && rc6 != -ENOENT)
        rc = rc6;
    if (rc == 0 && ports->count > 0)
        find_owners(ports);
    return rc;
}

void listening_ports_free(struct listening_ports *ports)
{
    free(ports->each);
    *ports = (struct listening_ports){.count = 0};
}

const struct listening_port *listening_ports_at(const struct listening_ports *ports, uint16_t port)
{
    for (int i = 0; i < ports->count; i++)
        if (ports->each[i].port == port)
            return &ports->each[i];
    return NULL;
}
