#include "audit/ghosts.h"

int ghosts_begin(struct ghosts *ghosts, const struct server_processes *server)
{
    return unlisted_sockets_read(server->each, server->count, &ghosts->before);
}

void ghosts_renew(struct ghosts *ghosts)
{
    unlisted_sockets_free(&ghosts->last);
}

int64_t ghosts_read(struct ghosts *ghosts, const struct server_processes *server, pid_t *owner)
{
    struct unlisted_sockets now;
    int rc = unlisted_sockets_read(server->each, server->count, &now);
    if (rc != 0)
        return rc;
    int64_t count = 0;
    *owner = 0;
    for (size_t i = 0; i < now.count; i++) {
        uint64_t inode = now.each[i].inode;
        if (unlisted_sockets_have(&ghosts->before, inode) || !unlisted_sockets_have(&ghosts->last, inode))
            continue;
        *owner = count == 0 ? now.each[i].pid : *owner;
        count++;
    }
    unlisted_sockets_free(&ghosts->last);
    ghosts->last = now;
    return count;
}

void ghosts_end(struct ghosts *ghosts)
{
    unlisted_sockets_free(&ghosts->before);
    unlisted_sockets_free(&ghosts->last);
}
