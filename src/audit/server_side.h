/* server_side: the server's ends of an audit's connections, as the kernel of this machine shows them, and the
 * processes that hold them. */
#ifndef AUDIT_SERVER_SIDE_H
#define AUDIT_SERVER_SIDE_H

#include "audit/probe.h"
#include "tcp/witness.h"

/* Both ends of one connection, as far as they are in our tables. */
struct audit_sight {
    bool own_seen, server_seen;
    enum tcp_state own_state, server_state;
    uint32_t unread;
    uint64_t inode;
};

enum { LISTENERS_MAX = 64 }; /* on one port: SO_REUSEPORT gives each process its own */

struct audit_look {
    bool elsewhere; /* the address is not this machine's: a listener here is another server's */
    int listener_count;
    uint64_t listeners[LISTENERS_MAX]; /* their inodes */
    struct audit_sight *sights;        /* one for each probe; the caller's */
};

/* Looks once. Returns 0, or the witness's negative errno. */
int server_side_look(const struct witness_backend *witness, const struct audit_settings *settings,
                     const struct probe *probes, int64_t count, struct audit_look *look);

/* Whether the address is one of this network namespace. */
bool server_side_is_here(const struct address *address);

/* Whether somebody listens there, in this network namespace. */
bool server_side_listens(const struct witness_backend *witness, const struct address *address, uint16_t port);

/* The process that listens, or one of those that do: 0 when it is not known. */
pid_t server_side_listener(const struct audit_look *look);

/* How many sockets of those that listen, and of their children, are in no table (tcp/unlisted_sockets.h).
 * Negative errno: ESRCH, nobody is known to listen; EACCES, they are not ours to look into. */
int64_t server_side_ghosts(const struct audit_look *look);

/* Fills in the owners of the connections that have an inode. */
void server_side_owners(const struct audit_look *look, struct audit_connection *connections, int64_t count);

#endif
