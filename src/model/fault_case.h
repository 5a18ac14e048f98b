/* fault_case: a fault as it is met in the field, to be played under steady traffic: who behaves how, and the
 * signature by which the fault is known. The rows are in src/cause/. */
#ifndef MODEL_FAULT_CASE_H
#define MODEL_FAULT_CASE_H

#include "kernel/kernel_counters.h"
#include "model/script.h"

#include <stdbool.h>
#include <stdint.h>

struct behaviour; /* worker/endpoint.h */

enum eof_class {
    EOF_ANY,
    EOF_UNREAD, /* Recv-Q is 1 or more: the FIN, and perhaps data before it, was never read */
    EOF_READ,   /* Recv-Q is 0, and the FIN came by itself: EOF was read, and only close() is missing */
};

enum owner_class {
    OWNER_ANY,
    OWNER_AT_FAULT, /* the process that accepted, or connected */
    OWNER_OTHER,    /* another process: it inherited the descriptor */
    OWNER_NONE,     /* no process has a descriptor: never accepted */
};

/* What a fault leaves for an observer to see. All that a row states must be there. */
struct signature {
    enum side at_fault;
    enum tcp_state state; /* of the sockets that linger on that side; STATE_GONE: none does */
    enum eof_class eof;
    bool is_stalled; /* they have data to send, and the other side's window is closed */
    bool is_alone;   /* the other side has no end of them any more */
    enum owner_class owner;
    bool listener_is_others;     /* the socket that they came to is listened on by another process, and not by
                                  * the one at fault */
    enum kernel_counter counter; /* must move, where has_counter is set */
    bool has_counter;
    bool fades;            /* that state is the first face: CLOSE_WAIT with EOF unread follows, or ghosts */
    bool leaves_ghosts;    /* descriptors of connections that are in no table: see ghost.h */
    bool leaves_elsewhere; /* descriptors on connections to others, such as a backend */
    bool loses;            /* requests, or their replies, are lost: the connection ends before the client has
                              read one */
    bool fails_accept;     /* accept() fails */
    bool fails_connect;    /* connect() fails */
    int64_t delays_ms;     /* at least as long the slowest reply takes; 0: that is not what it is known by */
    bool on_one_path;      /* some connections are at fault, and others are not */
};

struct title {
    const char *name;
    const char *summary; /* one line: who does what */
    const char *meaning; /* a sentence or two: what the states show */
};

struct fault_case {
    struct title bug;                              /* its summary is what is done wrong */
    struct title fixed;                            /* of the twin without it; its summary is the fix */
    const char *reported;                          /* public reports of it */
    const struct behaviour *behaviour[SIDE_COUNT]; /* NULL: the side plays its script */
    struct script
        script[SIDE_COUNT]; /* what brings the fault out; without a close() that side keeps its ends */
    int64_t server_nofile;  /* descriptors that the fault needs the server to be limited to; 0: no limit */
    int descriptors_each;   /* that the server needs for a connection, where it is more than one */
    int client_ports;       /* local ports that it needs the client to be limited to, in a network namespace
                             * of its own; 0: no limit */
    int64_t least_conns;    /* with fewer it may not show; 0: one is enough */
    int64_t connect_timeout_ms; /* that its client waits for connect(); 0: as long as any */
    struct signature signature;
};

struct signature_text {
    char text[200];
};

/* "server CLOSE_WAIT, EOF read, held by the server itself". */
struct signature_text signature_text(const struct signature *signature);

#endif
