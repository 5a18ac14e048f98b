/* server_side: the server's ends of an audit's connections, as the kernel of this machine shows them. */
#ifndef AUDIT_SERVER_SIDE_H
#define AUDIT_SERVER_SIDE_H

#include "audit/probe.h"
#include "kernel/witness.h"

/* Both ends of one connection, as far as they are in our tables. */
struct audit_sight {
    bool own_seen, server_seen;
    enum tcp_state own_state, server_state;
    uint32_t unread, unsent;
    bool fin_with_data; /* of the server's end: see struct socket_entry */
    bool needs_window;
    uint64_t inode;
};

enum { LISTENERS_MAX = 1024 }; /* on one port: SO_REUSEPORT gives each process its own */

struct audit_look {
    bool elsewhere; /* the address is not this machine's: a listener here is another server's */
    int listener_count;
    uint64_t listeners[LISTENERS_MAX]; /* their inodes */
    int64_t queued;                    /* connections in their accept queues */
    int64_t room;                      /* for so many more in the fullest of them; -1: not known */
    /* Of Unix sockets, in the first look: ends of the server whose client has closed, and those of them that
     * wait to be accepted. */
    bool has_begun;
    int64_t strays_before, orphans_before;
    struct audit_sight *sights; /* one for each probe; the caller's */
};

/* Looks once. Returns 0, or the witness's negative errno: what was seen then counts for nothing. */
int server_side_look(const struct witness_backend *witness, const struct audit_settings *settings,
                     const struct probe *probes, int64_t count, struct audit_look *look);

/* Looks at those that listen only: all but the sights. Cheap. */
int server_side_look_at_listeners(const struct witness_backend *witness,
                                  const struct audit_settings *settings, struct audit_look *look);

/* Whether the address is one of this network namespace: 1 or 0, or a negative errno. */
int server_side_is_here(const struct address *address);

/* Whether somebody listens there, in this network namespace: 1 or 0, or a negative errno. */
int server_side_listens(const struct witness_backend *witness, const struct address *address, uint16_t port);

#endif
