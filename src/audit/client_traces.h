/* client_traces: what the kernel has shown of each client's end, look by look: whose it is, and what of it
 * was held at the last look at which its process was there. */
#ifndef AUDIT_CLIENT_TRACES_H
#define AUDIT_CLIENT_TRACES_H

#include "audit/links.h"
#include "audit/server_side.h"
#include "kernel/unlisted_sockets.h"

struct client_trace {
    uint64_t inode; /* 0: never seen */
    pid_t owner;    /* 0: not known */
    char command[16];
    bool was_held; /* at the last look at it, when its grace period was over */
    struct audit_sight held;
    bool has_ended;   /* the owner */
    int looks_closed; /* with the owner there, after the client's FIN or RST: from two on it was no exit */
    bool is_unlisted; /* its descriptor was in no table in the last reading, */
    bool is_ghost;    /* and in the one before */
    bool is_gone;     /* it was in no table, and no descriptor of it was there: it stays so */
};

enum { CLIENT_OWNERS_MAX = 256 };

struct client_traces {
    struct client_trace *each; /* the caller's: one for each connection */
    pid_t owners[CLIENT_OWNERS_MAX];
    int owner_count;
    pid_t ancestor; /* of the processes that are looked into first; 0: none */
    bool is_hidden; /* some may not be looked into */
};

/* New inodes of these sights, and their owners. Returns 0 or a negative errno. */
int client_traces_take(struct client_traces *traces, const struct link_sight *sights, int64_t count);

/* The descriptors of those that were seen once and are in no table now; and which owners have ended, whose
 * traces stay as they were. Returns 0 or a negative errno. */
int client_traces_read(struct client_traces *traces, const struct link_sight *sights, int64_t count);

/* As findings want it: the client's end is what they call the server's. */
struct audit_sight client_sight_of(const struct link_sight *sight);

#endif
