/* links: connections of which one end is ours, as the kernel of this machine shows them: both ends, as far as
 * they are in our tables. */
#ifndef AUDIT_LINKS_H
#define AUDIT_LINKS_H

#include "kernel/witness.h"

#include <stdbool.h>

struct tcp_link {
    struct address own, remote;
    uint16_t own_port, remote_port; /* 0: never connected */
};

/* The addresses of a connected socket of ours. Returns 0 or an errno. */
int tcp_link_of(int fd, struct tcp_link *link);

struct link_sight {
    bool own_seen, seen; /* our end; the other one */
    enum tcp_state own_state, state;
    uint32_t unread;    /* of the other end */
    bool fin_with_data; /* likewise: see struct socket_entry */
    uint64_t inode;
};

/* The i-th connection; NULL: there is none any more. */
typedef const struct tcp_link *tcp_link_at(const void *context, int64_t i);

/* Looks once, at those of which one end, ours or the other one, has that port; no two have the other port in
 * common. Fills in `count` sights. Returns 0, or the witness's negative errno: what was seen then counts for
 * nothing. */
int links_look(const struct witness_backend *witness, uint16_t port, tcp_link_at *at, const void *context,
               int64_t count, struct link_sight *sights);

/* The other end is in a state that only the process which has the descriptor can end. */
bool link_sight_is_held(const struct link_sight *sight);

#endif
