/* party: one process's part where connections come one by one: it accepts them, or it connects, and a
 * behaviour does the rest. The well-behaved behaviour plays a script (lives.h); those in src/cause/ have one
 * bug each. */
#ifndef WORKER_ENDPOINT_H
#define WORKER_ENDPOINT_H

#include "model/script.h"
#include "worker/listener.h"
#include "worker/open_descriptors.h"

#include <stdbool.h>
#include <stdint.h>

struct party;

struct behaviour {
    const char *name;
    /* Before the first connection. Returns 0 or a negative errno. NULL: nothing to prepare. */
    int (*start)(struct party *party);
    /* A connection is there, accepted or connected: non-blocking, in party->held. */
    void (*on_connection)(struct party *party, int fd);
    /* Connections wait at the door. NULL: party_accept_all. */
    void (*on_acceptable)(struct party *party, struct door *door);
    /* Frees what the others made; descriptors in party->held are not its business. NULL: nothing. */
    void (*stop)(struct party *party);
};

struct leak_share {
    int64_t count, of; /* so many of the first so many connections are never closed, evenly spread */
};

struct party {
    struct event_base *base;
    const struct behaviour *behaviour;
    bool fixed;      /* the twin without the bug */
    void *state;     /* the behaviour's own */
    int64_t life_us; /* how long a connection lives before its end is begun */
    struct script script;
    struct leak_share leak;

    struct held held;
    int64_t begun;  /* connections handed to the behaviour */
    int64_t ended;  /* of them, those that have nothing more to do; leaked ones too */
    int64_t leaked; /* on purpose */
    int64_t lost;   /* an act failed because the connection had been reset: a lost reply, a lost request */
    int64_t errors; /* accept() failed, connect() failed */
    int last_errno; /* of these */

    const char
        *failed_call; /* one that failed for a reason of this machine: the party cannot go on. NULL: none */
    int failed_errno;
};

/* Returns 0 or a negative errno. */
int party_start(struct party *party);
/* Stops the behaviour and resets what is held. */
void party_stop(struct party *party);

/* Hands a connected descriptor over. Returns 0 or a negative errno; then it is closed, and the party has
 * failed. */
int party_begin(struct party *party, int fd);

/* accept4() of one waiting connection, to be given to party_begin. Returns the descriptor, or a negative
 * errno: EAGAIN when none waits. A failure that concerns the server is counted. */
int party_accept(struct party *party, const struct door *door, int flags);

/* Accepts those that wait and hands them to the behaviour. Where descriptors are short the door rests for a
 * moment: the queue stays readable, and without that a server out of descriptors spins. */
void party_accept_all(struct party *party, struct door *door);

/* A door's on_acceptable: the owner is the party. */
void party_on_acceptable(void *party, struct door *door);

/* The behaviour cannot go on, for a reason of this machine; the first one is kept. */
void party_fail(struct party *party, const char *call, int error);

/* close() of a descriptor that is held. */
void party_close(struct party *party, int fd);

#endif
