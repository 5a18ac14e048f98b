#include "trace/listed_socket.h"

#include "kernel/descriptors.h"
#include "kernel/witness.h"

#include <errno.h>
#include <string.h>

enum { LOOKS_TRIED = 5 }; /* a look may be interrupted: by who comes and goes */

struct search {
    uint64_t inode;
    struct borrowed_socket *socket;
};

static int take_if_same(void *context, const struct socket_entry *entry)
{
    const struct search *search = context;
    if (entry->inode != search->inode)
        return 0;
    *search->socket = (struct borrowed_socket){
        .state = entry->state,
        .local = entry->local,
        .local_port = entry->local_port,
        .peer = entry->remote,
        .peer_port = entry->remote_port,
    };
    return 1;
}

int listed_socket_read(pid_t tid, int fd, uint64_t inode, struct borrowed_socket *socket)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct search search = {inode, socket};
    struct socket_protocol protocol;
    *socket = (struct borrowed_socket){.state = STATE_CLOSE};
    int rc = descriptor_protocol(tid, fd, &protocol);
    if (rc <= 0)
        return rc == 0 ? -EBADF : rc;
    if (strncmp(protocol.name, "TCP", 3) != 0 && strncmp(protocol.name, "MPTCP", 5) != 0)
        return -EOPNOTSUPP;
    const struct witness_backend *witness = witness_choose(0, &rc);
    if (witness == NULL)
        return rc;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof families / sizeof families[0]; i++) {
        rc = -EINTR;
        for (int k = 0; k < LOOKS_TRIED && rc == -EINTR; k++)
            rc = witness->each(families[i], NULL, take_if_same, &search);
        rc = rc == -EAFNOSUPPORT ? 0 : rc;
    }
    return rc < 0 ? rc : 0;
}
