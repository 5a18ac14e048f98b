/* stock: what the processes of a server hold: each of their sockets and other descriptors, once. Taken before
 * the first connection and after each round; what is new between two of them is growth (see growth.h).
 *
 * A socket or a pipe is known by its inode, which all its copies share and which no other has while it lives:
 * an address and a port would be used again. What has no inode of its own (epoll, a file) is known by its
 * process and its descriptor's number. */
#ifndef AUDIT_STOCK_H
#define AUDIT_STOCK_H

#include "audit/audit_growth.h"
#include "audit/server_process.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stock_thing {
    uint64_t identity;
    enum stock_kind kind;
    pid_t pid; /* one that holds it */
    int fd;    /* there */
    /* Of TCP in the tables: */
    enum tcp_state state;
    struct address peer;
    uint16_t port, peer_port;
    uint32_t unread, unsent; /* Recv-Q, Send-Q */
    bool is_front; /* the server's end of a connection to the port that is audited, or may be: of a ghost
                      the port is not always known */
    char protocol[STOCK_PROTOCOL_SIZE]; /* STOCK_SOCKET: "UDP" */
    /* Filled in by growth.h: */
    int since;         /* the round that it is of, from 1 on; 0: from before the first one */
    bool is_confirmed; /* it was the same in the reading before */
};

/* A process that it was taken of. */
struct stock_process {
    pid_t pid;
    uint64_t started; /* clock ticks since boot */
};

struct stock {
    struct stock_thing *each; /* owned; by identity */
    size_t count, room;
    struct stock_process *processes; /* owned */
    int process_count;
};

/* Takes stock of these processes, which share this network namespace. `port`: the one that is audited. A
 * process that has ended holds nothing, unless all have. What opens or closes meanwhile may be missing, or be
 * taken for what it is not, but not in two readings. `known`: an earlier stock, whose sockets are not asked
 * for their protocol again; NULL: none. Returns 0 after filling *stock, or a negative errno: ESRCH, EACCES as
 * in process.h; any other, and something failed here; *stock then is empty. */
int stock_take(const struct server_processes *server, const struct witness_backend *witness, uint16_t port,
               const struct stock *known, struct stock *stock);
void stock_free(struct stock *stock);

/* Adds what is in `more` and not in `stock`, and its processes. Returns 0 or -ENOMEM. */
int stock_merge(struct stock *stock, const struct stock *more);

/* Whether it has no inode of its own: it is known by its process and number. */
bool stock_is_numbered(const struct stock_thing *thing);

/* NULL: it is not there. */
const struct stock_thing *stock_find(const struct stock *stock, uint64_t identity);

/* Whether it was taken of that process, and not of an earlier one with its pid. */
bool stock_has_process(const struct stock *stock, const struct stock_process *process);

#endif
