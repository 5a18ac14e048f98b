#include "watch/services.h"

#include "kernel/socket_owner.h"
#include "kernel/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static int note_listener(void *context, const struct socket_entry *entry)
{
    struct services *services = context;
    int at = 0;
    while (at < services->count && services->each[at].port < entry->local_port)
        at++;
    if (entry->state != STATE_LISTEN ||
        (at < services->count && services->each[at].port == entry->local_port))
        return 0;
    struct service *more = realloc(services->each, ((size_t)services->count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    services->each = more;
    for (int i = services->count++; i > at; i--)
        more[i] = more[i - 1];
    more[at] = (struct service){.port = entry->local_port, .inode = entry->inode};
    return 0;
}

/* Whose they are is a name for people: where it cannot be found out it stays unknown. */
static void find_owners(struct services *services)
{
    uint64_t *inodes = calloc((size_t)services->count, sizeof *inodes);
    for (int i = 0; inodes != NULL && i < services->count; i++)
        inodes[i] = services->each[i].inode;
    struct socket_owners *owners = inodes != NULL ? socket_owners_new(inodes, (size_t)services->count) : NULL;
    if (owners != NULL)
        socket_owners_read_others(owners, NULL, 0);
    for (int i = 0; owners != NULL && i < services->count; i++) {
        struct service *service = &services->each[i];
        service->pid = socket_owner_of(owners, service->inode);
        if (service->pid != 0)
            service->command = process_command(service->pid);
    }
    socket_owners_free(owners);
    free(inodes);
}

int services_find(struct services *services)
{
    int error = 0;
    *services = (struct services){.count = 0};
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return error;
    int rc = witness->each_listener(AF_INET, NULL, note_listener, services);
    int rc6 = witness->each_listener(AF_INET6, NULL, note_listener, services);
    if (rc == 0 && rc6 != 0 && rc6 != -EAFNOSUPPORT && rc6 != -ENOENT)
        rc = rc6;
    if (rc == 0 && services->count > 0)
        find_owners(services);
    return rc;
}

void services_free(struct services *services)
{
    free(services->each);
    *services = (struct services){.count = 0};
}

const struct service *services_at(const struct services *services, uint16_t port)
{
    for (int i = 0; i < services->count; i++)
        if (services->each[i].port == port)
            return &services->each[i];
    return NULL;
}
