/* ghosts: descriptors that the server's processes keep of connections that have left every table. What they
 * held before the audit does not count; what is there in one reading and not in the next does not either. */
#ifndef AUDIT_GHOSTS_H
#define AUDIT_GHOSTS_H

#include "audit/server_process.h"
#include "kernel/unlisted_sockets.h"

struct ghosts {
    struct unlisted_sockets before; /* of the audit */
    struct unlisted_sockets last;   /* reading */
};

/* Reads what is there before. Returns 0 or a negative errno, as unlisted_sockets_read(). */
int ghosts_begin(struct ghosts *ghosts, const struct server_processes *server);

/* Forgets the last reading: the next one confirms none. */
void ghosts_renew(struct ghosts *ghosts);

/* How many are there in this reading and in the last one; and in *owner a process that holds one. Returns a
 * negative errno likewise. */
int64_t ghosts_read(struct ghosts *ghosts, const struct server_processes *server, pid_t *owner);

void ghosts_end(struct ghosts *ghosts);

#endif
